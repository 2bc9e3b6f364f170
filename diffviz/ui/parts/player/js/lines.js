// The 1-D panel: sample paths over the density of p_t(x), time running to the right.

import {
  align, fitCanvas, offscreen, pencil, pixelRatio, strokePath, strokeSegment, write,
} from "../../shared/canvas.js";
import { css } from "../../shared/color.js";
import { el } from "../../shared/dom.js";
import { pointIn } from "../../shared/hand.js";
import { clamp, fixed, niceTicks, pieceOf } from "../../shared/numbers.js";
import { around, sampleAt } from "./clock.js";
import { drawDisc, fillAndStroke, traceDiamond } from "./marks.js";
import { SMALL_TYPE, packRgb } from "./palette.js";
import { MATH_FONT, drawSymbol } from "./symbols.js";
import { View } from "./view.js";

const LINES_SHOWN = 30;
const HEAT_COLUMNS = 640;
// The brightest part of the scale is left out, so that white paths stay visible on it.
const HEAT_TOP = 225;
const PICK_RADIUS = 18;
const MARGINAL_BARS = 40;
// The marginal's axis is fixed; a density that peaks far above the flattest one is cut off.
const MARGINAL_SPAN = 5;
const RUG = 13;

export class LinesView extends View {
  constructor(host, panel, run) {
    super(host, panel, run);
    this.canvas = el("canvas", { class: "dvz-lines", role: "img" });
    host.append(this.canvas);
    this.take(panel, run);
  }

  // Show another run in the same place.
  take(panel, run) {
    Object.assign(this, { panel, run, base: null, paths: null, frame: 0 });
    this.x_t = run.role(panel, "x_t");
    this.x_0 = run.role(panel, "x_0");
    this.scale = run.role(panel, "scale");
    this.lo = panel.limits[0];
    this.hi = panel.limits[1];
    this.count = panel.count;
    this.reverse = run.clock.direction === "reverse";
    this.chosen = this.choosePaths();
    this.data = this.readData();
    this.readDensity();
    this.canvas.setAttribute("aria-label", this.describe());
  }

  describe() {
    const order = this.reverse ? "from noise on the left to data on the right" : "from data on the left to noise on the right";
    return `${this.panel.title || "Sample paths"}: ${this.chosen.length} of ${this.count} sample paths over the density of x at each time, ${order}`;
  }

  // Evenly spaced among the samples, so that the choice does not depend on where they are.
  choosePaths() {
    const shown = Math.min(this.count, LINES_SHOWN);
    return Array.from({ length: shown }, (_, k) => Math.floor((k * this.count) / shown));
  }

  readData() {
    const data = this.run.role(this.panel, "data");
    if (!data) return [];
    const stride = Math.max(1, Math.ceil(data.shape[0] / 400));
    return Array.from({ length: Math.ceil(data.shape[0] / stride) }, (_, k) => data.value(k * stride));
  }

  readDensity() {
    const density = this.run.role(this.panel, "density");
    this.times = this.run.role(this.panel, "density_t").data;
    this.peaks = this.run.role(this.panel, "density_peak").data;
    this.rows = density.shape[1];
    this.profiles = density;
    const [flattest, sharpest] = [Math.min(...this.peaks), Math.max(...this.peaks)];
    this.top = 1.12 * Math.min(sharpest, MARGINAL_SPAN * flattest);
  }

  layers() {
    const layers = [
      { key: "density", label: "Density", on: true, glyph: "heat", color: "exact" },
      { key: "paths", label: "Paths", on: true, glyph: "trail", color: "text" },
      { key: "points", label: "Points xₜ", on: true, glyph: "disc", color: "text" },
    ];
    const label = this.x_0 && this.x_0.shape[0] === 1 ? "Data x₀" : "Predicted x₀";
    if (this.x_0) layers.push({ key: "x_0", label, on: false, glyph: "diamond", color: this.panel.badge || "data" });
    return layers;
  }

  resize(width, height) {
    if (!width || !height) return;
    this.width = width;
    this.height = height;
    this.context = fitCanvas(this.canvas, width, height);
    const rug = this.data.length || this.x_0 ? RUG : 0;
    const marginal = width >= 420 ? Math.min(110, Math.round(width * 0.15)) : 0;
    this.left = 46 + (this.reverse ? 0 : rug);
    this.right = width - (marginal ? marginal + 16 : 10) - (this.reverse ? rug : 0);
    this.topEdge = 12;
    this.bottom = height - 46;
    this.marginal = marginal ? { left: width - marginal - 4, right: width - 4 } : null;
    this.rug = rug ? (this.reverse ? { from: this.right + 2, to: this.right + rug } : { from: this.left - rug, to: this.left - 2 }) : null;
    this.base = null;
    this.paths = null;
  }

  X(t) {
    return this.left + (this.reverse ? 1 - t : t) * (this.right - this.left);
  }

  Y(x) {
    return this.bottom - ((x - this.lo) / (this.hi - this.lo)) * (this.bottom - this.topEdge);
  }

  // x_t of a sample, as drawn, at a fractional frame.
  value(item, frame) {
    const { low, high, share } = around(frame, this.run.frames);
    const a = this.x_t.value(low * this.count + item);
    return a + (this.x_t.value(high * this.count + item) - a) * share;
  }

  predicted(item, frame) {
    const row = this.x_0.shape[0] === 1 ? 0 : clamp(Math.round(frame), 0, this.run.frames - 1);
    return this.x_0.value(row * this.count + item);
  }

  // Column of the density at a time: the two stored columns around it and the share of the second.
  columnAt(t) {
    const { times } = this;
    const low = pieceOf(times, t);
    return { low, high: low + 1, share: clamp((t - times[low]) / (times[low + 1] - times[low]), 0, 1) };
  }

  // Drawn once ------------------------------------------------------------------------------------

  heatMap(palette) {
    const { rows, profiles } = this;
    const image = new ImageData(HEAT_COLUMNS, rows);
    const pixels = new Uint32Array(image.data.buffer);
    const colors = Uint32Array.from({ length: 256 }, (_, k) =>
      packRgb(palette.cividis[Math.round((k / 255) * HEAT_TOP)], 255));
    for (let c = 0; c < HEAT_COLUMNS; c++) {
      const u = (c + 0.5) / HEAT_COLUMNS;
      const { low, high, share } = this.columnAt(this.reverse ? 1 - u : u);
      for (let r = 0; r < rows; r++) {
        const a = profiles.data[low * rows + r];
        const level = a + (profiles.data[high * rows + r] - a) * share;
        pixels[(rows - 1 - r) * HEAT_COLUMNS + c] = colors[Math.round((level / 65535) * 255)];
      }
    }
    const canvas = offscreen(HEAT_COLUMNS, rows);
    pencil(canvas).putImageData(image, 0, 0);
    return canvas;
  }

  drawBase(palette, withDensity) {
    const g = fitCanvas(offscreen(1, 1), this.width, this.height);
    const { left, right, topEdge, bottom } = this;
    if (withDensity) {
      g.imageSmoothingQuality = "high";
      // Rows are values at points from end to end, so half a row hangs over either end.
      const half = (bottom - topEdge) / (this.rows - 1) / 2;
      g.save();
      g.beginPath();
      g.rect(left, topEdge, right - left, bottom - topEdge);
      g.clip();
      g.drawImage(this.heatMap(palette), left, topEdge - half, right - left, bottom - topEdge + 2 * half);
      g.restore();
    }
    this.drawAxes(g, palette, withDensity);
    this.drawRug(g, palette);
    return g.canvas;
  }

  drawAxes(g, palette, withDensity) {
    const { left, right, topEdge, bottom } = this;
    const edge = Math.min(left, this.rug ? this.rug.from : left);
    g.font = `${SMALL_TYPE}px ${palette.font}`;
    g.lineWidth = 1;
    align(g, "right", "middle");
    for (const x of niceTicks(this.lo, this.hi, 6)) {
      const y = Math.round(this.Y(x)) + 0.5;
      if (!withDensity) strokeSegment(g, left, y, right, y, palette.css.grid);
      if (this.marginal) strokeSegment(g, this.marginal.left, y, this.marginal.right, y, palette.css.grid);
      write(g, fixed(x, Number.isInteger(x) ? 0 : 1), edge - 7, y, palette.css.muted);
    }
    for (const t of this.timeTicks()) {
      const x = Math.round(this.X(t)) + 0.5;
      strokeSegment(g, x, bottom, x, bottom + 4, palette.css.faint);
    }
    if (!withDensity) {
      g.strokeStyle = palette.css.line;
      g.strokeRect(left + 0.5, topEdge + 0.5, right - left - 1, bottom - topEdge - 1);
    }
    this.drawNames(g, palette);
  }

  timeTicks() {
    return this.right - this.left < 260 ? [0, 0.5, 1] : [0, 0.25, 0.5, 0.75, 1];
  }

  drawNames(g, palette) {
    const { left, right, bottom } = this;
    const y = bottom + 38;
    g.font = `${SMALL_TYPE}px ${palette.font}`;
    align(g, "left", "alphabetic");
    write(g, this.reverse ? "noise" : "data", left, y, palette.css[this.reverse ? "noise-ink" : "data-ink"]);
    g.textAlign = "right";
    write(g, this.reverse ? "data" : "noise", right, y, palette.css[this.reverse ? "data-ink" : "noise-ink"]);
    g.fillStyle = palette.css.text;
    const middle = (left + right) / 2;
    g.textAlign = "left";
    g.font = `${SMALL_TYPE}px ${palette.font}`;
    const words = g.measureText("time ").width;
    const start = middle - (words + 6) / 2;
    g.fillText("time ", start, y);
    drawSymbol(g, "t", start + words, y, 16);
    g.save();
    g.translate(15, (this.topEdge + bottom) / 2);
    g.rotate(-Math.PI / 2);
    if (/^[^\s_^]+\^?(_\S+)?$/.test(this.panel.axis)) drawSymbol(g, this.panel.axis, 0, 0, 17, true);
    else {
      g.textAlign = "center";
      g.fillText(this.panel.axis, 0, 0);
    }
    g.restore();
    if (this.marginal) {
      g.fillStyle = palette.css.text;
      const at = (this.marginal.left + this.marginal.right) / 2;
      const width = drawSymbol(g, "p_t", at - 16, y, 16);
      g.font = `16px ${MATH_FONT}`;
      g.textAlign = "left";
      g.fillText("(", at - 16 + width, y);
      const bracket = g.measureText("(").width;
      const letter = drawSymbol(g, "x", at - 16 + width + bracket, y, 16);
      g.font = `16px ${MATH_FONT}`;
      g.fillText(")", at - 16 + width + bracket + letter, y);
    }
  }

  drawRug(g, palette) {
    if (!this.rug || !this.data.length) return;
    g.beginPath();
    for (const x of this.data) {
      if (x < this.lo || x > this.hi) continue;
      const y = this.Y(x);
      g.moveTo(this.rug.from, y);
      g.lineTo(this.rug.to, y);
    }
    strokePath(g, css(palette.rgb.data, this.data.length > 120 ? 0.35 : 0.7), 1);
  }

  tracePath(g, item, from = 0, to = this.run.frames - 1) {
    const { t } = this.run.clock;
    const first = Math.ceil(from);
    const last = Math.floor(to);
    g.moveTo(this.X(sampleAt(t, from)), this.Y(this.value(item, from)));
    for (let k = first; k <= last; k++) g.lineTo(this.X(t[k]), this.Y(this.value(item, k)));
    g.lineTo(this.X(sampleAt(t, to)), this.Y(this.value(item, to)));
  }

  // All paths from end to end; a frame shows the part before it in full and the rest faintly.
  drawPaths(palette, onDensity) {
    const g = fitCanvas(offscreen(1, 1), this.width, this.height);
    g.lineJoin = "round";
    const strokes = onDensity
      ? [{ width: 2.4, color: "rgba(0,10,30,0.25)" }, { width: 1.05, color: "rgba(255,255,255,0.8)" }]
      : [{ width: 1.2, color: css(palette.rgb.text, 0.5) }];
    for (const { width, color } of strokes) {
      g.beginPath();
      for (const item of this.chosen) this.tracePath(g, item);
      strokePath(g, color, width);
    }
    return g.canvas;
  }

  prepare(palette, layers) {
    const withDensity = Boolean(layers.density);
    const key = `${palette.key}:${withDensity}:${pixelRatio()}`;
    if (this.base && this.key === key) return;
    this.key = key;
    this.base = this.drawBase(palette, withDensity);
    this.paths = this.drawPaths(palette, withDensity);
  }

  // Drawn for every frame -------------------------------------------------------------------------

  draw(frame, state) {
    if (!this.width) return;
    const { palette, layers } = state;
    this.prepare(palette, layers);
    this.frame = frame;
    const g = this.context;
    const t = sampleAt(this.run.clock.t, frame);
    const x = this.X(t);
    const ratio = pixelRatio();
    g.clearRect(0, 0, this.width, this.height);
    g.drawImage(this.base, 0, 0, this.canvas.width / ratio, this.canvas.height / ratio);
    g.save();
    g.beginPath();
    g.rect(this.left, this.topEdge, this.right - this.left, this.bottom - this.topEdge);
    g.clip();
    if (layers.paths) this.showPaths(g, x, ratio, layers.density);
    this.drawNow(g, x, palette, layers.density);
    g.restore();
    if (layers.points) this.drawPoints(g, frame, x, palette, layers.density);
    if (layers.x_0 && this.x_0) this.drawPredicted(g, frame, palette);
    if (state.follow !== null && state.follow < this.count) this.drawFollowed(g, frame, x, state);
    this.drawTime(g, t, x, palette);
    if (this.marginal) this.drawMarginal(g, frame, t, state);
  }

  showPaths(g, x, ratio, onDensity) {
    const cut = clamp(x, this.left, this.right);
    for (const [from, to, alpha] of [[this.left, cut, 1], [cut, this.right, onDensity ? 0.22 : 0.3]]) {
      const width = to - from;
      if (width <= 0) continue;
      g.globalAlpha = alpha;
      g.drawImage(this.paths, from * ratio, 0, width * ratio, this.height * ratio, from, 0, width, this.height);
    }
    g.globalAlpha = 1;
  }

  drawNow(g, x, palette, onDensity) {
    if (onDensity) strokeSegment(g, x, this.topEdge, x, this.bottom, "rgba(0,10,30,0.45)", 3.5);
    strokeSegment(g, x, this.topEdge, x, this.bottom, onDensity ? "#ffffff" : palette.css.text, 1.5);
  }

  drawPoints(g, frame, x, palette, onDensity) {
    g.beginPath();
    for (const item of this.chosen) {
      const y = this.Y(this.value(item, frame));
      if (y < this.topEdge || y > this.bottom) continue;
      g.moveTo(x + 3.5, y);
      g.arc(x, y, 3.5, 0, 2 * Math.PI);
    }
    if (onDensity) fillAndStroke(g, "#ffffff", "rgba(0,10,30,0.85)", 1.2);
    else fillAndStroke(g, palette.css.text, palette.css.background, 1.2);
  }

  // Where each point is predicted to end: diamonds at the end where t = 0.
  drawPredicted(g, frame, palette) {
    const x = (this.rug.from + this.rug.to) / 2;
    g.beginPath();
    for (const item of this.chosen) traceDiamond(g, x, this.clampedY(this.predicted(item, frame)), 4.5);
    fillAndStroke(g, css(palette.badge(this.panel.badge), 0.55), palette.css.background, 1.2);
  }

  clampedY(x) {
    return clamp(this.Y(x), this.topEdge, this.bottom);
  }

  drawFollowed(g, frame, x, state) {
    const { palette, layers } = state;
    const item = state.follow;
    g.save();
    g.beginPath();
    g.rect(this.left - RUG, this.topEdge - 8, this.right - this.left + 2 * RUG, this.bottom - this.topEdge + 16);
    g.clip();
    g.lineJoin = "round";
    g.lineCap = "round";
    const halo = layers.density ? "rgba(255,255,255,0.9)" : palette.css.background;
    const parts = [[frame, this.run.frames - 1, [1, 5], 0.75], [0, frame, [], 1]];
    for (const [from, to, dash, alpha] of parts) {
      g.beginPath();
      this.tracePath(g, item, from, to);
      g.globalAlpha = alpha;
      if (!dash.length) {
        strokePath(g, halo, 5.5);
      } else if (layers.density) {
        g.globalAlpha = 0.5;
        strokePath(g, halo, 4.5, dash);
      }
      g.globalAlpha = alpha;
      strokePath(g, palette.css.path, 3, dash);
    }
    g.globalAlpha = 1;
    const y = this.clampedY(this.value(item, frame));
    if (layers.x_0 && this.x_0) this.drawGuess(g, item, frame, x, y, palette, halo);
    drawDisc(g, x, y, 6.5, palette.css.path, "#ffffff");
    g.restore();
  }

  // From the followed point to its predicted end.
  drawGuess(g, item, frame, x, y, palette, halo) {
    const end = { x: (this.rug.from + this.rug.to) / 2, y: this.clampedY(this.predicted(item, frame)) };
    const color = css(palette.badge(this.panel.badge));
    strokeSegment(g, x, y, end.x, end.y, halo, 4, [6, 5]);
    strokeSegment(g, x, y, end.x, end.y, color, 2, [6, 5]);
    g.beginPath();
    traceDiamond(g, end.x, end.y, 7);
    fillAndStroke(g, color, halo, 1.5);
  }

  // The time of this frame below the axis, and the axis's own numbers where it leaves room.
  drawTime(g, t, x, palette) {
    const y = this.bottom + 8;
    g.font = `600 ${SMALL_TYPE}px ${palette.font}`;
    const half = g.measureText("t = 0.00").width / 2;
    const middle = clamp(x, this.left + half - 10, this.right - half + 10);
    g.beginPath();
    g.moveTo(x, this.bottom + 1);
    g.lineTo(x - 4, this.bottom + 6);
    g.lineTo(x + 4, this.bottom + 6);
    g.closePath();
    g.fillStyle = palette.css.text;
    g.fill();
    align(g, "left", "top");
    g.fillText(`t = ${fixed(t, 2)}`, middle - half, y);
    g.font = `${SMALL_TYPE}px ${palette.font}`;
    g.textAlign = "center";
    g.fillStyle = palette.css.muted;
    for (const tick of this.timeTicks()) {
      if (Math.abs(this.X(tick) - middle) > half + 20) g.fillText(String(tick), this.X(tick), y);
    }
  }

  // The samples of this frame as bars and the density of this time as a curve, x upwards as in the
  // heat map.
  drawMarginal(g, frame, t, state) {
    const { palette } = state;
    const { left, right } = this.marginal;
    const reach = (density) => left + Math.min(density / this.top, 1) * (right - left);
    const step = (this.hi - this.lo) / MARGINAL_BARS;
    const counts = this.countSamples(frame);
    g.fillStyle = css(palette.rgb.text, palette.dark ? 0.3 : 0.22);
    for (let b = 0; b < MARGINAL_BARS; b++) {
      const density = counts[b] / (this.count * step);
      const y = this.Y(this.lo + (b + 1) * step);
      g.fillRect(left, y + 0.5, reach(density) - left, this.Y(this.lo + b * step) - y - 1);
    }
    const { low, high, share } = this.columnAt(t);
    g.beginPath();
    for (let r = 0; r < this.rows; r++) {
      const a = (this.profiles.data[low * this.rows + r] / 65535) * this.peaks[low];
      const b = (this.profiles.data[high * this.rows + r] / 65535) * this.peaks[high];
      const y = this.Y(this.lo + (r / (this.rows - 1)) * (this.hi - this.lo));
      if (r) g.lineTo(reach(a + (b - a) * share), y);
      else g.moveTo(reach(a + (b - a) * share), y);
    }
    g.lineWidth = 2;
    g.lineJoin = "round";
    g.strokeStyle = palette.css.exact;
    g.stroke();
    strokeSegment(g, left, this.topEdge, left, this.bottom, palette.css.faint);
    if (state.follow !== null && state.follow < this.count) {
      const y = this.clampedY(this.value(state.follow, frame));
      strokeSegment(g, left, y, right, y, palette.css.path, 2);
    }
  }

  countSamples(frame) {
    const counts = new Float64Array(MARGINAL_BARS);
    const step = (this.hi - this.lo) / MARGINAL_BARS;
    for (let item = 0; item < this.count; item++) {
      const b = Math.floor((this.value(item, frame) - this.lo) / step);
      if (b >= 0 && b < MARGINAL_BARS) counts[b] += 1;
    }
    return counts;
  }

  // The path nearest to the pointer, at the pointer's own time.
  pick(event) {
    if (!this.width) return null;
    const { x, y } = pointIn(this.canvas, event);
    if (x < this.left - 8 || x > this.right + 8 || y < this.topEdge || y > this.bottom) return null;
    const frame = this.frameAtX(clamp(x, this.left, this.right));
    const nowNear = Math.abs(x - this.X(sampleAt(this.run.clock.t, this.frame))) < PICK_RADIUS;
    let best = null;
    let distance = PICK_RADIUS;
    for (const item of this.chosen) {
      const away = Math.abs(this.Y(this.value(item, nowNear ? this.frame : frame)) - y);
      if (away < distance) [best, distance] = [item, away];
    }
    return best;
  }

  frameAtX(x) {
    const u = (x - this.left) / (this.right - this.left);
    const { t } = this.run.clock;
    const along = (k) => (this.reverse ? 1 - t[k] : t[k]);
    const last = this.run.frames - 1;
    for (let k = 1; k <= last; k++) {
      if (along(k) >= u) return k - 1 + clamp((u - along(k - 1)) / (along(k) - along(k - 1) || 1), 0, 1);
    }
    return last;
  }
}

