// A map of codes of two numbers. The pictures of a grid of codes come once, as one sheet, and are
// mixed here between its codes, so that the picture follows the hand. Python hears only of a pinned
// code (see __init__.py).

import { align, onceAFrame, pencil, pixelRatio, strokePath, traceCross, write } from "../shared/canvas.js";
import { themeOf } from "../shared/color.js";
import { el, mounted } from "../shared/dom.js";
import { ARROWS, pointIn } from "../shared/hand.js";
import { clamp, fixed, niceTicks } from "../shared/numbers.js";
import { Chart } from "./chart.js";

const STEP = 0.05;          // of an arrow key, in units of a code
const LEAP = 0.25;          // the same with shift
const PAD = { left: 42, right: 10, top: 10, bottom: 38 };
const TILE = 40;            // px of a picture on the map
const ABOVE = 140;          // of the screen, what a page has above the map
const ASIDE = 600;          // from this width on the picture stands beside the map
const DIGITS = 2;           // after the point of a pinned code; DIGITS in __init__.py
const SHOWN = [
  { key: "pictures", label: "Pictures", on: false, title: "Decoded pictures all over the map" },
  { key: "codes", label: "Codes", on: true, title: "Where the encoder puts the test pictures, coloured by class" },
  { key: "contours", label: "Encoder q(z)", on: true, title: "Contours of the aggregate posterior, the density of all codes" },
  { key: "prior", label: "Prior N(0, I)", on: true, title: "Circles of the prior at 1 and 2 standard deviations" },
];
const HINT = "Arrow keys move over the map, with shift in larger steps. Enter or a click pins the "
  + "code, Delete takes the pin out.";

const SAVED = new Map();        // a map's name -> what was chosen on it, for when it is remounted

// Words -------------------------------------------------------------------------------------------

/** A factor in words: 30, 4.2, 1.0. @type {(factor: number) => string} */
export function times(factor) {
  if (factor >= 1e6) return "over a million";
  return factor >= 10 ? Math.round(factor).toLocaleString("en") : factor.toFixed(1);
}

// The map -----------------------------------------------------------------------------------------

class Atlas {
  constructor(parent, id) {
    this.parent = parent;
    this.id = id;
    const saved = SAVED.get(id) || {};
    this.shown = saved.shown || Object.fromEntries(SHOWN.map(({ key, on }) => [key, on]));
    this.only = saved.only ?? null;     // the one class that stands out
    this.cursor = saved.cursor || null; // where the hand was last
    this.pin = null;
    this.word = null;
    this.revision = null;
    this.chart = null;
    this.repaint = onceAFrame(() => this.paint());
    this.stale = true;                  // whether the map itself must be drawn anew
    this.build();
    this.listen();
  }

  build() {
    this.under = el("canvas", { class: "atlas-under", "aria-hidden": "true" });
    this.over = el("canvas", { class: "atlas-over", tabindex: "0", role: "application",
      "aria-label": "Map of codes", "aria-describedby": "atlas-hint" });
    this.plot = el("div", { class: "atlas-plot" }, this.under, this.over);
    this.now = this.pictureFigure("atlas-now", "The picture decoded under the cursor");
    this.pinned = this.pictureFigure("atlas-pinned", "The picture decoded at the pin");
    this.unpin = el("button", { type: "button", onclick: () => this.setPin(null) }, "Take out");
    this.prompt = el("p", { class: "atlas-prompt" }, "Click the map to keep a picture here and compare.");
    this.pinned.node.append(this.unpin, this.prompt);
    this.rows = Object.fromEntries([
      ["z", "z"], ["centre", "|z|"], ["ratio", "codes here"], ["near", "nearest"],
    ].map(([key, label]) => [key, { label: el("dt", {}, label), value: el("dd") }]));
    this.list = el("dl", { class: "atlas-list" }, ...Object.values(this.rows).flatMap((r) => [r.label, r.value]));
    this.layers = el("div", { class: "atlas-chips", role: "group", "aria-label": "What the map shows" });
    this.chips = SHOWN.map(({ key, label, title }) => {
      const chip = el("button", { class: "atlas-chip", type: "button", title, onclick: () => this.toggle(key) },
        el("i", { class: `atlas-glyph atlas-glyph-${key}` }), label);
      this.layers.append(chip);
      return { key, chip };
    });
    this.classes = el("div", { class: "atlas-chips atlas-classes", role: "group", "aria-label": "Let one class stand out" });
    this.voice = el("p", { class: "atlas-unseen", "aria-live": "polite" });
    const hint = el("p", { class: "atlas-unseen", id: "atlas-hint" }, HINT);
    const pictures = el("div", { class: "atlas-pictures" }, this.now.node, this.pinned.node);
    this.side = el("div", { class: "atlas-side" }, pictures, this.list, this.layers, this.classes);
    this.root = el("div", { class: "atlas" }, this.plot, this.side, this.voice, hint);
    Object.assign(this.root, { __atlas: this });
    this.parent.querySelector(".atlas")?.remove();
    this.parent.append(this.root);
  }

  pictureFigure(name, label) {
    const canvas = el("canvas", { class: "atlas-picture", role: "img", "aria-label": label });
    const caption = el("figcaption");
    return { node: el("figure", { class: name }, canvas, caption), canvas, caption };
  }

  listen() {
    const { over } = this;
    over.addEventListener("pointermove", (event) => this.point(event));
    over.addEventListener("pointerdown", (event) => {
      if (event.pointerType !== "mouse") over.setPointerCapture(event.pointerId);
      this.point(event);
    });
    over.addEventListener("click", (event) => {
      this.point(event);
      this.setPin(this.cursor);
    });
    over.addEventListener("keydown", (event) => this.onKey(event));
    over.addEventListener("focus", () => this.repaint());
    over.addEventListener("blur", () => this.repaint());
    this.observer = new ResizeObserver(() => this.redraw());
    for (const node of [this.root, document.documentElement]) this.observer.observe(node);
  }

  // From Python -------------------------------------------------------------------------------

  update(data, report) {
    this.report = report;
    const wished = data.revision !== this.revision;
    if (wished) {
      this.revision = data.revision;
      this.word = data.pin;
      this.pin = data.pin ? data.pin.split(",").map(Number) : null;
    }
    if (!this.chart || this.chart.data.key !== data.chart.key) this.load(data.chart);
    if (!this.cursor || (wished && this.pin)) this.cursor = this.pin ? [...this.pin] : [0, 0];
    this.redraw();
  }

  load(data) {
    const chart = new Chart(data);
    this.chart = chart;
    this.lines = chart.data.levels.map((level) => chart.contour(level));
    this.values = new Float32Array(data.size[0] * data.size[1]);
    this.root.dataset.ready = "false";
    for (const { canvas } of [this.now, this.pinned]) {
      Object.assign(canvas, { width: data.size[1], height: data.size[0] });
    }
    this.nameClasses();
    chart.open().then(() => {
      if (this.chart !== chart) return;
      this.root.dataset.ready = "true";
      this.redraw();
    });
  }

  nameClasses() {
    this.classChips = this.chart.data.names.map((name, k) => el("button",
      { class: "atlas-chip", type: "button", onclick: () => this.choose(k) }, el("i", { class: "atlas-dot" }), name));
    this.classes.replaceChildren(...this.classChips);
    if (this.only !== null && this.only >= this.classChips.length) this.only = null;
  }

  // The reader --------------------------------------------------------------------------------

  toggle(key) {
    this.shown[key] = !this.shown[key];
    this.redraw();
  }

  choose(k) {
    this.only = this.only === k ? null : k;
    this.redraw();
  }

  point(event) {
    const { x, y } = pointIn(this.over, event);
    this.move(this.toCode(x, y));
  }

  /** @param {import("./chart.js").Code} code */
  move([x, y]) {
    const { low, high } = this.chart;
    this.cursor = [clamp(x, low, high), clamp(y, low, high)];
    this.repaint();
  }

  onKey(event) {
    const move = ARROWS[event.key];
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (move) {
      const step = event.shiftKey ? LEAP : STEP;
      this.move([this.cursor[0] + move[0] * step, this.cursor[1] - move[1] * step]);
      this.say();
    } else if (event.key === "Enter" || event.key === " ") this.setPin(this.cursor);
    else if (event.key === "Delete" || event.key === "Backspace") this.setPin(null);
    else return;
    event.stopPropagation();
    event.preventDefault();
  }

  // Python hears of a pin, and of nothing else.
  setPin(code) {
    const word = code ? code.map((v) => (Number(v.toFixed(DIGITS)) + 0).toFixed(DIGITS)).join(",") : "";
    this.pin = word ? word.split(",").map(Number) : null;
    this.repaint();
    if (word === this.word) return;
    this.word = word;
    this.report("pin", { word, after: this.revision });
  }

  say() {
    const { label } = this.chart.nearest(this.cursor);
    this.voice.textContent = `${this.cursor.map((v) => fixed(v)).join(", ")}: like ${this.chart.data.names[label]}`;
  }

  // Drawing -----------------------------------------------------------------------------------

  redraw() {
    this.stale = true;
    this.repaint();
  }

  fit() {
    const room = this.root.clientWidth;
    const beside = room >= ASIDE;
    this.root.classList.toggle("atlas-beside", beside);
    const width = Math.floor(Math.min(document.documentElement.clientHeight - ABOVE, beside ? room - 300 : room));
    const ratio = pixelRatio();
    const key = `${width}:${ratio}`;
    if (this.fitted !== key) {
      this.fitted = key;
      this.stale = true;
      for (const canvas of [this.under, this.over]) {
        Object.assign(canvas, { width: Math.round(width * ratio), height: Math.round(width * ratio) });
        canvas.style.width = canvas.style.height = `${width}px`;
      }
    }
    this.width = width;
    this.ratio = ratio;
    this.edge = Math.min(width - PAD.left - PAD.right, width - PAD.top - PAD.bottom);
  }

  toScreen([x, y]) {
    const { low, span } = this.chart;
    return [PAD.left + ((x - low) / span) * this.edge, PAD.top + (1 - (y - low) / span) * this.edge];
  }

  /** @returns {import("./chart.js").Code} */
  toCode(px, py) {
    const { low, span } = this.chart;
    return [low + ((px - PAD.left) / this.edge) * span, low + (1 - (py - PAD.top) / this.edge) * span];
  }

  paint() {
    if (!this.chart || !this.root.clientWidth) return;
    this.fit();
    const { style, dark, theme } = themeOf(this.root);
    if (dark !== this.dark) this.stale = true;
    this.dark = dark;
    this.palette = this.chart.data.colors[theme];
    if (this.stale) {
      this.font = style.fontFamily;
      this.paintMap();
      this.paintChips();
    }
    this.stale = false;
    this.paintHand();
    this.paintPictures();
    this.tell();
  }

  begin(canvas) {
    const g = pencil(canvas);
    g.setTransform(this.ratio, 0, 0, this.ratio, 0, 0);
    g.clearRect(0, 0, this.width, this.width);
    return g;
  }

  paintMap() {
    const g = this.begin(this.under);
    const { shown, palette } = this;
    g.save();
    g.beginPath();
    g.rect(PAD.left, PAD.top, this.edge, this.edge);
    g.clip();
    if (shown.pictures && this.chart.pixels) this.paintTiles(g);
    else this.paintGrid(g);
    if (shown.codes) this.paintCodes(g);
    if (shown.contours) this.paintContours(g);
    if (shown.prior) this.paintPrior(g);
    g.restore();
    g.strokeStyle = palette.muted;
    g.lineWidth = 1;
    g.strokeRect(PAD.left + 0.5, PAD.top + 0.5, this.edge - 1, this.edge - 1);
    this.paintAxes(g);
  }

  ticks() {
    return niceTicks(this.chart.low, this.chart.high, 9).filter(Number.isInteger);
  }

  paintGrid(g) {
    g.strokeStyle = this.palette.grid;
    g.lineWidth = 1;
    g.beginPath();
    for (const tick of this.ticks()) {
      const [x, y] = this.toScreen([tick, tick]);
      g.moveTo(x, PAD.top);
      g.lineTo(x, PAD.top + this.edge);
      g.moveTo(PAD.left, y);
      g.lineTo(PAD.left + this.edge, y);
    }
    g.stroke();
  }

  paintAxes(g) {
    const bottom = PAD.top + this.edge;
    g.fillStyle = this.palette.muted;
    g.font = `14px ${this.font}`;
    for (const tick of this.ticks()) {
      const [x, y] = this.toScreen([tick, tick]);
      align(g, "center", "top");
      g.fillText(fixed(tick, 0), x, bottom + 5);
      align(g, "right", "middle");
      g.fillText(fixed(tick, 0), PAD.left - 7, y);
    }
    g.fillStyle = this.palette.text;
    g.font = `15px ${this.font}`;
    align(g, "center", "top");
    g.fillText("z₁", PAD.left + this.edge / 2, bottom + 20);
    align(g, "left", "middle");
    g.fillText("z₂", 2, PAD.top + this.edge / 2 - 16);
  }

  // A picture in every square of the map, that of the code at its middle.
  paintTiles(g) {
    const { chart, edge } = this;
    const [height, width] = chart.data.size;
    const count = Math.min(Math.round(edge / TILE), chart.data.side);
    const tile = edge / count;
    g.imageSmoothingEnabled = true;
    for (let b = 0; b < count; b++) {
      for (let a = 0; a < count; a++) {
        const [i, j] = [a, b].map((k) => Math.round(((k + 0.5) / count) * (chart.data.side - 1)));
        g.drawImage(chart.tiles, i * width, j * height, width, height,
          PAD.left + a * tile, PAD.top + edge - (b + 1) * tile, tile, tile);
      }
    }
  }

  paintCodes(g) {
    const { chart, palette, only } = this;
    const size = clamp(200 / Math.sqrt(chart.data.count), 2, 4);
    const passes = only === null ? [[null, this.shown.pictures ? 0.75 : 0.6]] : [["others", 0.12], [only, 0.9]];
    for (const [which, alpha] of passes) {
      g.globalAlpha = alpha;
      for (const i of chart.order) {
        const label = chart.labels[i];
        if (which === "others" ? label === only : which !== null && label !== which) continue;
        const [x, y] = this.toScreen([chart.codes[2 * i], chart.codes[2 * i + 1]]);
        g.fillStyle = palette.classes[label % palette.classes.length];
        g.fillRect(x - size / 2, y - size / 2, size, size);
      }
    }
    g.globalAlpha = 1;
  }

  // A line set off from whatever is below it.
  stroke(g, color, width, dash = []) {
    g.globalAlpha = 0.8;
    strokePath(g, this.palette.background, width + 2.5, dash);
    g.globalAlpha = 1;
    strokePath(g, color, width, dash);
  }

  paintPrior(g) {
    const [x, y] = this.toScreen([0, 0]);
    const unit = this.edge / this.chart.span;
    for (const radius of [1, 2]) {
      g.beginPath();
      g.arc(x, y, radius * unit, 0, 2 * Math.PI);
      this.stroke(g, this.palette.noise, radius === 1 ? 2.5 : 2, [7, 5]);
    }
    g.beginPath();
    traceCross(g, x, y, 0, 6);
    this.stroke(g, this.palette.noise, 2);
    this.tag(g, "prior 2σ", x, y - 2 * unit, this.palette.text);
  }

  paintContours(g) {
    g.lineCap = "round";
    this.lines.forEach((pieces, k) => {
      g.beginPath();
      for (const [ax, ay, bx, by] of pieces) {
        g.moveTo(...this.toScreen([ax, ay]));
        g.lineTo(...this.toScreen([bx, by]));
      }
      this.stroke(g, this.palette.data, k === 0 ? 2.5 : 1.6);
    });
  }

  tag(g, words, x, y, color) {
    g.font = `600 14px ${this.font}`;
    align(g, "center", "middle");
    const width = g.measureText(words).width + 8;
    g.fillStyle = this.palette.background;
    g.globalAlpha = 0.85;
    g.fillRect(x - width / 2, y - 9, width, 18);
    g.globalAlpha = 1;
    write(g, words, x, y, color);
  }

  paintChips() {
    const { palette } = this;
    for (const { key, chip } of this.chips) chip.setAttribute("aria-pressed", String(this.shown[key]));
    this.root.style.setProperty("--atlas-data", palette.data);
    this.root.style.setProperty("--atlas-noise", palette.noise);
    this.root.style.setProperty("--atlas-path", palette.path);
    this.classChips.forEach((chip, k) => {
      chip.setAttribute("aria-pressed", String(this.only === k));
      chip.style.setProperty("--atlas-class", palette.classes[k % palette.classes.length]);
    });
  }

  // The cursor and the pin, each light on dark so that it shows on any ground.
  paintHand() {
    const g = this.begin(this.over);
    const ring = ([x, y], radius, color, width) => {
      g.beginPath();
      g.arc(x, y, radius, 0, 2 * Math.PI);
      this.stroke(g, color, width);
    };
    if (this.pin) {
      const [x, y] = this.toScreen(this.pin);
      ring([x, y], 7, this.palette.path, 2.5);
      g.beginPath();
      g.arc(x, y, 2.5, 0, 2 * Math.PI);
      g.fillStyle = this.palette.path;
      g.fill();
    }
    const [x, y] = this.toScreen(this.cursor);
    g.beginPath();
    traceCross(g, x, y, 5, 14);
    this.stroke(g, this.palette.text, 2);
  }

  paintPictures() {
    for (const part of [this.pinned.canvas, this.pinned.caption, this.unpin]) part.hidden = !this.pin;
    this.prompt.hidden = Boolean(this.pin);
    if (!this.chart.pixels) return;
    this.paintPicture(this.now, this.cursor);
    this.now.caption.textContent = "Decoded, g(z)";
    if (!this.pin) return;
    this.paintPicture(this.pinned, this.pin);
    this.pinned.caption.textContent = `At (${this.pin.map((v) => fixed(v)).join(", ")})`;
  }

  paintPicture({ canvas }, code) {
    const context = pencil(canvas);
    const image = context.createImageData(canvas.width, canvas.height);
    const values = this.chart.picture(code, this.values);
    for (let i = 0; i < values.length; i++) {
      image.data[4 * i] = image.data[4 * i + 1] = image.data[4 * i + 2] = values[i];
      image.data[4 * i + 3] = 255;
    }
    context.putImageData(image, 0, 0);
  }

  tell() {
    const { rows, cursor, chart } = this;
    const square = cursor[0] ** 2 + cursor[1] ** 2;
    rows.z.value.textContent = `(${cursor.map((v) => fixed(v)).join(", ")})`;
    const beyond = 100 * Math.exp(-square / 2);
    const share = beyond >= 1 ? `${Math.round(beyond)}` : beyond >= 0.1 ? beyond.toFixed(1) : "under 0.1";
    rows.centre.value.textContent = `${Math.sqrt(square).toFixed(2)}; ${share} % of the prior is farther out`;
    const log = chart.logDensity(cursor) + square / 2 + Math.log(2 * Math.PI);
    rows.ratio.value.textContent = log >= 0
      ? `${times(Math.exp(log))} times as many as the prior's`
      : `${times(Math.exp(-log))} times fewer than the prior's`;
    const { label, distance } = chart.nearest(cursor);
    const dot = el("i", { class: "atlas-dot" });
    dot.style.setProperty("--atlas-class", this.palette.classes[label % this.palette.classes.length]);
    rows.near.value.replaceChildren(dot, `${chart.data.names[label]}, a test picture ${distance.toFixed(2)} away`);
    SAVED.set(this.id, { shown: this.shown, only: this.only, cursor: this.cursor });
  }

  dispose() {
    this.observer.disconnect();
    this.repaint.cancel();
    this.root.remove();
  }
}

export default mounted((parent, data) => new Atlas(parent, data.id), (atlas, data) => atlas.id === data.id);
