// A sheet to draw points on. Strokes live here; Python gets a word of their points (see codec.py)
// when the hand lets go.

import { bytesOfWord, wordOf } from "../shared/base64.js";
import { onceAFrame, pencil, strokeSegment, traceCross, traceLine } from "../shared/canvas.js";
import { CONCEPTS, css, themeOf } from "../shared/color.js";
import { el, mounted } from "../shared/dom.js";
import { ARROWS, Undo, capture, isUndo, listenToStrokes, passed, shareIn } from "../shared/hand.js";
import { clamp } from "../shared/numbers.js";

const MAX_POINTS = 400;
const SPACING = 0.03;        // of the points along a stroke; the sheet spans -1 to 1
const PEN_STEP = 0.04;       // one press of an arrow key
const PEN_LEAP = 0.2;        // the same with shift
const HINT = "Arrow keys move the pen, with shift in larger steps. Space puts the pen down or "
  + "lifts it. Control and Z takes back the last stroke.";

/**
 * @typedef {number[]} Point x and y, each in [-1, 1]
 * @typedef {{dots: boolean, samples: Point[]}} Stroke a line through its samples, or loose dots
 */

// What was on a sheet, for when it is remounted.
/** @type {Map<string, {revision: number, word: string, strokes: Stroke[]}>} */
const SAVED = new Map();

// Points and words --------------------------------------------------------------------------------

/** @type {(samples: Point[]) => number} */
export function lineLength(samples) {
  let sum = 0;
  for (let i = 1; i < samples.length; i++) {
    sum += Math.hypot(samples[i][0] - samples[i - 1][0], samples[i][1] - samples[i - 1][1]);
  }
  return sum;
}

/**
 * `count` points at equal distances along a line, its ends included.
 * @type {(samples: Point[], length: number, count: number) => Point[]}
 */
export function along(samples, length, count) {
  if (count < 2 || length === 0) return [samples[0]];
  const points = [samples[0]];
  let i = 1;
  let passed = 0;
  for (let k = 1; k < count - 1; k++) {
    const target = (k * length) / (count - 1);
    let [a, b] = [samples[i - 1], samples[i]];
    let step = Math.hypot(b[0] - a[0], b[1] - a[1]);
    while (passed + step < target && i < samples.length - 1) {
      passed += step;
      i += 1;
      [a, b] = [samples[i - 1], samples[i]];
      step = Math.hypot(b[0] - a[0], b[1] - a[1]);
    }
    const share = step > 0 ? Math.min(1, (target - passed) / step) : 0;
    points.push([a[0] + share * (b[0] - a[0]), a[1] + share * (b[1] - a[1])]);
  }
  points.push(samples[samples.length - 1]);
  return points;
}

/** @type {(stroke: Stroke, to: Point) => void} */
function extend({ samples }, to) {
  const from = samples[samples.length - 1];
  if (from[0] !== to[0] || from[1] !== to[1]) samples.push(to);
}

/**
 * The points of all strokes, at one spacing, which widens so that no more than MAX_POINTS come out.
 * @type {(strokes: Stroke[]) => Point[]}
 */
export function resample(strokes) {
  const lines = strokes.filter((s) => !s.dots);
  const total = lines.reduce((sum, s) => sum + lineLength(s.samples), 0);
  const loose = strokes.reduce((n, s) => n + (s.dots ? s.samples.length : 0), 0);
  const room = Math.max(MAX_POINTS / 4, MAX_POINTS - loose - 1.5 * lines.length);
  const spacing = Math.max(SPACING, total / room);
  const points = strokes.flatMap((s) => {
    if (s.dots) return s.samples;
    const length = lineLength(s.samples);
    return along(s.samples, length, Math.round(length / spacing) + 1);
  });
  if (points.length <= MAX_POINTS) return points;
  const pitch = (points.length - 1) / (MAX_POINTS - 1);
  return Array.from({ length: MAX_POINTS }, (_, k) => points[Math.round(k * pitch)]);
}

/** @type {(points: Point[]) => string} */
export function toWord(points) {
  return wordOf(points.flat().map((v) => Math.round(((v + 1) / 2) * 255)));
}

/** @type {(word: string) => Point[]} */
export function fromWord(word) {
  const bytes = bytesOfWord(word);
  const at = (/** @type {number} */ i) => (bytes[i] / 255) * 2 - 1;
  return Array.from({ length: bytes.length >> 1 }, (_, k) => [at(2 * k), at(2 * k + 1)]);
}

// The sheet ---------------------------------------------------------------------------------------

class Pad {
  /** @type {Stroke[]} */
  strokes = [];
  /** @type {Undo<Stroke[]>} */
  undone = new Undo();
  /** @type {Point[]} */
  points = [];
  /** @type {Stroke | null} the one being drawn */
  stroke = null;
  /** @type {number | null} the pointer that draws it; null for the keyboard */
  pointer = null;
  /** @type {Point | null} the keyboard's pen while it is in use */
  pen = null;
  revision = -1;
  word = "";
  id = "";

  /** @param {HTMLElement} parent */
  constructor(parent) {
    this.canvas = el("canvas", {
      tabindex: "0", role: "application", "aria-label": "Sheet to draw on", "aria-describedby": "pad-hint",
    });
    this.prompt = el("p", { class: "pad-prompt", "aria-hidden": "true" },
      el("span", {}, "Draw here with a mouse, a pen or a finger"));
    const sheet = el("div", { class: "pad-sheet" }, this.canvas, this.prompt);
    this.undoButton = el("button", { type: "button", onclick: () => this.undo() }, "Undo");
    this.clearButton = el("button", { type: "button", onclick: () => this.clear() }, "Clear");
    this.count = el("span", { class: "pad-count", role: "status" });
    this.root = el("div", { class: "pad", role: "group", "aria-label": "Drawing" }, sheet,
      el("div", { class: "pad-bar" }, this.undoButton, this.clearButton, this.count),
      el("p", { class: "pad-unseen", id: "pad-hint" }, HINT));
    parent.append(this.root);
    this.context = pencil(this.canvas);
    this.repaint = onceAFrame(() => this.paint());
    listenToStrokes(this.canvas, {
      down: (event) => this.down(event),
      move: (event) => this.move(event),
      up: (pointer) => { if (pointer === this.pointer) this.finish(); },
    });
    this.canvas.addEventListener("keydown", (event) => this.key(event));
    this.canvas.addEventListener("blur", () => this.putAway());
    this.observer = new ResizeObserver(() => this.repaint());
    this.observer.observe(sheet);
  }

  /**
   * What Python sends; another revision is another wish.
   * @param {{id: string, word: string | null, revision: number, height: number}} data
   * @param {(name: string, value: {word: string, after: number}) => void} report
   */
  update(data, report) {
    this.report = report;
    this.id = data.id;
    this.root.style.setProperty("--pad-height", `${data.height}px`);
    if (data.revision !== this.revision) {
      const saved = SAVED.get(data.id);
      const first = this.revision < 0;
      this.revision = data.revision;
      if (saved && ((first && saved.revision === data.revision) || saved.word === data.word)) {
        this.show(saved.strokes, saved.word);
      } else {
        const dots = fromWord(data.word || "");
        this.show(dots.length ? [{ dots: true, samples: dots }] : [], data.word || "");
      }
    }
    this.repaint();
  }

  /** @type {(strokes: Stroke[], word: string) => void} */
  show(strokes, word) {
    this.stroke = null;
    this.pointer = null;
    this.undone = new Undo();
    this.strokes = strokes;
    this.word = word;
    this.changed();
    this.save();
  }

  save() {
    SAVED.set(this.id, { revision: this.revision, word: this.word, strokes: this.strokes });
  }

  // The points and everything that shows them, after any change.
  changed() {
    this.points = resample(this.stroke ? [...this.strokes, this.stroke] : this.strokes);
    const n = this.points.length;
    const most = n === MAX_POINTS ? " (the most kept)" : "";
    this.count.textContent = n === 0 ? "" : `${n} point${n === 1 ? "" : "s"}${most}`;
    this.prompt.hidden = n > 0 || this.pen !== null;
    this.undoButton.disabled = this.undone.empty && this.strokes.length === 0;
    this.clearButton.disabled = this.strokes.length === 0;
    this.repaint();
  }

  /**
   * A new list of strokes that can be undone; Python hears of it.
   * @type {(strokes: Stroke[], remember?: boolean) => void}
   */
  commit(strokes, remember = true) {
    if (remember) this.undone.push(this.strokes);
    this.strokes = strokes;
    this.changed();
    const word = toWord(this.points);
    if (word === this.word) return;
    this.word = word;
    this.save();
    this.report?.("drawing", { word, after: this.revision });
  }

  undo() {
    this.finish();
    if (this.undone.empty && !this.strokes.length) return;
    this.commit(this.undone.pop() ?? this.strokes.slice(0, -1), false);
  }

  clear() {
    this.finish();
    if (this.strokes.length) this.commit([]);
  }

  // Pointer ------------------------------------------------------------------------------------

  /** @type {(event: PointerEvent) => Point} */
  place(event) {
    const [x, y] = shareIn(this.canvas, event);
    return [clamp(x * 2 - 1), clamp(1 - y * 2)];
  }

  /** @param {PointerEvent} event */
  down(event) {
    if (event.button !== 0 || this.pointer !== null) return;
    this.putAway();
    this.pointer = event.pointerId;
    capture(this.canvas, event.pointerId);
    this.stroke = { dots: false, samples: [this.place(event)] };
    this.changed();
  }

  /** @param {PointerEvent} event */
  move(event) {
    if (!this.stroke || event.pointerId !== this.pointer) return;
    for (const part of passed(event)) extend(this.stroke, this.place(part));
    this.changed();
  }

  finish() {
    const { stroke } = this;
    this.stroke = null;
    this.pointer = null;
    if (stroke) this.commit([...this.strokes, stroke]);
  }

  // Keyboard -----------------------------------------------------------------------------------

  /** @param {KeyboardEvent} event */
  key(event) {
    const move = ARROWS[event.key];
    if (isUndo(event)) this.undo();
    else if (event.ctrlKey || event.metaKey || event.altKey) return;
    else if (move) this.step(move, event.shiftKey ? PEN_LEAP : PEN_STEP);
    else if (event.key === " " || event.key === "Enter") this.press();
    else if (event.key === "Escape" && this.pen) this.putAway();
    else return;
    event.preventDefault();
    event.stopPropagation(); // space and arrows also drive the player
  }

  /** @type {(way: [number, number], size: number) => void} */
  step([dx, dy], size) {
    if (this.pointer !== null) return;
    const [x, y] = this.pen || [0, 0];
    this.pen = this.pen ? [clamp(x + dx * size), clamp(y - dy * size)] : [0, 0];
    if (this.stroke) extend(this.stroke, this.pen);
    this.changed();
  }

  press() {
    if (this.pointer !== null) return;
    this.pen = this.pen || [0, 0];
    if (this.stroke) this.finish();
    else this.stroke = { dots: false, samples: [this.pen] };
    this.changed();
  }

  putAway() {
    if (this.pen === null) return;
    this.pen = null;
    this.finish();
    this.changed();
  }

  // Painting -----------------------------------------------------------------------------------

  paint() {
    const { canvas, context } = this;
    const side = canvas.clientWidth;
    if (!side) return;
    const ratio = window.devicePixelRatio || 1;
    const pixels = Math.round(side * ratio);
    if (canvas.width !== pixels) canvas.width = canvas.height = pixels;
    const { text, theme } = themeOf(this.root);
    /** @type {(point: Point) => [number, number]} */
    const at = ([x, y]) => [((x + 1) / 2) * side, ((1 - y) / 2) * side];
    context.setTransform(ratio, 0, 0, ratio, 0, 0);
    context.clearRect(0, 0, side, side);
    const middle = Math.round(side / 2) + 0.5;
    strokeSegment(context, middle, 0, middle, side, css(text, 0.14));
    strokeSegment(context, 0, middle, side, middle, css(text, 0.14));
    context.lineCap = context.lineJoin = "round";
    context.strokeStyle = context.fillStyle = CONCEPTS[theme].data;
    context.globalAlpha = 0.3;
    context.lineWidth = 6;
    for (const stroke of this.stroke ? [...this.strokes, this.stroke] : this.strokes) {
      if (stroke.dots) continue;
      const places = stroke.samples.map(at);
      context.beginPath();
      traceLine(context, places.length > 1 ? places : [places[0], places[0]]);
      context.stroke();
    }
    context.globalAlpha = 1;
    context.beginPath();
    for (const point of this.points) {
      const [x, y] = at(point);
      context.moveTo(x + 1.8, y);
      context.arc(x, y, 1.8, 0, 2 * Math.PI);
    }
    context.fill();
    if (this.pen) this.paintPen(at(this.pen), css(text));
  }

  /**
   * A ring, filled while the pen is down, with four ticks.
   * @type {(at: [number, number], color: string) => void}
   */
  paintPen([x, y], color) {
    const { context } = this;
    context.strokeStyle = context.fillStyle = color;
    context.lineWidth = 1.5;
    context.beginPath();
    context.arc(x, y, 5, 0, 2 * Math.PI);
    if (this.stroke) context.fill();
    traceCross(context, x, y, 8, 14);
    context.stroke();
  }

  dispose() {
    this.observer.disconnect();
    this.repaint.cancel();
    this.root.remove();
  }
}

export default mounted((parent) => new Pad(parent));
