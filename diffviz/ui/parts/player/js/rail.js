// The rail beside the panels (histogram, numbers, distance) and the line "This step".  Everything
// here is worked out from the run in the browser, so that it follows the dragging hand.

import {
  align, fitCanvas, offscreen, pixelRatio, strokePath, strokeSegment, traceLine, write,
} from "../../shared/canvas.js";
import { css, mixColors } from "../../shared/color.js";
import { el, setText } from "../../shared/dom.js";
import { clamp, compact, fixed, niceTicks, powerOfTen } from "../../shared/numbers.js";
import { Card } from "./cards.js";
import { TimeAxis, logSnr, noiseShare, sampleAt } from "./clock.js";
import { NOISE_RANGE, Picture, PixelSource, THUMB_PIXELS } from "./images.js";
import { LevelsCard } from "./levels.js";
import { drawDisc, drawWords } from "./marks.js";
import { SMALL_TYPE } from "./palette.js";
import { symbolNode } from "./symbols.js";

// The histogram's fixed axis ends between these multiples of the reference's peak.
const HISTOGRAM_TOP = [1.3, 2];
const HISTOGRAM_PROBES = [6, 24];
const HISTOGRAM_PROBE_VALUES = 1e6;
// Pixels counted for one frame's histogram; of more images than that, the first ones.
const PIXELS_COUNTED = 4e5;
const LOG_DECADES = 2;

// What a panel's x_t is made of -------------------------------------------------------------------

// Reads one coordinate (or all pixels) of a panel's x_t, as drawn, at whole frames.
export class Samples {
  constructor(run, panel) {
    this.panel = panel;
    this.pixels = panel.kind === "images" || panel.kind === "mix" ? PixelSource.of(run, panel) : null;
    this.x_t = this.pixels ? null : run.role(panel, "x_t");
    this.dims = this.pixels ? 1 : panel.kind === "points" ? 2 : 1;
    this.names = this.dims === 2 ? ["x_1", "x_2"] : [];
    this.buffer = this.pixels ? new Float32Array(this.pixels.length) : null;
    this.items = this.pixels
      ? Math.min(panel.count, Math.max(1, Math.floor(PIXELS_COUNTED / this.pixels.length)))
      : panel.count;
  }

  // How many values a frame has.
  get size() {
    return this.items * (this.pixels ? this.pixels.length : 1);
  }

  get words() {
    const many = this.items.toLocaleString("en-GB");
    if (this.pixels) return this.items === 1 ? "Pixel values" : `Pixel values of ${many} images`;
    return this.dims === 2 ? `of ${many} points` : `${many} samples of x`;
  }

  // counts[b]: how many values fall in [low + b step, low + (b + 1) step); the last bar includes
  // its upper end.  `total` counts the values outside, too.
  histogram(frame, coordinate, limits, bins) {
    const counts = new Float64Array(bins);
    const [low, high] = limits;
    const gain = bins / (high - low);
    const put = (x) => {
      const b = Math.floor((x - low) * gain);
      if (b >= 0 && b < bins) counts[b] += 1;
      else if (x === high) counts[bins - 1] += 1;
    };
    if (this.pixels) {
      for (let item = 0; item < this.items; item++) {
        this.pixels.fill("x_t", frame, item, this.buffer);
        for (let i = 0; i < this.buffer.length; i++) put(this.buffer[i]);
      }
      return { counts, total: this.size };
    }
    const { x_t, dims } = this;
    const { count } = this.panel;
    const start = frame * count * dims + coordinate;
    for (let i = 0; i < count; i++) put(x_t.value(start + i * dims));
    return { counts, total: count };
  }
}

// Cards -------------------------------------------------------------------------------------------

class HistogramCard extends Card {
  constructor(entry, run, player) {
    super("histogram", "", "");
    this.player = player;
    this.take(entry, run);
    this.coordinate = this.within(player && player.coordinate !== null ? player.coordinate : entry.coordinate);
    if (this.samples.names.length) this.head.prepend(this.makeToggle());
    const counts = (frame) => Array.from(this.at(frame).counts);
    Object.assign(this.node, { __diffviz: { counts, card: this } });
  }

  // Show another run; its axis stays while a hand holds a knob.
  take(entry, run) {
    const samples = new Samples(run, run.panels[entry.panel]);
    if (this.samples && samples.dims !== this.samples.dims) return false;
    const label = entry.label || samples.words;
    setText(this.title, label);
    this.canvas.setAttribute("aria-label",
      `Histogram: ${label}, at the frame shown, against a normal distribution`);
    this.samples = samples;
    this.entry = entry;
    this.run = run;
    this.panel = run.panels[entry.panel];
    this.known = new Map();
    this.std = run.array(entry.std).data;
    if (!this.player || !this.player.few) this.top = null;
    return true;
  }

  makeToggle() {
    this.toggles = this.samples.names.map((name, k) => el("button", { class: "dvz-segment", type: "button",
      "aria-pressed": String(k === this.coordinate),
      onclick: () => {
        this.choose(k);
        this.player.setCoordinate(k);
      } }, symbolNode(name)));
    return el("div", { class: "dvz-segments", role: "group", "aria-label": "Coordinate" }, ...this.toggles);
  }

  within(coordinate) {
    return clamp(coordinate, 0, this.samples.dims - 1);
  }

  choose(coordinate) {
    this.coordinate = this.within(coordinate);
    for (const [k, b] of (this.toggles || []).entries()) b.setAttribute("aria-pressed", String(k === this.coordinate));
    this.known.clear();
    this.top = null;
    if (this.state) this.draw(this.frame, this.state);
  }

  // The histogram of a whole frame; the last few are kept.
  at(frame) {
    if (!this.known.has(frame)) {
      if (this.known.size > 8) this.known.delete(this.known.keys().next().value);
      const { limits, bins } = this.entry;
      this.known.set(frame, this.samples.histogram(frame, this.coordinate, limits, bins));
    }
    return this.known.get(frame);
  }

  stdAt(frame) {
    return sampleAt(this.std, this.std.length === 1 ? 0 : frame);
  }

  // Top of the fixed axis: high enough for nearly all frames, low enough for the reference to be
  // seen.
  axisTop() {
    if (this.top) return this.top;
    const { limits, bins } = this.entry;
    const step = (limits[1] - limits[0]) / bins;
    const affordable = clamp(Math.round(HISTOGRAM_PROBE_VALUES / this.samples.size), ...HISTOGRAM_PROBES);
    const probes = Math.min(this.run.frames, affordable);
    let highest = 0;
    for (let p = 0; p < probes; p++) {
      const frame = probes > 1 ? Math.round((p * (this.run.frames - 1)) / (probes - 1)) : 0;
      const { counts, total } = this.samples.histogram(frame, this.coordinate, limits, bins);
      highest = Math.max(highest, Math.max(...counts) / (total * step));
    }
    const peak = 1 / (Math.min(...this.std) * Math.sqrt(2 * Math.PI));
    this.top = clamp(1.08 * highest, HISTOGRAM_TOP[0] * peak, HISTOGRAM_TOP[1] * peak);
    return this.top;
  }

  draw(frame, state) {
    this.frame = frame;
    this.state = state;
    if (!this.ready) return;
    const { g, width, height } = this;
    const { palette } = state;
    const [low, high] = this.entry.limits;
    const area = { left: 8, right: width - 8, top: 20, bottom: height - 22 };
    const X = (x) => area.left + ((x - low) / (high - low)) * (area.right - area.left);
    const top = this.axisTop();
    const Y = (d) => area.bottom - (Math.min(d, top) / top) * (area.bottom - area.top);
    g.clearRect(0, 0, width, height);
    this.drawAxis(g, area, X, palette);
    const tallest = this.drawBars(g, frame, X, Y, palette);
    this.drawReference(g, frame, X, Y, area, palette);
    if (tallest.density > top) {
      align(g, clamp(X(tallest.x), area.left + 18, area.right - 18) === X(tallest.x) ? "center" : X(tallest.x) < width / 2 ? "left" : "right", "bottom");
      g.font = `${SMALL_TYPE}px ${palette.font}`;
      g.fillStyle = palette.css.text;
      const at = g.textAlign === "center" ? X(tallest.x) : g.textAlign === "left" ? area.left : area.right;
      g.fillText(`↑ ${compact(tallest.density, 2)}`, at, area.top - 3);
    }
  }

  drawAxis(g, area, X, palette) {
    const [low, high] = this.entry.limits;
    g.font = `${SMALL_TYPE}px ${palette.font}`;
    align(g, "center", "top");
    for (const x of niceTicks(low, high, 5)) {
      const at = Math.round(X(x)) + 0.5;
      strokeSegment(g, at, area.top, at, area.bottom + 3, palette.css.grid);
      write(g, fixed(x, Number.isInteger(x) ? 0 : 1), clamp(at, 10, this.width - 12), area.bottom + 6, palette.css.muted);
    }
    strokeSegment(g, area.left, area.bottom + 0.5, area.right, area.bottom + 0.5, palette.css.faint);
  }

  // Bars of the frame; between two frames their heights go over from one to the other.
  drawBars(g, frame, X, Y, palette) {
    const { limits, bins } = this.entry;
    const step = (limits[1] - limits[0]) / bins;
    const first = Math.floor(frame);
    const share = frame - first;
    const a = this.at(first);
    const b = share > 0 ? this.at(Math.min(first + 1, this.run.frames - 1)) : a;
    const tallest = { density: 0, x: 0 };
    g.fillStyle = css(this.color(frame, palette), 0.82);
    const ratio = pixelRatio();
    const snap = (x) => Math.round(x * ratio) / ratio;
    for (let k = 0; k < bins; k++) {
      const density = (a.counts[k] + (b.counts[k] - a.counts[k]) * share) / (a.total * step);
      if (density <= 0) continue;
      const left = snap(X(limits[0] + k * step));
      const right = snap(X(limits[0] + (k + 1) * step));
      const y = Y(density);
      g.fillRect(left, y, Math.max(right - left - 1, 1), Y(0) - y);
      if (density > tallest.density) Object.assign(tallest, { density, x: limits[0] + (k + 0.5) * step });
    }
    return tallest;
  }

  // As the points themselves: the data's colour fading to the noise's.
  color(frame, palette) {
    const { alpha, sigma } = this.run.clock;
    const noise = noiseShare(sampleAt(alpha, frame), sampleAt(sigma, frame));
    return mixColors(palette.badge(this.panel.badge), palette.rgb.noise, noise);
  }

  drawReference(g, frame, X, Y, area, palette) {
    const std = this.stdAt(frame);
    const [low, high] = this.entry.limits;
    const density = (x) => Math.exp(-0.5 * (x / std) ** 2) / (std * Math.sqrt(2 * Math.PI));
    const places = Array.from({ length: 121 }, (_, k) => low + (k / 120) * (high - low));
    g.lineJoin = "round";
    g.beginPath();
    traceLine(g, places.map((x) => [X(x), Y(density(x))]));
    strokePath(g, css(palette.rgb.background, 0.75), 4.5);
    strokePath(g, css(mixColors(palette.rgb.noise, palette.rgb.text, 0.45)), 2, [6, 4]);
    const name = Math.abs(std - 1) < 5e-3 ? "N(0, 1)" : `N(0, ${compact(std, 3)}²)`;
    const x = Math.min(1.15 * std, high);
    g.font = `${SMALL_TYPE}px ${palette.font}`;
    const width = g.measureText(name).width;
    const at = Math.min(X(x) + 8, area.right - width);
    align(g, "left", "bottom");
    drawWords(g, name, at, Y(density(x)) - 6, palette.css.muted, palette.css.background);
  }
}

// The numbers of the frame, and how its variance is shared between signal and noise.
class NumbersCard {
  constructor(rail, run) {
    this.take(rail, run);
    this.rows = new Map();
    this.table = el("dl", { class: "dvz-numbers" });
    this.addRow("t", symbolNode("t"), "time", "Time: 0 is data, 1 is pure noise");
    this.addRow("alpha", symbolNode("alpha"), "signal kept", "What the data is multiplied by");
    this.addRow("sigma", symbolNode("sigma"), "noise added", "Standard deviation of the noise in x_t");
    this.addRow("snr", el("span", { class: "dvz-symbol dvz-upright" }, "SNR"), "signal / noise",
      "Signal-to-noise ratio alpha² / sigma², and in decibels");
    this.addRow("lambda", symbolNode("lambda"), "log-SNR", "Natural logarithm of the signal-to-noise ratio");
    if (this.beta) this.addRow("beta", symbolNode("beta_k"), "noise this step", "Variance of the noise that this one noising adds");
    if (run.clock.evaluations) {
      this.addRow("evaluations", el("span", { class: "dvz-symbol dvz-upright" }, "NFE"), "denoiser calls",
        "Number of function evaluations: how often the denoiser has been asked so far");
    }
    this.signal = el("span", { class: "dvz-gauge-signal" });
    this.signalText = el("span", { class: "dvz-gauge-words dvz-of-data" });
    this.noiseText = el("span", { class: "dvz-gauge-words dvz-of-noise" });
    this.gauge = el("div", { class: "dvz-gauge", title: "Shares of the variance of x_t: alpha² and sigma² over their sum, for data of unit variance" },
      el("div", { class: "dvz-gauge-bar" }, this.signal),
      el("div", { class: "dvz-gauge-legend" }, this.signalText, this.noiseText));
    this.node = el("section", { class: "dvz-card dvz-card-numbers" }, this.table, this.gauge);
  }

  // Show another run; false where it has other numbers.
  take(rail, run) {
    const beta = rail.beta ? run.array(rail.beta).data : null;
    const same = !this.run || (Boolean(this.beta) === Boolean(beta)
      && Boolean(this.run.clock.evaluations) === Boolean(run.clock.evaluations));
    this.run = run;
    this.beta = beta;
    this.frame = null;
    return same;
  }

  addRow(key, symbol, words, title) {
    const value = el("span", { class: "dvz-value" });
    const extra = key === "snr" ? el("span", { class: "dvz-extra" }) : null;
    this.table.append(el("div", { class: "dvz-row", title },
      el("dt", {}, symbol, el("span", { class: "dvz-words" }, words)), el("dd", {}, extra, value)));
    this.rows.set(key, { value, extra });
  }

  set(key, text, extra = null) {
    const row = this.rows.get(key);
    setText(row.value, text);
    if (extra !== null) setText(row.extra, extra);
  }

  resize() {}

  draw(frame) {
    const k = Math.round(frame);
    const { t, alpha, sigma, evaluations } = this.run.clock;
    const noise = noiseShare(sampleAt(alpha, frame), sampleAt(sigma, frame));
    this.signal.style.width = `${100 * (1 - noise)}%`;
    if (this.frame === k) return;
    this.frame = k;
    const snr = sigma[k] === 0 ? Infinity : (alpha[k] / sigma[k]) ** 2;
    const digits = (x) => (x >= 100 ? 1 : x >= 10 ? 2 : 3);
    this.set("t", fixed(t[k], 3));
    this.set("alpha", fixed(alpha[k], 3));
    this.set("sigma", fixed(sigma[k], digits(sigma[k])));
    this.set("snr", compact(snr, 3), `${fixed(10 * Math.log10(snr), 1)} dB`);
    this.set("lambda", fixed(logSnr(alpha[k], sigma[k]), 2));
    if (this.beta) this.set("beta", compact(this.beta[k], 3));
    if (evaluations) this.set("evaluations", String(Math.round(evaluations[k])));
    const share = Math.round(100 * (1 - noiseShare(alpha[k], sigma[k])));
    setText(this.signalText, `signal ${share} %`);
    setText(this.noiseText, `noise ${100 - share} %`);
  }
}

// A number for every frame, its axis the scrubber's.
class DistanceCard extends Card {
  constructor(entry, run) {
    super("distance", entry.label, `${entry.label} along the run`);
    this.now = el("span", { class: "dvz-card-value" });
    this.head.append(this.now);
    this.take(entry, run);
  }

  take(entry, run) {
    this.entry = entry;
    this.run = run;
    this.base = null;
    this.values = run.array(entry.values).data;
    this.axis = new TimeAxis(run.clock);
    this.setRange();
    return true;
  }

  setRange() {
    const all = Array.from(this.values).concat(this.entry.floor === null ? [] : [this.entry.floor]);
    const positive = all.filter((v) => v > 0);
    const [least, most] = [Math.min(...positive), Math.max(...positive)];
    this.log = positive.length === all.length && most / least > 10 ** LOG_DECADES;
    const low = Math.min(...all, 0);
    const high = Math.max(...all, low + 1e-9);
    this.low = this.log ? Math.log10(least) - 0.15 : low;
    this.high = this.log ? Math.log10(most) + 0.15 : high + 0.06 * (high - low);
  }

  Y(value) {
    const level = this.log ? Math.log10(Math.max(value, 1e-30)) : value;
    const share = (level - this.low) / (this.high - this.low);
    return this.area.bottom - clamp(share, 0, 1) * (this.area.bottom - this.area.top);
  }

  X(u) {
    return this.area.left + u * (this.area.right - this.area.left);
  }

  /** @returns {[number, string][]} each value with its text */
  ticks() {
    if (!this.log) return niceTicks(this.low, this.high, 4).map((v) => [v, fixed(v, v !== 0 && Math.abs(v) < 1 ? (this.high < 0.1 ? 3 : 2) : Number.isInteger(v) ? 0 : 1)]);
    /** @type {[number, string][]} */
    const ticks = [];
    const [first, last] = [Math.ceil(this.low), Math.floor(this.high)];
    const stride = Math.max(1, Math.ceil((last - first) / 3));
    for (let p = first; p <= last; p += stride) ticks.push([10 ** p, powerOfTen(p)]);
    return ticks;
  }

  // Axis, floor and the whole curve, faint.
  drawBase(palette) {
    const { width, height } = this;
    const g = fitCanvas(offscreen(1, 1), width, height);
    g.font = `${SMALL_TYPE}px ${palette.font}`;
    const ticks = this.ticks();
    const gutter = Math.max(...ticks.map(([, text]) => g.measureText(text).width), 12);
    this.area = { left: gutter + 10, right: width - 9, top: 9, bottom: height - 20 };
    align(g, "right", "middle");
    for (const [value, text] of ticks) {
      const y = Math.round(this.Y(value)) + 0.5;
      strokeSegment(g, this.area.left, y, this.area.right, y, palette.css.grid);
      write(g, text, this.area.left - 6, y, palette.css.muted);
    }
    g.textBaseline = "alphabetic";
    g.fillStyle = palette.css.muted;
    g.textAlign = "left";
    g.fillText(this.run.clock.start, this.area.left, height - 5);
    g.textAlign = "right";
    g.fillText(this.run.clock.end, this.area.right, height - 5);
    if (this.log) {
      g.textAlign = "center";
      g.fillText("log axis", (this.area.left + this.area.right) / 2, height - 5);
    }
    this.drawFloor(g, palette);
    this.trace(g);
    g.lineWidth = 1.5;
    g.lineJoin = "round";
    g.strokeStyle = css(palette.rgb.text, 0.3);
    g.stroke();
    return g.canvas;
  }

  drawFloor(g, palette) {
    const { floor, floor_label: label } = this.entry;
    if (floor === null) return;
    const y = this.Y(floor);
    strokeSegment(g, this.area.left, y, this.area.right, y, palette.css.exact, 1.5, [5, 4]);
    if (!label) return;
    // At the end where the curve is farther away.
    const onLeft = Math.abs(this.Y(this.values[0]) - y) >= Math.abs(this.Y(this.values[this.values.length - 1]) - y);
    align(g, onLeft ? "left" : "right", y - this.area.top > 18 ? "bottom" : "top");
    const x = onLeft ? this.area.left + 4 : this.area.right - 4;
    const at = y + (g.textBaseline === "bottom" ? -3 : 3);
    drawWords(g, label, x, at, palette.css["exact-ink"], palette.css.background);
  }

  trace(g, to = this.run.frames - 1) {
    g.beginPath();
    g.moveTo(this.X(this.axis.position(0)), this.Y(this.values[0]));
    for (let k = 1; k <= Math.floor(to); k++) g.lineTo(this.X(this.axis.position(k)), this.Y(this.values[k]));
    g.lineTo(this.X(this.axis.position(to)), this.between(to));
  }

  // Height of the curve between two frames, straight on the screen.
  between(frame) {
    const k = Math.floor(frame);
    const a = this.Y(this.values[k]);
    return a + (this.Y(this.values[Math.min(k + 1, this.values.length - 1)]) - a) * (frame - k);
  }

  draw(frame, state) {
    setText(this.now, compact(this.values[Math.round(frame)], 3));
    if (!this.ready) return;
    const { palette } = state;
    const g = this.paintBase(palette);
    this.trace(g, frame);
    g.lineWidth = 2;
    g.lineJoin = "round";
    g.strokeStyle = palette.css.primary;
    g.stroke();
    drawDisc(g, this.X(this.axis.position(frame)), this.between(frame), 5, palette.css.primary, palette.css.background);
  }
}

// The rail ----------------------------------------------------------------------------------------

// The cards of a rail, from top to bottom: what makes each, and of what.
function cardsOf(rail) {
  return [
    ...(rail.histogram ? [{ Kind: HistogramCard, entry: rail.histogram }] : []),
    ...(rail.numbers ? [{ Kind: NumbersCard, entry: rail }] : []),
    ...(rail.levels || []).map((entry) => ({ Kind: LevelsCard, entry })),
    ...(rail.distance ? [{ Kind: DistanceCard, entry: rail.distance }] : []),
    ...(rail.curves || []).map((entry) => ({ Kind: DistanceCard, entry })),
  ];
}

export class RailView {
  constructor(host, rail, run, player) {
    this.host = host;
    this.player = player;
    this.cards = cardsOf(rail).map(({ Kind, entry }) => new Kind(entry, run, player));
    host.hidden = this.cards.length === 0;
    this.root = el("div", { class: "dvz-cards" }, ...this.cards.map((card) => card.node));
    host.append(this.root);
  }

  // Show another run in the same cards; what is not measured while a hand holds a knob leaves its
  // place empty.  False where the run takes other cards.
  take(rail, run) {
    const wanted = cardsOf(rail);
    if (!this.player.few && wanted.length !== this.cards.length) return false;
    for (const card of this.cards) {
      const same = wanted.length && card instanceof wanted[0].Kind;
      if (!same && !this.player.few) return false;
      card.node.style.visibility = same ? "" : "hidden";
      if (same && !card.take(wanted.shift().entry, run)) return false;
    }
    return wanted.length === 0;
  }

  // Show the distribution of another coordinate.
  choose(coordinate) {
    for (const card of this.cards) if (card instanceof HistogramCard) card.choose(coordinate);
  }

  resize() {
    for (const card of this.cards) card.resize();
  }

  draw(frame, state) {
    for (const card of this.cards) if (card.node.style.visibility !== "hidden") card.draw(frame, state);
  }

  dispose() {
    this.root.remove();
  }
}

// This step ---------------------------------------------------------------------------------------

// The quantities of one item, as lists of coordinates in the run's own units.
export class StepValues {
  constructor(run, panel, step) {
    this.run = run;
    this.step = step;
    this.shift = step.steps === run.frames ? 0 : 1;
    this.dims = panel.kind === "points" ? 2 : 1;
    this.x_t = run.role(panel, "x_t");
    this.x_0 = run.role(panel, "x_0");
    this.scale = run.role(panel, "scale");
    this.start = run.role(panel, "start");
    this.noise = run.role(panel, "noise");
    this.fresh = panel.walk;
  }

  read(array, frame, item, dims = this.dims) {
    const row = array.shape[0] === 1 ? 0 : frame;
    const count = array.shape[1];
    return Array.from({ length: dims }, (_, d) => array.value((row * count + item) * dims + d));
  }

  current(frame, item) {
    const scale = this.scale ? this.scale.data[frame] : 1;
    return this.read(this.x_t, frame, item).map((x) => x / scale);
  }

  left(k, item) {
    return this.current(k + this.shift, item);
  }

  // What a cell shows: "(", x, ", ", y, ")" with slots of fixed width for the numbers.
  fill(cell) {
    const { dims } = this;
    const node = el("span", { class: "dvz-vector" });
    cell.parts = Array.from({ length: dims }, () => el("span", { class: "dvz-slot" }));
    if (dims === 1) node.append(cell.parts[0]);
    else cell.parts.forEach((part, d) => node.append(d ? ", " : "(", part, d === dims - 1 ? ")" : ""));
    return node;
  }

  show({ term, parts }, k, item) {
    const values = item === null ? null : term ? this.of(term, k, item) : this.left(k, item);
    parts.forEach((part, d) => setText(part, values ? fixed(values[d], 2) : "–"));
  }

  // The quantity of one term at a step, or null where it is not known.
  of(term, k, item) {
    if (term.values) {
      const array = this.run.array(term.values);
      return item < array.shape[1] ? this.read(array, k, item, array.shape[2]) : null;
    }
    if (term.role === "x_t") return this.current(k, item);
    if (term.role === "start") return this.read(this.start, 0, item);
    if (term.role === "noise") return this.read(this.noise, this.fresh ? k : 0, item);
    if (term.role === "x_0") return this.x_0 ? this.read(this.x_0, k, item) : null;
    if (term.role === "eps") return this.eps(k, item);
    return term.role === "z" ? this.remainder(term, k, item) : null;
  }

  eps(k, item) {
    const { alpha, sigma } = this.run.clock;
    if (!this.x_0 || sigma[k] < 1e-4) return null;
    const x_0 = this.read(this.x_0, k, item);
    return this.current(k, item).map((x, d) => (x - alpha[k] * x_0[d]) / sigma[k]);
  }

  // The noise the sampler injected: what the other terms leave over.
  remainder(term, k, item) {
    const own = this.run.array(term.coefficients).data[k];
    if (Math.abs(own) < 1e-4) return null;
    let rest = this.left(k, item);
    for (const other of this.step.terms) {
      if (other === term) continue;
      const coefficient = this.run.array(other.coefficients).data[k];
      if (coefficient === 0) continue;
      const value = this.of(other, k, item);
      if (!value) return null;
      rest = rest.map((x, d) => x - coefficient * value[d]);
    }
    return rest.map((x) => x / own);
  }
}

// The same for images: pictures in place of numbers.
class StepPictures {
  constructor(run, panel, step) {
    this.run = run;
    this.step = step;
    this.shift = step.steps === run.frames ? 0 : 1;
    this.source = PixelSource.of(run, panel);
    const [, height, width] = this.source.size;
    this.stride = Math.max(1, Math.ceil(Math.max(height, width) / THUMB_PIXELS));
  }

  fill(cell) {
    cell.picture = new Picture(this.source, this.stride);
    cell.picture.canvas.setAttribute("aria-hidden", "true");
    return cell.picture.canvas;
  }

  coefficient(term, k) {
    return this.run.array(term.coefficients).data[k];
  }

  show({ node, picture, term }, k, item) {
    node.classList.toggle("dvz-unknown", !this.paint(picture, term, k, item));
  }

  // Shows a term's picture (or, without one, what the step gives); false where it is not known.
  paint(picture, term, k, item) {
    if (!term) picture.show("x_t", k + this.shift, item);
    else if (term.role && this.source.has(term.role)) picture.show(term.role, k, item);
    else if (term.role === "z" && this.hasRemainder(term, k)) {
      picture.showValues(`z:${item}:${k}`, NOISE_RANGE, () => this.remainder(term, k, item));
    } else return false;
    return true;
  }

  hasRemainder(term, k) {
    const known = (other) => other === term || this.coefficient(other, k) === 0 || (other.role && this.source.has(other.role));
    return Math.abs(this.coefficient(term, k)) > 1e-2 && this.step.terms.every(known);
  }

  // The noise the sampler injected: what the other terms leave over.
  remainder(term, k, item) {
    const rest = this.source.fill("x_t", k + this.shift, item, new Float32Array(this.source.length));
    const part = new Float32Array(rest.length);
    const scale = this.source.scaleAt(k + this.shift);
    rest.forEach((x, i) => { rest[i] = x / scale; });
    for (const other of this.step.terms) {
      const a = this.coefficient(other, k);
      if (other === term || a === 0) continue;
      this.source.fill(other.role, k, item, part);
      const unit = other.role === "x_t" ? this.source.scaleAt(k) : 1;
      for (let i = 0; i < rest.length; i++) rest[i] -= (a * part[i]) / unit;
    }
    const own = this.coefficient(term, k);
    return rest.map((x) => x / own);
  }
}

export class StepLine {
  constructor(host, rail, run) {
    this.read(rail, run);
    host.hidden = !this.step;
    if (!this.step) return;
    this.cells = [];
    this.root = this.build();
    host.append(this.root);
  }

  read(rail, run) {
    this.run = run;
    this.step = rail.step || null;
    this.key = null;
    if (!this.step) return;
    const panel = run.panels[this.step.panel];
    if (this.step.steps !== run.frames && this.step.steps !== run.frames - 1) {
      throw new Error(`The step formula has ${this.step.steps} steps for ${run.frames} frames.`);
    }
    this.panel = panel;
    this.asPictures = panel.kind === "images" || panel.kind === "mix";
    this.values = this.asPictures ? new StepPictures(run, panel, this.step) : new StepValues(run, panel, this.step);
    this.shift = this.values.shift;
  }

  // A quantity that no step uses (no fresh noise, say) is not written at all.
  used() {
    return this.step.terms.filter((term) => this.run.array(term.coefficients).data.some((a) => a !== 0));
  }

  // Show another run in the same formula; false where it has another one.
  take(rail, run) {
    const before = this.cells.slice(1).map((cell) => cell.term.symbol).join();
    const { asPictures, step } = this;
    this.read(rail, run);
    if (asPictures || this.asPictures || this.step.left !== step.left) return false;
    const terms = this.used();
    if (terms.map((term) => term.symbol).join() !== before) return false;
    terms.forEach((term, k) => this.measure(Object.assign(this.cells[k + 1], { term })));
    return true;
  }

  build() {
    this.when = el("span", { class: "dvz-step-when" });
    this.lead = el("div", { class: "dvz-step-lead" }, el("span", { class: "dvz-step-name" }, "This step"), this.when);
    this.hint = el("div", { class: "dvz-step-hint" },
      "Point at a sample, or click it, to see its numbers here.");
    this.end = el("div", { class: "dvz-step-end" });
    const left = this.makeCell(null, symbolNode(this.step.left, this.step.words), 0);
    const terms = this.used().map((term, k) => this.makeCell(term, symbolNode(term.symbol, term.words), k + 1));
    this.formula = el("div", { class: "dvz-formula" }, left, ...terms);
    const root = el("div", { class: "dvz-step", role: "group", "aria-label": "The formula of this step" },
      this.lead, el("div", { class: "dvz-step-body" }, this.formula, this.hint, this.end));
    root.classList.toggle("dvz-step-pictures", this.asPictures);
    return root;
  }

  // A cell of two lines: above the symbol, below its value; each with its sign and coefficient.
  makeCell(term, symbol, index) {
    /** @type {Record<string, any>} */
    const cell = { term, signs: [], coefficients: [], digits: 3 };
    const line = (name, content) => {
      const sign = el("span", { class: "dvz-sign" }, term ? "" : null);
      const coefficient = term ? el("span", { class: "dvz-coefficient" }) : null;
      cell.signs.push(sign);
      if (coefficient) cell.coefficients.push(coefficient);
      return el("div", { class: `dvz-line dvz-line-${name}` }, index > 0 ? sign : null, coefficient,
        term ? el("span", { class: "dvz-times" }, "·") : null, content);
    };
    cell.node = el("div", { class: `dvz-term${term ? "" : " dvz-term-left"}` },
      line("symbols", symbol), line("values", this.values.fill(cell)));
    this.cells.push(cell);
    if (term) this.measure(cell);
    return cell.node;
  }

  // How many digits the coefficients of a term have, and how much room they take.
  measure(cell) {
    const most = Math.max(...Array.from(this.run.array(cell.term.coefficients).data, Math.abs));
    cell.digits = most >= 100 ? 1 : most >= 10 ? 2 : 3;
    const room = `${fixed(most, cell.digits).length - 0.4}ch`;
    for (const node of cell.coefficients) if (node.style.minWidth !== room) node.style.minWidth = room;
  }

  draw(frame, state) {
    if (!this.step) return;
    const k = Math.round(frame);
    const item = state.follow !== null && state.follow < this.panel.count ? state.follow : this.asPictures ? 0 : null;
    const key = `${k}:${item}`;
    if (key === this.key) return;
    this.key = key;
    const over = k >= this.step.steps;
    this.root.classList.toggle("dvz-step-over", over);
    this.root.classList.toggle("dvz-step-open", !over && item === null);
    if (over) this.showEnd();
    else this.showStep(k, item);
  }

  showEnd() {
    setText(this.when, `t = ${fixed(this.run.clock.t[this.run.frames - 1], 3)}`);
    setText(this.end, "The run has ended: no step is left.");
  }

  showStep(k, item) {
    const { t } = this.run.clock;
    setText(this.when, this.shift ? `t ${fixed(t[k], 3)} → ${fixed(t[k + 1], 3)}` : `t = ${fixed(t[k], 3)}`);
    this.cells.forEach((cell, index) => {
      if (cell.term) this.showCoefficient(cell, index, this.run.array(cell.term.coefficients).data[k]);
      this.values.show(cell, k, item);
    });
  }

  showCoefficient(cell, index, value) {
    const negative = value < 0 && fixed(value, cell.digits)[0] === "−";
    const sign = index === 1 ? (negative ? "= −" : "=") : negative ? "−" : "+";
    for (const node of cell.signs) setText(node, sign);
    for (const node of cell.coefficients) setText(node, fixed(Math.abs(value), cell.digits));
  }

  dispose() {
    if (this.root) this.root.remove();
  }
}
