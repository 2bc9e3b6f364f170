// A sheet to draw points on. Strokes live here; Python gets a word of their points (see codec.py)
// when the hand lets go. The module runs again on every change of data, so all state is kept in one
// Pad per mounted element.

const MAX_POINTS = 400;
const SPACING = 0.03;        // of the points along a stroke; the sheet spans -1 to 1
const PEN_STEP = 0.04;       // one press of an arrow key
const PEN_LEAP = 0.2;        // the same with shift
const INK = { light: "#0072B2", dark: "#56B4E9" };
const LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
const HINT = "Arrow keys move the pen, with shift in larger steps. Space puts the pen down or "
  + "lifts it. Control and Z takes back the last stroke.";

const PADS = new WeakMap();  // mounted element -> Pad
const SAVED = new Map();     // a sheet's id -> {revision, word, strokes}, for when it is remounted

// ---------------------------------------------------------------------------------------------
// Points and words

// A stroke is {dots: bool, samples: [[x, y], ...]}: a line through its samples, or loose dots.
function lineLength(samples) {
  let sum = 0;
  for (let i = 1; i < samples.length; i++) {
    sum += Math.hypot(samples[i][0] - samples[i - 1][0], samples[i][1] - samples[i - 1][1]);
  }
  return sum;
}

// `count` points at equal distances along a line, its ends included.
function along(samples, length, count) {
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

// The points of all strokes, at one spacing, which widens so that no more than MAX_POINTS come out.
function resample(strokes) {
  const lines = strokes.filter((s) => !s.dots);
  const lengths = new Map(lines.map((s) => [s, lineLength(s.samples)]));
  const total = [...lengths.values()].reduce((a, b) => a + b, 0);
  const loose = strokes.reduce((n, s) => n + (s.dots ? s.samples.length : 0), 0);
  const room = Math.max(MAX_POINTS / 4, MAX_POINTS - loose - 1.5 * lines.length);
  const spacing = Math.max(SPACING, total / room);
  const points = strokes.flatMap((s) => {
    if (s.dots) return s.samples;
    const length = lengths.get(s);
    return along(s.samples, length, Math.round(length / spacing) + 1);
  });
  if (points.length <= MAX_POINTS) return points;
  const pitch = (points.length - 1) / (MAX_POINTS - 1);
  return Array.from({ length: MAX_POINTS }, (_, k) => points[Math.round(k * pitch)]);
}

function toWord(points) {
  const bytes = points.flat().map((v) => Math.round(((v + 1) / 2) * 255));
  let word = "";
  for (let i = 0; i < bytes.length; i += 3) {
    const bits = (bytes[i] << 16) | ((bytes[i + 1] || 0) << 8) | (bytes[i + 2] || 0);
    const letters = Math.min(4, bytes.length - i + 1);
    for (let k = 0; k < letters; k++) word += LETTERS[(bits >> (18 - 6 * k)) & 63];
  }
  return word;
}

function fromWord(word) {
  const bytes = [];
  let bits = 0;
  let held = 0;
  for (const letter of word) {
    bits = ((bits << 6) | LETTERS.indexOf(letter)) & 0xffff;
    held += 6;
    if (held >= 8) {
      held -= 8;
      bytes.push((bits >> held) & 255);
    }
  }
  const points = [];
  for (let i = 0; i + 1 < bytes.length; i += 2) {
    points.push([(bytes[i] / 255) * 2 - 1, (bytes[i + 1] / 255) * 2 - 1]);
  }
  return points;
}

// ---------------------------------------------------------------------------------------------
// The sheet

class Pad {
  constructor(parent) {
    this.parent = parent;
    this.strokes = [];
    this.history = [];
    this.points = [];
    this.stroke = null;        // the one being drawn
    this.pointer = null;       // id of the pointer that draws it; null for the keyboard
    this.pen = null;           // [x, y] of the keyboard's pen while it is in use
    this.revision = null;
    this.word = "";
    this.token = 0;
    this.raf = 0;
    this.build();
    this.listen();
  }

  build() {
    this.root = make("div", "pad", { role: "group", "aria-label": "Drawing" });
    this.sheet = make("div", "pad-sheet");
    this.canvas = make("canvas", "", {
      tabindex: "0",
      role: "application",
      "aria-label": "Sheet to draw on",
      "aria-describedby": "pad-hint",
    });
    this.prompt = make("p", "pad-prompt", { "aria-hidden": "true" });
    this.prompt.append(make("span", ""));
    this.prompt.firstChild.textContent = "Draw here with a mouse, a pen or a finger";
    this.sheet.append(this.canvas, this.prompt);
    const bar = make("div", "pad-bar");
    this.undoButton = make("button", "", { type: "button" });
    this.undoButton.textContent = "Undo";
    this.clearButton = make("button", "", { type: "button" });
    this.clearButton.textContent = "Clear";
    this.count = make("span", "pad-count", { role: "status" });
    bar.append(this.undoButton, this.clearButton, this.count);
    const hint = make("p", "pad-unseen", { id: "pad-hint" });
    hint.textContent = HINT;
    this.root.append(this.sheet, bar, hint);
    this.parent.append(this.root);
    this.context = this.canvas.getContext("2d");
  }

  listen() {
    const { canvas } = this;
    canvas.addEventListener("pointerdown", (event) => this.down(event));
    canvas.addEventListener("pointermove", (event) => this.move(event));
    for (const name of ["pointerup", "pointercancel", "lostpointercapture"]) {
      canvas.addEventListener(name, (event) => {
        if (event.pointerId === this.pointer) this.finish();
      });
    }
    canvas.addEventListener("keydown", (event) => this.key(event));
    canvas.addEventListener("blur", () => this.putAway());
    this.undoButton.addEventListener("click", () => this.undo());
    this.clearButton.addEventListener("click", () => this.clear());
    this.observer = new ResizeObserver(() => this.repaint());
    this.observer.observe(this.sheet);
  }

  // What Python sends: {id, word, revision, height}. Another revision is another wish.
  update(data, report) {
    this.report = report;
    this.id = data.id;
    this.root.style.setProperty("--pad-height", `${data.height}px`);
    if (data.revision !== this.revision) {
      const saved = SAVED.get(data.id);
      const first = this.revision === null;
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

  show(strokes, word) {
    this.stroke = null;
    this.pointer = null;
    this.history = [];
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
    this.undoButton.disabled = this.history.length === 0 && this.strokes.length === 0;
    this.clearButton.disabled = this.strokes.length === 0;
    this.repaint();
  }

  // A new list of strokes that can be undone; Python hears of it.
  commit(strokes, remember = true) {
    if (remember) this.history.push(this.strokes);
    this.strokes = strokes;
    this.changed();
    const word = toWord(this.points);
    if (word === this.word) return;
    this.word = word;
    this.save();
    this.report("drawing", { word, after: this.revision });
  }

  undo() {
    this.finish();
    if (this.history.length) this.commit(this.history.pop(), false);
    else if (this.strokes.length) this.commit(this.strokes.slice(0, -1), false);
  }

  clear() {
    this.finish();
    if (this.strokes.length) this.commit([]);
  }

  // Pointer ------------------------------------------------------------------------------------

  place(event) {
    const box = this.canvas.getBoundingClientRect();
    return [
      clamp(((event.clientX - box.left) / box.width) * 2 - 1),
      clamp(1 - ((event.clientY - box.top) / box.height) * 2),
    ];
  }

  down(event) {
    if (event.button !== 0 || this.pointer !== null) return;
    this.putAway();
    this.pointer = event.pointerId;
    try {
      this.canvas.setPointerCapture(event.pointerId);
    } catch {
      // the pointer is gone already, or was made by a script: drawing goes on without capture
    }
    this.stroke = { dots: false, samples: [this.place(event)] };
    this.changed();
  }

  move(event) {
    if (event.pointerId !== this.pointer) return;
    const passed = event.getCoalescedEvents ? event.getCoalescedEvents() : [];
    for (const part of passed.length ? passed : [event]) this.extend(this.place(part));
    this.changed();
  }

  extend(to) {
    const { samples } = this.stroke;
    const from = samples[samples.length - 1];
    if (from[0] !== to[0] || from[1] !== to[1]) samples.push(to);
  }

  finish() {
    const { stroke } = this;
    this.stroke = null;
    this.pointer = null;
    if (stroke) this.commit([...this.strokes, stroke]);
  }

  // Keyboard -----------------------------------------------------------------------------------

  key(event) {
    const moves = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] };
    const command = event.ctrlKey || event.metaKey;
    if (command && event.key.toLowerCase() === "z") this.undo();
    else if (command || event.altKey) return;
    else if (moves[event.key]) this.step(moves[event.key], event.shiftKey ? PEN_LEAP : PEN_STEP);
    else if (event.key === " " || event.key === "Enter") this.press();
    else if (event.key === "Escape" && this.pen) this.putAway();
    else return;
    event.preventDefault();
    event.stopPropagation(); // space and arrows also drive the player
  }

  step([dx, dy], size) {
    if (this.pointer !== null) return;
    const [x, y] = this.pen || [0, 0];
    this.pen = this.pen ? [clamp(x + dx * size), clamp(y + dy * size)] : [0, 0];
    if (this.stroke) this.extend(this.pen);
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

  repaint() {
    if (!this.raf) {
      this.raf = requestAnimationFrame(() => {
        this.raf = 0;
        this.paint();
      });
    }
  }

  paint() {
    const { canvas, context } = this;
    const side = canvas.clientWidth;
    if (!side) return;
    const ratio = window.devicePixelRatio || 1;
    const pixels = Math.round(side * ratio);
    if (canvas.width !== pixels) canvas.width = canvas.height = pixels;
    const style = getComputedStyle(this.root);
    const ground = rgb(style.getPropertyValue("--st-background-color"), "#ffffff");
    const text = rgb(style.getPropertyValue("--st-text-color"), "#31333f").join(",");
    const dark = 0.3 * ground[0] + 0.59 * ground[1] + 0.11 * ground[2] < 110;
    const ink = dark ? INK.dark : INK.light;
    const at = ([x, y]) => [((x + 1) / 2) * side, ((1 - y) / 2) * side];
    context.setTransform(ratio, 0, 0, ratio, 0, 0);
    context.clearRect(0, 0, side, side);
    this.paintAxes(side, `rgba(${text},0.14)`);
    context.lineCap = context.lineJoin = "round";
    context.strokeStyle = context.fillStyle = ink;
    context.globalAlpha = 0.3;
    context.lineWidth = 6;
    for (const stroke of this.stroke ? [...this.strokes, this.stroke] : this.strokes) {
      if (!stroke.dots) this.paintLine(stroke.samples.map(at));
    }
    context.globalAlpha = 1;
    context.beginPath();
    for (const point of this.points) {
      const [x, y] = at(point);
      context.moveTo(x + 1.8, y);
      context.arc(x, y, 1.8, 0, 2 * Math.PI);
    }
    context.fill();
    if (this.pen) this.paintPen(at(this.pen), `rgb(${text})`);
  }

  paintAxes(side, color) {
    const { context } = this;
    const middle = Math.round(side / 2) + 0.5;
    context.strokeStyle = color;
    context.lineWidth = 1;
    context.beginPath();
    context.moveTo(middle, 0);
    context.lineTo(middle, side);
    context.moveTo(0, middle);
    context.lineTo(side, middle);
    context.stroke();
  }

  paintLine(places) {
    const { context } = this;
    context.beginPath();
    context.moveTo(...places[0]);
    for (const place of places.length > 1 ? places.slice(1) : places) context.lineTo(...place);
    context.stroke();
  }

  // A ring, filled while the pen is down, with four ticks.
  paintPen([x, y], color) {
    const { context } = this;
    context.strokeStyle = context.fillStyle = color;
    context.lineWidth = 1.5;
    context.beginPath();
    context.arc(x, y, 5, 0, 2 * Math.PI);
    if (this.stroke) context.fill();
    for (const [dx, dy] of [[1, 0], [-1, 0], [0, 1], [0, -1]]) {
      context.moveTo(x + 8 * dx, y + 8 * dy);
      context.lineTo(x + 14 * dx, y + 14 * dy);
    }
    context.stroke();
  }

  dispose() {
    this.observer.disconnect();
    cancelAnimationFrame(this.raf);
    this.raf = 0;
    this.root.remove();
  }
}

export default function ({ data, parentElement, setStateValue }) {
  let pad = PADS.get(parentElement);
  if (!pad) {
    pad = new Pad(parentElement);
    PADS.set(parentElement, pad);
  }
  pad.update(data, setStateValue);
  const token = ++pad.token;
  return () => {
    if (pad.token !== token) return; // a later run still uses the sheet
    pad.dispose();
    PADS.delete(parentElement);
  };
}
