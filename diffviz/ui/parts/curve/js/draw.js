// Axes, labels, and images under a schedule.

import { bytesOf } from "../../shared/base64.js";
import { offscreen, pencil } from "../../shared/canvas.js";
import { clamp, multiples, pieceOf, powerOfTen } from "../../shared/numbers.js";

// The vertical axis: where a value stands and where the ticks are.
export class Axis {
  /** @param {{log: boolean, low: number, high: number}} view @param {number} top @param {number} height */
  constructor(view, top, height) {
    this.log = view.log;
    this.low = this.warp(view.low);
    this.high = this.warp(view.high);
    this.top = top;
    this.height = height;
  }

  /** @type {(y: number) => number} */
  warp(y) {
    return this.log ? Math.log10(Math.max(y, 1e-300)) : y;
  }

  /** CSS pixels; far outside the plot is as good as infinitely far. @type {(value: number) => number} */
  y(value) {
    const share = (this.warp(value) - this.low) / (this.high - this.low);
    return this.top + this.height * (1 - clamp(share, -3, 4));
  }

  /** @type {(y: number) => number} */
  value(y) {
    const warped = this.low + (1 - (y - this.top) / this.height) * (this.high - this.low);
    return this.log ? 10 ** warped : warped;
  }

  ticks() {
    const most = Math.max(2, Math.floor(this.height / 44));
    const span = this.high - this.low;
    const base = 10 ** Math.floor(Math.log10(span / 10));
    const steps = this.log ? [1, 2, 3, 4, 5, 10] : [1, 2, 2.5, 5, 10, 20, 25, 50, 100].map((m) => m * base);
    const step = steps.find((s) => span / s <= most) || steps[steps.length - 1];
    return multiples(this.low, this.high, step).map((at) =>
      (this.log ? { value: 10 ** at, label: powerOfTen(at) } : { value: at, label: plainNumber(at) }));
  }
}

/** @type {(x: number) => string} */
export function plainNumber(x) {
  return String(Number(x.toPrecision(6))).replace("-", "−");
}

/**
 * Push labels apart so that none is closer than `gap` to the next, and all stay in [low, high].
 * @type {(wanted: number[], gap: number, low: number, high: number) => number[]}
 */
export function spread(wanted, gap, low, high) {
  /** @type {(items: number[]) => number} */
  const start = (items) => {
    const middle = items.reduce((sum, i) => sum + wanted[i], 0) / items.length;
    const length = (items.length - 1) * gap;
    return Math.max(low, Math.min(middle - length / 2, high - length));
  };
  /** @type {number[][]} */
  const groups = [];
  for (const i of wanted.map((_, k) => k).sort((a, b) => wanted[a] - wanted[b])) {
    let group = [i];
    for (let above = groups.at(-1); above; above = groups.at(-1)) {
      if (start(group) - start(above) >= above.length * gap) break;
      group = [...above, ...group];
      groups.pop();
    }
    groups.push(group);
  }
  const placed = new Array(wanted.length);
  for (const group of groups) group.forEach((item, k) => { placed[item] = start(group) + k * gap; });
  return placed;
}

/**
 * The value of a polyline at x, or null outside it.
 * @type {(xs: number[], ys: number[], x: number) => number | null}
 */
export function interpolate(xs, ys, x) {
  if (!xs.length || x < xs[0] - 1e-9 || x > xs[xs.length - 1] + 1e-9) return null;
  if (xs.length === 1) return ys[0];
  const low = pieceOf(xs, x);
  const share = (x - xs[low]) / (xs[low + 1] - xs[low]);
  return ys[low] + (ys[low + 1] - ys[low]) * clamp(share, 0, 1);
}

// One image under given (alpha, sigma), column by column, on one canvas per row.
export class Picture {
  /** @param {{key: string, shape: number[], x_0: string, eps: string, eps_scale: number}} strip */
  constructor(strip) {
    this.key = strip.key;
    this.channels = strip.shape[0];
    this.height = strip.shape[1];
    this.width = strip.shape[2];
    this.x0 = Float32Array.from(bytesOf(strip.x_0), (v) => v / 127.5 - 1);
    const bytes = bytesOf(strip.eps);
    const noise = new Int16Array(bytes.buffer, 0, bytes.length / 2);
    this.eps = Float32Array.from(noise, (v) => v / strip.eps_scale);
    this.cell = offscreen(this.width, this.height);
    this.context = pencil(this.cell);
    this.pixels = this.context.createImageData(this.width, this.height);
  }

  /**
   * The cell as 8-bit RGBA: x_t = alpha x_0 + sigma eps, divided by `scale`, -1 black and 1 white.
   * @type {(alpha: number, sigma: number, scale: number) => HTMLCanvasElement}
   */
  mix(alpha, sigma, scale) {
    const { x0, eps, pixels, channels } = this;
    const size = this.width * this.height;
    for (let i = 0; i < size; i++) {
      for (let c = 0; c < 3; c++) {
        const j = i + (channels === 3 ? c * size : 0);
        const value = (alpha * x0[j] + sigma * eps[j]) / scale;
        pixels.data[4 * i + c] = Math.round((value + 1) * 127.5);
      }
      pixels.data[4 * i + 3] = 255;
    }
    this.context.putImageData(pixels, 0, 0);
    return this.cell;
  }

  /** A side that shows all pixels of a small image equally large. @type {(room: number) => number} */
  side(room) {
    const times = Math.floor(room / this.width);
    return times >= 2 || (times === 1 && room < 1.25 * this.width) ? times * this.width : room;
  }
}
