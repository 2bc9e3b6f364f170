// What the charts of the rail have in common: a title, and a canvas whose still part is drawn once.

import { fitCanvas, pencil, pixelRatio } from "../../shared/canvas.js";
import { el } from "../../shared/dom.js";

/** @typedef {import("./palette.js").Palette} Palette */

export class Card {
  ready = false;
  width = 0;
  height = 0;
  /** @type {HTMLCanvasElement | null} the still part */
  base = null;
  key = "";

  /** @param {string} name @param {string} title @param {string} label what the chart shows, read aloud */
  constructor(name, title, label) {
    this.title = el("h2", { class: "dvz-card-title" }, title);
    this.head = el("header", { class: "dvz-card-head" }, this.title);
    this.canvas = el("canvas", { class: "dvz-chart-canvas", role: "img", "aria-label": label });
    this.g = pencil(this.canvas);
    this.box = el("div", { class: "dvz-chart" }, this.canvas);
    this.node = el("section", { class: `dvz-card dvz-card-${name}` }, this.head, this.box);
  }

  resize() {
    this.width = this.box.clientWidth;
    this.height = this.box.clientHeight;
    this.ready = this.width > 0 && this.height > 0;
    if (this.ready) fitCanvas(this.canvas, this.width, this.height);
    this.base = null;
  }

  /** @param {Palette} _palette @returns {HTMLCanvasElement} */
  drawBase(_palette) {
    return this.canvas;
  }

  /** Put the still part on the chart; anew for another size, theme or ratio. @param {Palette} palette */
  paintBase(palette) {
    const key = `${palette.key}:${pixelRatio()}`;
    if (this.key !== key) this.base = null;
    this.key = key;
    this.base ??= this.drawBase(palette);
    const ratio = pixelRatio();
    this.g.clearRect(0, 0, this.width, this.height);
    this.g.drawImage(this.base, 0, 0, this.canvas.width / ratio, this.canvas.height / ratio);
    return this.g;
  }
}
