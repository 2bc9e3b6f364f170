// The clock of a run: levels of noise at its frames, and where these lie in time.

import { clamp, pieceOf } from "../../shared/numbers.js";

/** @typedef {{frames: number, direction: string, t: ArrayLike<number>}} Clock what an axis needs of it */

/** log-SNR = 2 log(alpha / sigma), infinite at the ends. @type {(alpha: number, sigma: number) => number} */
export function logSnr(alpha, sigma) {
  if (sigma === 0) return Infinity;
  if (alpha === 0) return -Infinity;
  return 2 * Math.log(alpha / sigma);
}

/**
 * The noise's share of the variance of x_t, for data of unit variance.
 * @type {(alpha: number, sigma: number) => number}
 */
export function noiseShare(alpha, sigma) {
  return (sigma * sigma) / (alpha * alpha + sigma * sigma || 1);
}

/**
 * The whole frames around a fractional one, and the share of the second.
 * @type {(frame: number, frames: number) => {low: number, high: number, share: number}}
 */
export function around(frame, frames) {
  const low = clamp(Math.floor(frame), 0, frames - 1);
  return { low, high: Math.min(low + 1, frames - 1), share: frame - low };
}

/**
 * Linear interpolation in an array at a fractional index (infinities: the nearer entry).
 * @type {(values: ArrayLike<number>, position: number) => number}
 */
export function sampleAt(values, position) {
  const { low, high, share } = around(position, values.length);
  const value = values[low] + (values[high] - values[low]) * share;
  return Number.isFinite(value) ? value : values[share < 0.5 ? low : high];
}

// Where frames lie along the track: by time where time moves on with every frame, so that spacing
// is seen; evenly where it does not (a sampler that stays at one noise level for several steps).
export class TimeAxis {
  /** @param {Clock} clock */
  constructor(clock) {
    this.frames = clock.frames;
    this.reverse = clock.direction === "reverse";
    const along = Float64Array.from(clock.t, (t) => this.ofTime(t));
    this.byTime = along.every((u, k) => k === 0 || u > along[k - 1]);
    this.u = this.byTime ? along : along.map((_, k) => (this.frames > 1 ? k / (this.frames - 1) : 0));
  }

  /** Track position (0 left, 1 right) of a fractional frame. @param {number} frame */
  position(frame) {
    return sampleAt(this.u, frame);
  }

  /** The fractional frame at a track position. @param {number} u */
  frameAt(u) {
    if (this.frames === 1) return 0;
    const low = pieceOf(this.u, u);
    return low + clamp((u - this.u[low]) / (this.u[low + 1] - this.u[low]), 0, 1);
  }

  /** Track position of a time. @param {number} t */
  ofTime(t) {
    return this.reverse ? 1 - t : t;
  }
}
