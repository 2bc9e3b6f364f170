// The custom schedule: the same curve as diffviz.core.schedules.Custom, and the rules its points obey.

import { clamp, pieceOf } from "../../shared/numbers.js";

// Piecewise cubic through (x, y), monotone where y is (Fritsch and Butland 1984).  Knot slopes are
// weighted harmonic means of the neighbouring chords; the ends are one-sided parabolas, held back
// so that they do not turn.
export class MonotoneCubic {
  /** @param {number[]} x @param {number[]} y */
  constructor(x, y) {
    this.x = x;
    this.y = y;
    this.h = x.slice(1).map((v, i) => v - x[i]);
    this.chord = this.h.map((h, i) => (y[i + 1] - y[i]) / h);
    this.d = this.slopes();
  }

  slopes() {
    const { h, chord } = this;
    const n = chord.length;
    if (n === 1) return [chord[0], chord[0]];
    const d = [this.end(0, 1)];
    for (let i = 1; i < n; i++) {
      const w1 = 2 * h[i] + h[i - 1];
      const w2 = h[i] + 2 * h[i - 1];
      const same = chord[i - 1] * chord[i] > 0;
      d.push(same ? (w1 + w2) / (w1 / chord[i - 1] + w2 / chord[i]) : 0);
    }
    d.push(this.end(n - 1, n - 2));
    return d;
  }

  /** @type {(near: number, far: number) => number} */
  end(near, far) {
    const { h, chord } = this;
    const d = ((2 * h[near] + h[far]) * chord[near] - h[near] * chord[far]) / (h[near] + h[far]);
    if (d * chord[near] <= 0) return 0;
    return Math.abs(d) > 3 * Math.abs(chord[near]) ? 3 * chord[near] : d;
  }

  /** @type {(x: number) => number} */
  at(x) {
    const i = pieceOf(this.x, x);
    const h = this.h[i];
    const u = (x - this.x[i]) / h;
    const v = 1 - u;
    return v * v * ((1 + 2 * u) * this.y[i] + u * h * this.d[i])
      + u * u * ((1 + 2 * v) * this.y[i + 1] - v * h * this.d[i + 1]);
  }
}

/** @typedef {number[][]} Points control points (t, alpha-bar) */

/** alpha_t through the control points. @type {(points: Points) => (t: number) => number} */
export function alphaThrough(points) {
  const cubic = new MonotoneCubic(points.map((p) => p[0]), points.map((p) => Math.sqrt(p[1])));
  return (t) => clamp(cubic.at(t), 0, 1);
}

// What each view shows of a variance-preserving path, from alpha at t (and one noising earlier).
const EARLIER = 1 / 1000;
/** @type {Record<string, (a: number, before: number) => number[]>} */
const SHOWN = {
  alpha_bar: (a) => [a * a],
  alpha_sigma: (a) => [a, Math.sqrt((1 - a) * (1 + a))],
  snr: (a) => [(a * a) / ((1 - a) * (1 + a))],
  log_snr: (a) => [2 * Math.log(a) - Math.log1p(-a) - Math.log1p(a)],
  beta: (a, before) => [stepVariance(a, before)],
  posterior_variance: (a, before) =>
    [(stepVariance(a, before) * ((1 - before) * (1 + before))) / ((1 - a) * (1 + a))],
};

/** @type {(a: number, before: number) => number} */
function stepVariance(a, before) {
  return ((before - a) * (before + a)) / (before * before);
}

/**
 * The values of the path at a time, in the order of the view's parts.
 * @type {(view: string, alpha: (t: number) => number, t: number) => number[]}
 */
export function shownAt(view, alpha, t) {
  return SHOWN[view](alpha(t), alpha(Math.max(t - EARLIER, 0)));
}

/**
 * Where a control point stands on the axis, and back; none in views of single noisings, where one
 * point moves the whole curve.
 * @type {Record<string, {up: (bar: number) => number, down: (y: number) => number}>}
 */
export const HANDLES = {
  alpha_bar: { up: (b) => b, down: (y) => y },
  alpha_sigma: { up: (b) => Math.sqrt(b), down: (y) => y * Math.abs(y) },
  snr: { up: (b) => b / (1 - b), down: (y) => y / (1 + y) },
  log_snr: { up: (b) => Math.log(b / (1 - b)), down: (y) => 1 / (1 + Math.exp(-y)) },
};

const GAP_T = 0.01;
const GAP_BAR = 2e-4;
const MAX_POINTS = 12;
const MIN_POINTS = 2;

/** Four significant digits: what the address keeps. @type {(x: number) => number} */
function rounded(x) {
  return Number(x.toPrecision(4));
}

/** @type {(x: number, low: number, high: number, otherwise: number) => number} */
function held(x, low, high, otherwise) {
  return low > high ? otherwise : clamp(x, low, high);
}

/**
 * Point k as close to (t, bar) as its neighbours allow; the ends keep their times, the first point
 * is clean data.
 * @type {(points: Points, k: number, t: number, bar: number) => number[]}
 */
export function clampPoint(points, k, t, bar) {
  if (k === 0) return [0, 1];
  const last = k === points.length - 1;
  const [t0, bar0] = points[k];
  const before = points[k - 1];
  const after = last ? [1, -GAP_BAR] : points[k + 1];
  const time = last ? 1 : held(t, before[0] + GAP_T, after[0] - GAP_T, t0);
  return [rounded(time), rounded(held(bar, after[1] + GAP_BAR, before[1] - GAP_BAR, bar0))];
}

/**
 * The points with one more on the curve at t, or null where there is no room.
 * @type {(points: Points, t: number) => Points | null}
 */
export function withPoint(points, t) {
  if (points.length >= MAX_POINTS) return null;
  const k = points.findIndex((p) => p[0] > t);
  if (k < 1) return null;
  const bar = alphaThrough(points)(t) ** 2;
  const room = t - points[k - 1][0] >= GAP_T && points[k][0] - t >= GAP_T
    && points[k - 1][1] - bar >= GAP_BAR && bar - points[k][1] >= GAP_BAR;
  if (!room) return null;
  return [...points.slice(0, k), [rounded(t), rounded(bar)], ...points.slice(k)];
}

/**
 * The points without one of the inner ones, or null for the ends.
 * @type {(points: Points, k: number) => Points | null}
 */
export function withoutPoint(points, k) {
  if (points.length <= MIN_POINTS || k < 1 || k >= points.length - 1) return null;
  return points.filter((_, i) => i !== k);
}

/** In the middle of the widest gap: where the button puts a new point. @type {(points: Points) => number} */
export function widestGap(points) {
  let best = 0;
  for (let i = 1; i < points.length - 1; i++) {
    if (points[i + 1][0] - points[i][0] > points[best + 1][0] - points[best][0]) best = i;
  }
  return (points[best][0] + points[best + 1][0]) / 2;
}
