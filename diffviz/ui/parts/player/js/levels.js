// A card of the rail: a number for each frame and each row, such as a noise level, as a heat map
// whose horizontal axis is the scrubber's.  Where every item has a map of its own, the followed
// item's is drawn.

import { align, fitCanvas, offscreen, pixelRatio, strokeSegment, write } from "../../shared/canvas.js";
import { css } from "../../shared/color.js";
import { el, setText } from "../../shared/dom.js";
import { clamp, fixed } from "../../shared/numbers.js";
import { Card } from "./cards.js";
import { TimeAxis } from "./clock.js";
import { ERROR_BLANK } from "./fields.js";
import { SMALL_TYPE } from "./palette.js";

export class LevelsCard extends Card {
  constructor(entry, run) {
    super("levels", entry.label, `${entry.label}, ${entry.axis || "by noise level"}, along the run`);
    this.item = 0;
    this.take(entry, run);
    this.now = entry.names.length ? el("span", { class: "dvz-card-value" }) : null;
    this.head.title = entry.label;
    if (this.now) this.head.append(this.now);
  }

  take(entry, run) {
    this.entry = entry;
    this.values = run.array(entry.values);
    this.axis = new TimeAxis(run.clock);
    this.rows = this.values.shape[1];
    this.items = this.values.shape[2];
    this.base = null;
    return true;
  }

  code(frame, row) {
    return this.values.data[(frame * this.rows + row) * this.items + this.item];
  }

  // The greatest number of a frame, with the name of its row.
  greatest(frame) {
    let best = 0;
    for (let row = 1; row < this.rows; row++) if (this.code(frame, row) > this.code(frame, best)) best = row;
    const [low, high] = this.entry.limits;
    const value = low + (this.code(frame, best) / (ERROR_BLANK - 1)) * (high - low);
    return `${this.entry.names[best]}: ${fixed(value, 2)}`;
  }

  // The whole map, row by row of noise levels; a frame's column reaches back to the one before it.
  drawBase(palette) {
    const { width, height } = this;
    const g = fitCanvas(offscreen(1, 1), width, height);
    g.font = `${SMALL_TYPE}px ${palette.font}`;
    const { ticks, bar } = this.entry;
    const gutter = Math.max(...ticks.map(([, text]) => g.measureText(text).width), 12);
    this.area = { left: gutter + 10, right: width - 9, top: 6, bottom: height - 22 };
    const { left, right, top, bottom } = this.area;
    const { rows } = this;
    const X = (u) => left + u * (right - left);
    const tall = (bottom - top) / rows;
    g.fillStyle = css(palette.rgb.text, 0.05);
    g.fillRect(left, top, right - left, bottom - top);
    const ratio = pixelRatio();
    const snap = (v) => Math.round(v * ratio) / ratio;
    for (let k = 1; k < this.values.shape[0]; k++) {
      const [from, to] = [snap(X(this.axis.position(k - 1))), snap(X(this.axis.position(k)))];
      for (let b = 0; b < rows; b++) {
        const q = this.code(k, b);
        if (q === ERROR_BLANK) continue;
        const c = Math.round((q / (ERROR_BLANK - 1)) * 255);
        g.fillStyle = css(palette.cividis[c]);
        const [y0, y1] = [snap(bottom - (b + 1) * tall), snap(bottom - b * tall)];
        g.fillRect(from, y0, Math.max(to - from, 1 / ratio), y1 - y0);
      }
    }
    align(g, "right", "middle");
    for (const [place, text] of ticks) {
      const y = bottom - place * (bottom - top);
      strokeSegment(g, left - 4, y, left, y, palette.css.muted);
      write(g, text, left - 6, clamp(y, top + 6, bottom - 6), palette.css.muted);
    }
    this.drawBar(g, palette, bar);
    return g.canvas;
  }

  // What the colours mean: a bar with its two ends, below the map.
  drawBar(g, palette, [low, high]) {
    const { left, right } = this.area;
    const y = this.height - 12;
    g.textBaseline = "middle";
    g.fillStyle = palette.css.muted;
    g.textAlign = "right";
    const width = 70;
    g.fillText(high, right, y);
    const end = right - g.measureText(high).width - 6;
    for (let i = 0; i < width; i++) {
      const c = Math.round((255 * i) / (width - 1));
      g.fillStyle = css(palette.cividis[c]);
      g.fillRect(end - width + i, y - 4, 1.5, 8);
    }
    write(g, low, end - width - 6, y, palette.css.muted);
    g.textAlign = "left";
    g.fillText(this.entry.axis, left, y);
  }

  draw(frame, state) {
    if (!this.ready) return;
    const { palette, follow } = state;
    const item = this.items > 1 && follow !== null && follow < this.items ? follow : 0;
    if (item !== this.item) Object.assign(this, { item, base: null });
    if (this.now) setText(this.now, this.greatest(Math.round(frame)));
    const g = this.paintBase(palette);
    const { left, right, top, bottom } = this.area;
    const x = left + this.axis.position(frame) * (right - left);
    strokeSegment(g, x, top - 3, x, bottom + 3, palette.css.primary, 2);
  }
}
