// What every view of the plane shares: its geometry, its grid, and arrows on it.

import { align, fitCanvas, pencil, pixelRatio, strokeSegment } from "../../shared/canvas.js";
import { css } from "../../shared/color.js";
import { el, setAll } from "../../shared/dom.js";
import { fixed, multiples, niceTicks } from "../../shared/numbers.js";
import { around } from "./clock.js";
import { drawArrow, drawWords } from "./marks.js";
import { SMALL_TYPE } from "./palette.js";
import { View } from "./view.js";

const STAGE_PAD = 10;

export class PlaneView extends View {
  constructor(host, panel, run, names) {
    super(host, panel, run);
    this.canvases = Object.fromEntries(names.map((name) =>
      [name, el("canvas", { class: `dvz-layer dvz-layer-${name}`, "aria-hidden": "true" })]));
  }

  // What a canvas shows, for those who cannot see it.
  describe(canvas, words) {
    setAll(canvas, { "aria-hidden": null, role: "img", "aria-label": words });
  }

  // The heat map's pixels, one a cell, upwards from the lower left one as in the array; `colorAt`
  // is told a cell's place there.
  paintHeat(rows, columns, colorAt) {
    const { heat } = this.canvases;
    if (heat.width !== columns || heat.height !== rows || !this.heatPixels) {
      Object.assign(heat, { width: columns, height: rows });
      this.heatImage = pencil(heat).createImageData(columns, rows);
      this.heatPixels = new Uint32Array(this.heatImage.data.buffer);
    }
    for (let r = 0; r < rows; r++) {
      const from = (rows - 1 - r) * columns;
      for (let c = 0; c < columns; c++) this.heatPixels[r * columns + c] = colorAt(from + c);
    }
    pencil(heat).putImageData(this.heatImage, 0, 0);
  }

  // One scale for both axes, the limits' box in the middle, the rest of the stage filled.  The named
  // canvases fill the stage, the heat map the box.  Says whether anything is left to be laid out.
  fit(width, height, names) {
    if (width === this.width && height === this.height && this.ratio === pixelRatio()) return false;
    Object.assign(this, { width, height, stillKey: null });
    this.ratio = pixelRatio();
    if (!width || !height) return false;
    const [lo, hi] = this.panel.limits;
    const room = { x: width - 2 * STAGE_PAD, y: height - 2 * STAGE_PAD };
    this.unit = Math.max(Math.min(room.x / (hi[0] - lo[0]), room.y / (hi[1] - lo[1])), 1e-6);
    this.origin = {
      x: width / 2 - (this.unit * (lo[0] + hi[0])) / 2,
      y: height / 2 + (this.unit * (lo[1] + hi[1])) / 2,
    };
    for (const name of names) fitCanvas(this.canvases[name], width, height);
    const [left, top] = this.toScreen(lo[0], hi[1]);
    Object.assign(this.canvases.heat.style, {
      left: `${left}px`, top: `${top}px`,
      width: `${this.unit * (hi[0] - lo[0])}px`, height: `${this.unit * (hi[1] - lo[1])}px`,
    });
    return true;
  }

  toScreen(x, y) {
    return [this.origin.x + this.unit * x, this.origin.y - this.unit * y];
  }

  toPlane(x, y) {
    return [(x - this.origin.x) / this.unit, (this.origin.y - y) / this.unit];
  }

  // Lines at round values over the whole stage; above all that moves, set off from it, numbers along
  // them and the axes' names.
  drawGrid(g, palette) {
    const words = pencil(this.canvases.words);
    words.clearRect(0, 0, this.width, this.height);
    words.font = `${SMALL_TYPE}px ${palette.font}`;
    words.lineJoin = "round";
    const label = (text, x, y, across, down) => {
      align(words, across, down);
      drawWords(words, text, x, y, palette.css.muted, palette.css.background, 4);
    };
    const [left, top] = this.toPlane(0, 0);
    const [right, bottom] = this.toPlane(this.width, this.height);
    const ticks = niceTicks(left, right, Math.max(2, Math.min(this.width / 46, 16)));
    const step = ticks.length > 1 ? ticks[1] - ticks[0] : 1;
    const digits = step < 1 ? Math.ceil(-Math.log10(step)) : 0;
    const color = (value) => css(palette.rgb.text, value === 0 ? 0.2 : 0.09);
    for (const value of multiples(left, right, step)) {
      const x = Math.round(this.toScreen(value, 0)[0]) + 0.5;
      strokeSegment(g, x, 0, x, this.height, color(value));
      if (x > 44 && x < this.width - 34) label(fixed(value, digits), x, this.height - 4, "center", "bottom");
    }
    for (const value of multiples(bottom, top, step)) {
      const y = Math.round(this.toScreen(0, value)[1]) + 0.5;
      strokeSegment(g, 0, y, this.width, y, color(value));
      if (y > 26 && y < this.height - 22) label(fixed(value, digits), 6, y, "left", "middle");
    }
    label(this.panel.x_label, this.width - 8, this.height - 4, "right", "bottom");
    label(this.panel.y_label, 6, 6, "left", "top");
  }

  // The path of a field's arrows between two frames, `reach` of the distance between them at most.
  traceArrows(g, field, frame, reach) {
    const [frames, rows, columns] = field.shape;
    const [lo, hi] = this.panel.limits;
    const { data } = field;
    const { low, high, share } = around(frame, frames);
    const size = rows * columns * 2;
    const pitch = {
      x: (hi[0] - lo[0]) / Math.max(columns - 1, 1), y: (hi[1] - lo[1]) / Math.max(rows - 1, 1),
    };
    const longest = reach * this.unit * Math.min(pitch.x, pitch.y);
    const component = (i) => {
      const q = data[low * size + i];
      return ((q + share * (data[high * size + i] - q)) / 65535) * 2 - 1;
    };
    g.beginPath();
    for (let i = 0; i < rows * columns; i++) {
      const [x, y] = this.toScreen(
        lo[0] + (i % columns) * pitch.x, lo[1] + Math.floor(i / columns) * pitch.y);
      drawArrow(g, x, y, component(2 * i) * longest, -component(2 * i + 1) * longest);
    }
    g.lineCap = "round";
    g.lineJoin = "round";
  }
}

