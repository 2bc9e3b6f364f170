// Two vector fields over each other, the exact one and a learned one, and a heat map of the error
// between them.  The grid, the scale and the pointer's rules are those of points in the plane.

import { pencil } from "../../shared/canvas.js";
import { el } from "../../shared/dom.js";
import { compact } from "../../shared/numbers.js";
import { around } from "./clock.js";
import { packRgb } from "./palette.js";
import { PlaneView } from "./plane.js";

export const ERROR_BLANK = 255;

export class FieldsView extends PlaneView {
  constructor(host, panel, run) {
    super(host, panel, run, ["heat", "still", "vector", "words"]);
    this.exact = run.role(panel, "exact");
    this.learned = run.role(panel, "learned");
    this.error = run.role(panel, "error");
    this.describe(this.canvases.vector,
      `${panel.title}: arrows of the learned and the exact ${panel.field_label}, and the error between them`);
    this.low = el("span", {}, "0");
    this.bar = el("canvas", { class: "dvz-error-bar", width: 96, height: 1, "aria-hidden": "true" });
    this.key = el("div", { class: "dvz-error-key" }, el("span", {}, panel.error_label), this.low, this.bar,
      el("span", {}, `${compact(panel.peak, 2)}+`));
    host.append(...Object.values(this.canvases), this.key);
  }

  layers() {
    const { panel } = this;
    return [
      { key: "exact", label: `Exact ${panel.field_label}`, on: true, glyph: "arrow", color: "exact" },
      { key: "learned", label: `Learned ${panel.field_label}`, on: true, glyph: "arrow", color: "learned" },
      { key: "error", label: "Error", on: true, glyph: "heat", color: "muted" },
    ];
  }

  resize(width, height) {
    this.fit(width, height, ["still", "vector", "words"]);
  }

  draw(frame, state) {
    if (!this.width || !this.height) return;
    const { palette, layers } = state;
    if (this.stillKey !== palette.key) {
      this.stillKey = palette.key;
      this.drawStill(palette);
    }
    this.drawHeat(frame, layers, palette);
    const g = pencil(this.canvases.vector);
    g.clearRect(0, 0, this.width, this.height);
    if (layers.exact) this.drawArrows(g, this.exact, frame, palette.css.exact, 3, palette.dark ? 0.8 : 0.7);
    if (layers.learned) this.drawArrows(g, this.learned, frame, palette.css.learned, 1.4, 1);
  }

  drawStill(palette) {
    const g = pencil(this.canvases.still);
    g.clearRect(0, 0, this.width, this.height);
    this.drawGrid(g, palette);
    this.table = this.errorTable(palette);
    const bar = pencil(this.bar);
    for (let i = 0; i < 96; i++) {
      const color = this.table[Math.round((i / 95) * (ERROR_BLANK - 1))];
      bar.clearRect(i, 0, 1, 1);
      bar.fillStyle = `rgba(${color & 255},${(color >> 8) & 255},${(color >> 16) & 255},${(color >>> 24) / 255})`;
      bar.fillRect(i, 0, 1, 1);
    }
  }

  // Nothing at no error; the far end of the scale is the one that stands out from the background.
  errorTable(palette) {
    const table = new Uint32Array(256);
    for (let i = 0; i < ERROR_BLANK; i++) {
      const v = i / (ERROR_BLANK - 1);
      const k = Math.round(255 * (palette.dark ? 0.15 + 0.85 * v : 1 - 0.85 * v));
      table[i] = packRgb(palette.cividis[k], Math.round(225 * Math.min(1, v * 1.6)));
    }
    return table; // the last entry, a blank cell, stays transparent
  }

  drawHeat(frame, layers, palette) {
    const { heat } = this.canvases;
    heat.hidden = !layers.error;
    this.key.hidden = !layers.error;
    if (!layers.error) return;
    const [frames, rows, columns] = this.error.shape;
    const { data } = this.error;
    const { low, high, share } = around(frame, frames);
    const size = rows * columns;
    this.paintHeat(rows, columns, (i) => {
      const [p, q] = [data[low * size + i], data[high * size + i]];
      return this.table[p === ERROR_BLANK || q === ERROR_BLANK ? p : Math.round(p + share * (q - p))];
    });
  }

  drawArrows(g, field, frame, color, thick, opacity) {
    this.traceArrows(g, field, frame, 0.86);
    g.lineWidth = thick;
    g.globalAlpha = opacity;
    g.strokeStyle = color;
    g.stroke();
    g.globalAlpha = 1;
  }
}
