// What is on a map of codes: the pictures of a grid of codes, the codes themselves, and their density.

import { bytesOf } from "../shared/base64.js";
import { offscreen, pencil } from "../shared/canvas.js";
import { traceContour } from "../shared/contours.js";
import { clamp } from "../shared/numbers.js";

/** @typedef {[number, number]} Code */

export class Chart {
  /** @param {any} data what Python packs, see payload in __init__.py */
  constructor(data) {
    this.data = data;
    this.low = data.limits[0];
    this.high = data.limits[1];
    this.span = this.high - this.low;
    const raw = new Uint16Array(bytesOf(data.codes).buffer);
    this.codes = Float32Array.from(raw, (v) => this.low + (this.span * v) / 65535);
    this.labels = bytesOf(data.labels);
    this.density = new Float32Array(bytesOf(data.log_density).buffer);
    this.order = this.shuffled();
    /** @type {Uint8Array | null} */
    this.pixels = null; // until the sheet is open
  }

  // The grid's pictures as bytes, one a pixel; and as a picture to draw tiles from.
  async open() {
    const image = new Image();
    image.src = `data:image/png;base64,${this.data.sheet}`;
    await image.decode();
    const canvas = offscreen(image.width, image.height);
    const context = pencil(canvas, { willReadFrequently: true });
    context.drawImage(image, 0, 0);
    const { data } = context.getImageData(0, 0, image.width, image.height);
    const pixels = new Uint8Array(image.width * image.height);
    for (let i = 0; i < pixels.length; i++) pixels[i] = data[4 * i];
    this.tiles = canvas;
    this.pixels = pixels;
  }

  /** Codes in an order that lets no class lie on top of the others, the same every time. */
  shuffled() {
    const order = Uint32Array.from({ length: this.data.count }, (_, i) => i);
    let state = 1;
    for (let i = this.data.count - 1; i > 0; i--) {
      state = (state * 48271) % 2147483647;
      const j = state % (i + 1);
      [order[i], order[j]] = [order[j], order[i]];
    }
    return order;
  }

  /**
   * Place of a value in a grid along an axis.
   * @type {(value: number, count: number) => {first: number, share: number}}
   */
  cell(value, count) {
    const at = clamp(((value - this.low) / this.span) * (count - 1), 0, count - 1);
    const first = Math.min(Math.floor(at), count - 2);
    return { first, share: at - first };
  }

  /**
   * Mix the pictures of the nearest four codes into `out`, in levels from 0 to 255.
   * @type {(code: Code, out: Float32Array) => Float32Array}
   */
  picture([x, y], out) {
    const { pixels } = this;
    if (!pixels) return out;
    const [height, width] = this.data.size;
    const { first: i, share: u } = this.cell(x, this.data.side);
    const { first: j, share: v } = this.cell(y, this.data.side);
    const row = this.data.side * width;
    const corner = (/** @type {number} */ a, /** @type {number} */ b) => b * height * row + a * width;
    const [p, q, r, s] = [corner(i, j), corner(i + 1, j), corner(i, j + 1), corner(i + 1, j + 1)];
    const weights = [(1 - u) * (1 - v), u * (1 - v), (1 - u) * v, u * v];
    for (let k = 0, line = 0; line < height; line++) {
      for (let column = 0; column < width; column++, k++) {
        const at = line * row + column;
        out[k] = weights[0] * pixels[p + at] + weights[1] * pixels[q + at]
          + weights[2] * pixels[r + at] + weights[3] * pixels[s + at];
      }
    }
    return out;
  }

  /** log q(z), mixed between the grid's places. @type {(code: Code) => number} */
  logDensity([x, y]) {
    const { first: i, share: u } = this.cell(x, this.data.cells);
    const { first: j, share: v } = this.cell(y, this.data.cells);
    const at = (/** @type {number} */ a, /** @type {number} */ b) => this.density[b * this.data.cells + a];
    const lower = (1 - u) * at(i, j) + u * at(i + 1, j);
    const upper = (1 - u) * at(i, j + 1) + u * at(i + 1, j + 1);
    return (1 - v) * lower + v * upper;
  }

  /** @type {(code: Code) => {label: number, distance: number}} */
  nearest([x, y]) {
    let best = 0;
    let least = Infinity;
    for (let i = 0, k = 0; i < this.data.count; i++, k += 2) {
      const dx = this.codes[k] - x;
      const dy = this.codes[k + 1] - y;
      const d = dx * dx + dy * dy;
      if (d < least) {
        least = d;
        best = i;
      }
    }
    return { label: this.labels[best], distance: Math.sqrt(least) };
  }

  /**
   * Pieces of the contour at a level, [x, y, x, y] each in units of a code (marching squares).
   * @type {(level: number) => number[][]}
   */
  contour(level) {
    const n = this.data.cells;
    /** @type {number[][]} */
    const pieces = [];
    const unit = this.span / (n - 1);
    traceContour(this.density, n, n, level, (...ends) => pieces.push(ends.map((v) => this.low + unit * v)));
    return pieces;
  }
}
