// The scrubber: a slider whose track is a plot of the schedule's log-SNR over time, with the run's
// stops on it.  Left is the first frame, so time runs 0 -> 1 in a forward run, 1 -> 0 in a reverse
// one.

import {
  align, fitCanvas, offscreen, pixelRatio, strokePath, strokeSegment, traceLine, write,
} from "../../shared/canvas.js";
import { css } from "../../shared/color.js";
import { el } from "../../shared/dom.js";
import { pointIn } from "../../shared/hand.js";
import { clamp, compact, fixed, niceTicks } from "../../shared/numbers.js";
import { logSnr } from "./clock.js";
import { drawDisc, drawWords } from "./marks.js";
import { SMALL_TYPE } from "./palette.js";

const SNR_RANGE = [-12, 14];
const TRACK_LABEL = "log-SNR 0";
export const TRACK_PAD = { x: 12, top: 10, bottom: 12 };
const MAX_STEMS = 160;

export class Scrubber {
  // host: the slider element; run: Run; axis: TimeAxis; film: a FilmStrip class and its panel, or
  // null; onSeek(frame, phase) is called while a pointer drags ("start", "move", "end").
  constructor(host, run, axis, film, onSeek) {
    this.host = host;
    this.onSeek = onSeek;
    this.width = 0;
    this.filmHost = film ? el("div", { class: "dvz-film" }) : null;
    this.canvas = el("canvas", { class: "dvz-track", "aria-hidden": "true" });
    host.replaceChildren(...[this.filmHost, this.canvas].filter(Boolean));
    host.classList.toggle("dvz-has-film", Boolean(film));
    this.film = film ? new film.View(this.filmHost, film.panel, run, axis) : null;
    host.setAttribute("aria-valuemin", "0");
    this.take(run, axis, null);
    this.listen();
  }

  // Show another run in the same place; false where that takes another strip of film.
  take(run, axis, film) {
    if (film || (this.run && this.film)) return false;
    this.run = run;
    this.axis = axis;
    this.lanes = run.clock.lanes || [];
    this.frame = this.plots = null;
    this.host.setAttribute("aria-valuemax", String(run.frames - 1));
    return true;
  }

  listen() {
    this.abort = new AbortController();
    const options = { signal: this.abort.signal };
    let active = null;
    const seek = (event, phase) => {
      const x = pointIn(this.canvas, event).x;
      this.onSeek(this.axis.frameAt((x - TRACK_PAD.x) / (this.width - 2 * TRACK_PAD.x)), phase);
    };
    this.host.addEventListener("pointerdown", (event) => {
      if (event.button !== 0 || active !== null) return;
      active = event.pointerId;
      this.host.setPointerCapture(active);
      this.host.focus({ preventScroll: true });
      this.host.classList.add("dvz-dragging");
      seek(event, "start");
      event.preventDefault();
    }, options);
    this.host.addEventListener("pointermove", (event) => {
      if (event.pointerId === active) seek(event, "move");
    }, options);
    const end = (event) => {
      if (event.pointerId !== active) return;
      active = null;
      this.host.classList.remove("dvz-dragging");
      seek(event, "end");
    };
    this.host.addEventListener("pointerup", end, options);
    this.host.addEventListener("pointercancel", end, options);
  }

  resize(width) {
    this.width = width;
    if (this.film) this.film.resize(width, this.filmHost.clientHeight);
    this.height = this.canvas.parentElement ? this.trackHeight() : 0;
    this.context = fitCanvas(this.canvas, width, this.height);
    this.plots = null;
  }

  trackHeight() {
    return parseFloat(getComputedStyle(this.host).getPropertyValue("--dvz-track-height")) || 56;
  }

  x(u) {
    return TRACK_PAD.x + u * (this.width - 2 * TRACK_PAD.x);
  }

  // Height of a value of the track: a log-SNR, or what a track of its own shows.
  y(value) {
    const share = (clamp(value, this.low, this.high) - this.low) / (this.high - this.low);
    return this.height - TRACK_PAD.bottom - share * (this.height - TRACK_PAD.top - TRACK_PAD.bottom);
  }

  // The curve as [x, y] pairs from left to right.
  curve() {
    const { clock } = this.run;
    if (clock.track) return this.ownCurve(clock.track);
    const pairs = this.axis.byTime
      ? Array.from(clock.curve_t, (t, k) => [this.axis.ofTime(t), clock.curve_log_snr[k]])
      : Array.from(this.axis.u, (u, k) => [u, logSnr(clock.alpha[k], clock.sigma[k])]);
    pairs.sort((a, b) => a[0] - b[0]);
    const stops = Array.from(clock.alpha, (alpha, k) => logSnr(alpha, clock.sigma[k])).filter(Number.isFinite);
    this.low = Math.max(SNR_RANGE[0], Math.min(...stops, -1) - 1);
    this.high = Math.min(SNR_RANGE[1], Math.max(...stops, 1) + 2);
    return pairs.map(([u, value]) => [this.x(u), this.y(value)]);
  }

  // The curve of a clock that brings its own: not a schedule's, such as the loss over training.
  ownCurve({ u, values, limits, log }) {
    const level = log ? Math.log10 : (v) => v;
    [this.low, this.high] = limits.map(level);
    const places = this.run.array(u).data;
    return Array.from(this.run.array(values).data, (v, k) => [this.x(places[k]), this.y(level(v))]);
  }

  // The track drawn twice, once as "still to come", once as "done"; a frame shows a part of each.
  prepare(palette) {
    const curve = this.curve();
    this.points = curve;
    this.plots = [false, true].map((done) => {
      const g = fitCanvas(offscreen(1, 1), this.width, this.height);
      this.drawTrack(g, curve, palette, done);
      return g.canvas;
    });
    this.key = palette.key;
  }

  drawTrack(g, curve, palette, done) {
    const { rgb } = palette;
    const floor = this.height - TRACK_PAD.bottom;
    const tint = done ? rgb.primary : rgb.text;
    if (this.lanes.length) {
      this.drawLanes(g, palette, tint, done);
      return;
    }
    g.beginPath();
    g.moveTo(curve[0][0], floor);
    for (const [x, y] of curve) g.lineTo(x, y);
    g.lineTo(curve[curve.length - 1][0], floor);
    g.closePath();
    g.fillStyle = css(tint, done ? 0.2 : 0.07);
    g.fill();
    this.drawReference(g, curve, palette);
    this.drawStems(g, css(tint, done ? 0.55 : 0.26), floor);
    g.beginPath();
    traceLine(g, curve);
    g.lineWidth = 1.5;
    g.lineJoin = "round";
    g.strokeStyle = css(tint, done ? 0.95 : 0.45);
    g.stroke();
    strokeSegment(g, this.x(0), floor + 0.5, this.x(1), floor + 0.5, css(tint, done ? 0.6 : 0.3));
  }

  // One row for each of several runs: its name, and a dot at every frame at which it stops.
  drawLanes(g, palette, tint, done) {
    const { lanes } = this;
    const pitch = (this.height - TRACK_PAD.bottom) / lanes.length;
    g.font = `600 ${SMALL_TYPE}px ${palette.font}`;
    align(g, "center", "middle");
    lanes.forEach(({ name, stops }, row) => {
      const y = pitch * (row + 0.5);
      strokeSegment(g, this.x(0), y, this.x(1), y, css(tint, done ? 0.45 : 0.18));
      write(g, name, 4, y + 0.5, palette.css.muted);
      g.fillStyle = css(tint, done ? 1 : 0.45);
      g.beginPath();
      for (const stop of stops) {
        const x = this.x(this.axis.u[stop]);
        g.moveTo(x + 2.6, y);
        g.arc(x, y, 2.6, 0, 2 * Math.PI);
      }
      g.fill();
    });
  }

  // Where data and noise are equally strong, and what the curve is.
  drawReference(g, curve, palette) {
    if (this.run.clock.track) {
      this.drawOwnAxis(g, this.run.clock.track, palette);
      return;
    }
    const y = Math.round(this.y(0)) + 0.5;
    strokeSegment(g, this.x(0), y, this.x(1), y, css(palette.rgb.text, 0.35), 1, [2, 4]);
    g.font = `${SMALL_TYPE}px ${palette.font}`;
    g.fillStyle = palette.css.muted;
    align(g, "left", "bottom");
    g.fillText(TRACK_LABEL, this.roomiest(curve, g.measureText(TRACK_LABEL).width), y - 2);
  }

  // Where along the line a label of this width is farthest above the curve: left, middle or right.
  roomiest(curve, width) {
    const [left, right] = [this.x(0) + 2, this.x(1) - 2 - width];
    const room = (from) => Math.min(
      ...curve.filter(([x]) => x >= from - 4 && x <= from + width + 4).map(([, y]) => y),
    );
    return [left, right, (left + right) / 2].reduce((a, b) => (room(b) > room(a) ? b : a));
  }

  // A line at each decade (or nice value) of an own track, with its number, and what the curve is.
  drawOwnAxis(g, { label, limits, log, floor, floor_label: floorLabel }, palette) {
    const [low, high] = limits;
    const decades = [1, 2, 5].flatMap((m) => [-4, -3, -2, -1, 0, 1, 2].map((p) => m * 10 ** p));
    const inside = decades.filter((v) => v > low * 1.05 && v < high * 0.98).sort((a, b) => a - b);
    const height = (value) => this.y(log ? Math.log10(value) : value);
    const all = log ? (inside.length > 3 ? inside.filter((v) => `${v}`.includes("1")) : inside) : niceTicks(low, high, 2);
    const apart = all.length > 1 ? (height(all[0]) - height(all[all.length - 1])) / (all.length - 1) : SMALL_TYPE;
    const marks = all.filter((_, k) => k % Math.ceil(SMALL_TYPE / apart) === 0);
    g.font = `${SMALL_TYPE}px ${palette.font}`;
    align(g, "right", "middle");
    for (const value of marks) {
      const y = Math.round(height(value)) + 0.5;
      strokeSegment(g, this.x(0), y, this.x(1), y, css(palette.rgb.text, 0.1));
      write(g, compact(value, 1), this.x(1) - 3, y - 6, palette.css.muted);
    }
    g.textBaseline = "top";
    write(g, label, this.x(1) - 34, 0, palette.css.muted);
    if (floor === null) return;
    const y = height(floor);
    strokeSegment(g, this.x(0), y, this.x(1), y, palette.css.exact, 1.5, [5, 4]);
    const below = y < this.height - TRACK_PAD.bottom - 15;
    align(g, "right", below ? "top" : "bottom");
    drawWords(g, floorLabel, this.x(1) - 4, y + (below ? 3 : -3), palette.css["exact-ink"], palette.css.background, 4);
  }

  // One stem per stop, from the floor to the curve; a tick below the floor where they are dense.
  drawStems(g, color, floor) {
    const { clock, frames } = this.run;
    g.beginPath();
    for (let k = 0; k < frames; k++) {
      const x = Math.round(this.x(this.axis.u[k]) - 0.5) + 0.5;
      const own = clock.track ? this.curveAt(x) : null;
      const top = frames > MAX_STEMS ? floor : own === null ? this.y(logSnr(clock.alpha[k], clock.sigma[k])) : own;
      g.moveTo(x, floor + 5);
      g.lineTo(x, top);
    }
    strokePath(g, color, 1);
  }

  // Height of the curve at a horizontal place.
  curveAt(x) {
    const { points } = this;
    if (this.lanes.length) return this.height - TRACK_PAD.bottom + 3;
    if (points.length === 1) return points[0][1];
    let k = 1;
    while (k < points.length - 1 && points[k][0] < x) k++;
    const [x0, y0] = points[k - 1];
    const [x1, y1] = points[k];
    return x1 > x0 ? y0 + (y1 - y0) * clamp((x - x0) / (x1 - x0), 0, 1) : y1;
  }

  draw(frame, state) {
    if (!this.context || !this.width) return;
    if (!this.plots || this.key !== state.palette.key) this.prepare(state.palette);
    const g = this.context;
    const x = this.x(this.axis.position(frame));
    const ratio = pixelRatio();
    const cut = Math.round(x * ratio);
    const { width, height } = this.canvas;
    g.setTransform(1, 0, 0, 1, 0, 0);
    g.clearRect(0, 0, width, height);
    if (cut > 0) g.drawImage(this.plots[1], 0, 0, cut, height, 0, 0, cut, height);
    if (cut < width) g.drawImage(this.plots[0], cut, 0, width - cut, height, cut, 0, width - cut, height);
    g.setTransform(ratio, 0, 0, ratio, 0, 0);
    this.drawThumb(g, x, state.palette);
    if (this.film) this.film.draw(frame, state);
    this.describe(Math.round(frame));
  }

  drawThumb(g, x, palette) {
    strokeSegment(g, x, 2, x, this.height - TRACK_PAD.bottom, css(palette.rgb.primary, 0.6));
    drawDisc(g, x, this.curveAt(x), 7, palette.css.primary, palette.css.background);
  }

  // What a screen reader says; only when the frame is another one.
  describe(frame) {
    if (this.frame === frame) return;
    this.frame = frame;
    this.host.setAttribute("aria-valuenow", String(frame));
    this.host.setAttribute("aria-valuetext", describeFrame(this.run, frame).words);
  }

  dispose() {
    this.abort.abort();
    if (this.film) this.film.dispose();
  }
}

// A frame in words and in parts: "step 12 of 50, t = 0.760, log-SNR −3.10".
export function describeFrame(run, frame) {
  const { clock, frames } = run;
  const count = clock.names?.[frame] || `${clock.unit} ${frame} of ${frames - 1}`;
  if (clock.notes) {
    return { count, note: clock.notes[frame], words: `${count}, ${clock.notes[frame]}` };
  }
  const snr = fixed(logSnr(clock.alpha[frame], clock.sigma[frame]), 2);
  const t = fixed(clock.t[frame], 3);
  return { count, note: null, t, snr, words: `${count}, t = ${t}, log-SNR ${snr}` };
}
