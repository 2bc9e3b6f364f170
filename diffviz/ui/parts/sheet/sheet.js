// A sheet of pixels: a picture is drawn on it, or a region of a given picture is painted. Ink lives
// here, one byte a pixel; Python gets all of it when the hand lets go (see __init__.py).

import { bytesOf, textOf } from "../shared/base64.js";
import { offscreen, onceAFrame, pencil, strokePath } from "../shared/canvas.js";
import { CONCEPTS, themeOf } from "../shared/color.js";
import { el, mounted } from "../shared/dom.js";
import { ARROWS, Undo, capture, isUndo, listenToStrokes, passed, shareIn } from "../shared/hand.js";
import { clamp } from "../shared/numbers.js";

const STEP = 17;             // between two levels of grey; LEVELS in codec.py
const SOFT = 0.75;           // half the width of a brush's soft rim, in pixels
const ALIKE = 96;            // levels that a fill runs over
const STEPS_BACK = 100;      // that can be undone
const LEAP = 4;              // pixels that an arrow key moves with shift
const DELAY = 400;           // ms of rest after a key before Python hears of it
const KEYS = "Keys: arrows move, space paints, Delete erases, Ctrl+Z undoes.";
const HINT = "Arrow keys move from pixel to pixel, with shift in larger steps. Space or Enter "
  + "paints, and draws a line while it is held and the arrows move. Delete erases. Control and Z "
  + "takes back the last change.";

// What differs between the two kinds of sheet. Widths of brushes are in pixels of a sheet of 28.
const KINDS = {
  picture: {
    label: "Drawing",
    sheet: (rows, columns) => `Sheet of ${rows} by ${columns} pixels to draw on`,
    prompt: "Draw here with a mouse, a pen or a finger",
    tools: [["draw", "Draw"], ["fill", "Fill"], ["erase", "Erase"]],
    inks: [[255, "White"], [170, "Light grey"], [85, "Dark grey"]],
    widths: [1.4, 2.5, 5],
    thinnest: [1, 1.6, 3],
  },
  mask: {
    label: "Region",
    sheet: (rows, columns) => `Picture of ${rows} by ${columns} pixels to paint a region on`,
    prompt: "",
    tools: [["draw", "Paint"], ["erase", "Erase"]],
    inks: [],
    widths: [1, 3, 7],
    thinnest: [1, 2, 3],
    starts: [
      ["Left half", (x) => x < 0.5],
      ["Lower half", (x, y) => y > 0.5],
      ["Middle square", (x, y, aside) => aside < 0.5],
      ["All but the middle", (x, y, aside) => aside > 0.5],
    ],
  },
};
const BRUSHES = ["Thin", "Medium", "Thick"];
const DOTS = [5, 10, 19];  // their swatches, px across

const SAVED = new Map();       // a sheet's name -> what is on it, for when it is remounted
const CHOSEN = new Map();      // the same for its tools

/**
 * How far a place is from a piece of a line.
 * @type {(place: number[], from: number[], to: number[]) => number}
 */
export function distance([x, y], [ax, ay], [bx, by]) {
  const [dx, dy] = [bx - ax, by - ay];
  const length = dx * dx + dy * dy;
  const share = length ? clamp(((x - ax) * dx + (y - ay) * dy) / length, 0, 1) : 0;
  return Math.hypot(x - ax - share * dx, y - ay - share * dy);
}

// The sheet ---------------------------------------------------------------------------------------

class Sheet {
  constructor(parent, data) {
    this.parent = parent;
    this.kind = data.kind;
    this.text = KINDS[data.kind];
    this.rows = this.columns = 0;
    this.ink = new Uint8Array(0);  // what is on the sheet, but for the stroke being made
    this.stroke = null;            // {pointer, value, last, wet, ink} while one is being made
    this.undone = new Undo([], STEPS_BACK);
    this.name = this.revision = null;
    this.told = "";                // what Python knows of
    this.timer = 0;
    const chosen = `${data.id} ${data.kind}`;
    this.chosen = CHOSEN.get(chosen)
      || { tool: "draw", ink: this.text.inks.length ? this.text.inks[0][0] : 1, brush: 1 };
    CHOSEN.set(chosen, this.chosen);
    this.cursor = null;            // [column, row] of the keyboard's cursor
    this.shown = false;            // whether that cursor shows
    this.hover = null;             // where the mouse is
    this.repaint = onceAFrame(() => this.paint());
    this.build();
    this.listen();
  }

  build() {
    const { text } = this;
    this.canvas = el("canvas", {
      tabindex: "0", role: "application", "aria-describedby": "sheet-hint",
    });
    this.prompt = el("p", { class: "sheet-prompt", "aria-hidden": "true" }, text.prompt);
    this.paper = el("div", { class: "sheet-paper" }, this.canvas, this.prompt);
    this.tools = el("div", { class: "sheet-tools" });
    this.choose("tool", text.tools);
    if (text.inks.length) this.choose("ink", text.inks);
    this.choose("brush", BRUSHES.map((label, k) => [k, label]));
    if (text.starts) {
      const starts = text.starts.map(([label, inside]) => this.button(label, () => {
        this.finish();
        this.commit(this.region(inside));
      }));
      this.tools.append(el("div", { class: "sheet-starts", role: "group",
        "aria-label": "Regions to start from" }, ...starts));
    }
    this.undoButton = this.button("Undo", () => this.undo());
    this.clearButton = this.button("Clear", () => {
      this.finish();
      this.commit(new Uint8Array(this.ink.length));
    });
    this.note = el("p", { class: "sheet-note", role: "status" });
    this.voice = el("p", { class: "sheet-unseen", "aria-live": "polite" });
    this.tools.append(el("div", { class: "sheet-row" }, this.undoButton, this.clearButton), this.note);
    const hint = el("p", { class: "sheet-unseen", id: "sheet-hint" }, HINT);
    this.root = el("div", { class: `sheet sheet-${this.kind}`, role: "group",
      "aria-label": text.label }, this.paper, this.tools, hint, this.voice);
    this.parent.append(this.root);
    this.context = pencil(this.canvas);
    this.small = offscreen(1, 1);  // one pixel of it is one pixel of the sheet
  }

  button(label, act) {
    return el("button", { type: "button", onclick: act }, label);
  }

  // A row of radio buttons: words, or swatches whose name is heard and shown as a tip.
  choose(name, options) {
    const words = name === "tool";
    const title = name[0].toUpperCase() + name.slice(1);
    const box = el("div", { class: "sheet-options" });
    for (const [value, label] of options) {
      const spoken = words ? label : `${label} ${name}`;
      const input = el("input", { type: "radio", name, "aria-label": spoken,
        onchange: () => { this.chosen[name] = value; } });
      input.checked = value === this.chosen[name];
      const face = el("span", { class: "sheet-face" }, words ? label : el("i"));
      if (name === "ink") face.style.setProperty("--sheet-ink", `rgb(${value},${value},${value})`);
      if (name === "brush") face.style.setProperty("--sheet-dot", `${DOTS[value]}px`);
      box.append(el("label", { title: words ? null : spoken }, input, face));
    }
    this.tools.append(el("div", { class: `sheet-choice sheet-${name}`, role: "radiogroup", "aria-label": title },
      words ? null : el("span", { class: "sheet-name", "aria-hidden": "true" }, title), box));
  }

  listen() {
    const { canvas } = this;
    listenToStrokes(canvas, {
      down: (event) => this.down(event),
      move: (event) => this.move(event),
      up: (pointer) => { if (pointer === this.stroke?.pointer) this.finish(); },
    });
    canvas.addEventListener("pointerleave", () => {
      this.hover = null;
      this.repaint();
    });
    this.root.addEventListener("keydown", (event) => this.key(event));
    canvas.addEventListener("keyup", (event) => {
      if (this.stroke && event.key === this.stroke.key) this.finish(DELAY);
    });
    canvas.addEventListener("focus", () => {
      if (canvas.matches(":focus-visible")) this.show(true);
    });
    canvas.addEventListener("blur", () => this.show(false));
    this.observer = new ResizeObserver(() => this.repaint());
    this.observer.observe(this.root);
  }

  // What Python sends: {id, kind, rows, columns, ink, revision, backdrop, height}. Another revision
  // is another wish; a sheet of another shape has revisions of its own.
  update(data, report) {
    this.report = report;
    this.height = data.height;
    this.backdrop = data.backdrop ? bytesOf(data.backdrop) : null;
    const name = `${data.id} ${data.kind} ${data.rows}x${data.columns}`;
    if (name !== this.name || data.revision !== this.revision) {
      const before = this.name === name ? this.ink : null;
      const { rows, columns, revision } = data;
      Object.assign(this, { name, rows, columns, revision });
      this.canvas.setAttribute("aria-label", this.text.sheet(data.rows, data.columns));
      this.forget();
      const saved = SAVED.get(name);
      if (saved && saved.revision === data.revision) {
        [this.ink, this.undone, this.told] = [saved.ink, saved.undone, saved.told];
        this.send(0);
      } else {
        this.ink = data.ink ? bytesOf(data.ink) : new Uint8Array(data.rows * data.columns);
        this.told = textOf(this.ink);
        if (!before || textOf(before) === this.told) this.undone = new Undo([], STEPS_BACK);
        else this.undone.push(before);
        this.save();
      }
      this.changed();
    }
    this.repaint();
  }

  // Drop what belongs to the ink that was here before.
  forget() {
    clearTimeout(this.timer);
    this.stroke = null;
    this.cursor = null;
  }

  save() {
    const { revision, ink, undone, told } = this;
    SAVED.set(this.name, { revision, ink, undone, told });
  }

  // Everything that shows the ink, after any change.
  changed() {
    const ink = this.stroke ? this.stroke.ink : this.ink;
    const empty = ink.every((v) => v === 0);
    this.prompt.hidden = this.kind !== "picture" || !empty || this.shown || this.stroke !== null;
    this.undoButton.disabled = this.undone.empty;
    this.clearButton.disabled = empty;
    this.note.textContent = this.shown ? KEYS : this.kind === "mask" ? this.share(ink) : "";
    this.repaint();
  }

  share(ink) {
    const n = ink.reduce((sum, v) => sum + v, 0);
    if (n === 0) return "Nothing painted yet: paint over what is to be made anew.";
    const share = Math.round((100 * n) / ink.length);
    return `${n} of ${ink.length} pixels painted (${share} %), to be made anew.`;
  }

  // New ink that can be undone; Python hears of it at once, or after a rest from the keys.
  commit(ink, delay = 0) {
    if (ink.some((v, i) => v !== this.ink[i])) {
      this.undone.push(this.ink);
      this.ink = ink;
      this.send(delay);
    }
    this.changed();
  }

  undo(delay = 0) {
    this.finish(delay);
    if (this.undone.empty) return;
    this.ink = this.undone.pop();
    this.send(delay);
    this.changed();
  }

  send(delay) {
    clearTimeout(this.timer);
    this.save();
    if (delay) {
      this.timer = setTimeout(() => this.send(0), delay);
      return;
    }
    const word = textOf(this.ink);
    if (word === this.told) return;
    this.told = word;
    this.save();
    const { kind, rows, columns, revision } = this;
    this.report("ink", { word, kind, rows, columns, after: revision });
  }

  // Strokes -----------------------------------------------------------------------------------

  // A brush lays the share `wet` of each pixel under its value; one stroke does not darken itself.
  begin(place, tool, more) {
    const value = tool === "erase" ? 0 : this.chosen.ink;
    const wet = new Float32Array(this.ink.length);
    this.stroke = { ...more, value, wet, last: this.snap(place), ink: this.ink.slice() };
    this.stroke.fill = tool === "fill";
    if (this.stroke.fill) this.stroke.ink = this.filled(place, value);
    else this.lay(this.stroke.last);
    this.changed();
  }

  // A region has hard edges, so its brush sits in the middle of a pixel.
  /** @returns {[number, number]} */
  snap([x, y]) {
    return this.kind === "mask" ? [Math.floor(x) + 0.5, Math.floor(y) + 0.5] : [x, y];
  }

  get width() {
    const scale = Math.max(this.rows, this.columns) / 28;
    const { thinnest, widths } = this.text;
    return Math.max(thinnest[this.chosen.brush], widths[this.chosen.brush] * scale);
  }

  lay(place) {
    const { rows, columns, stroke } = this;
    if (stroke.fill) return;
    const radius = this.width / 2;
    const hard = this.kind === "mask";
    const [a, b] = [stroke.last, place];
    const reach = radius + SOFT + 1;
    const from = [0, 1].map((k) => Math.max(0, Math.floor(Math.min(a[k], b[k]) - reach)));
    const to = [columns, rows].map((n, k) => Math.min(n, Math.ceil(Math.max(a[k], b[k]) + reach)));
    for (let y = from[1]; y < to[1]; y++) {
      for (let x = from[0]; x < to[0]; x++) {
        const gap = radius - distance([x + 0.5, y + 0.5], a, b);
        const wet = hard ? Number(gap > -1e-6) : clamp((gap + SOFT) / (2 * SOFT), 0, 1);
        const i = y * columns + x;
        if (wet <= stroke.wet[i]) continue;
        stroke.wet[i] = wet;
        const level = this.ink[i] + wet * (stroke.value - this.ink[i]);
        stroke.ink[i] = hard ? stroke.value : Math.round(level / STEP) * STEP;
      }
    }
    stroke.last = place;
  }

  // The ink with the area around a place filled, and the soft rim of its outline with it.
  filled([px, py], value) {
    const { rows, columns, ink } = this;
    const [x, y] = [clamp(Math.floor(px), 0, columns - 1), clamp(Math.floor(py), 0, rows - 1)];
    const seed = ink[y * columns + x];
    const result = ink.slice();
    const seen = new Set([y * columns + x]);
    for (const i of seen) {
      result[i] = value;
      const [row, column] = [Math.floor(i / columns), i % columns];
      for (const [dx, dy] of [[1, 0], [-1, 0], [0, 1], [0, -1]]) {
        const [cx, cy] = [column + dx, row + dy];
        if (cx < 0 || cy < 0 || cx >= columns || cy >= rows) continue;
        const k = cy * columns + cx;
        if (Math.abs(ink[k] - seed) < ALIKE) seen.add(k);
        else if (value > seed) result[k] = Math.max(result[k], value);
      }
    }
    return result;
  }

  region(inside) {
    const { rows, columns } = this;
    const least = Math.min(rows, columns);
    return Uint8Array.from(this.ink, (_, i) => {
      const [x, y] = [(i % columns) + 0.5, Math.floor(i / columns) + 0.5];
      const aside = (2 * Math.max(Math.abs(x - columns / 2), Math.abs(y - rows / 2))) / least;
      return Number(inside(x / columns, y / rows, aside));
    });
  }

  finish(delay = 0) {
    const { stroke } = this;
    this.stroke = null;
    if (stroke) this.commit(stroke.ink, delay);
  }

  // Pointer ------------------------------------------------------------------------------------

  /** @returns {[number, number]} */
  place(event) {
    const [x, y] = shareIn(this.canvas, event);
    return [x * this.columns, y * this.rows];
  }

  down(event) {
    const rubber = event.button === 5;  // the other end of a pen
    if ((event.button !== 0 && !rubber) || (this.stroke && !this.stroke.key)) return;
    this.finish();
    this.show(false);
    capture(this.canvas, event.pointerId);
    const tool = rubber ? "erase" : this.chosen.tool;
    this.begin(this.place(event), tool, { pointer: event.pointerId });
  }

  move(event) {
    this.hover = event.pointerType === "touch" ? null : this.place(event);
    if (this.stroke && event.pointerId === this.stroke.pointer) {
      for (const part of passed(event)) this.lay(this.snap(this.place(part)));
      this.changed();
    }
    this.repaint();
  }

  // Keyboard -----------------------------------------------------------------------------------

  key(event) {
    const move = ARROWS[event.key];
    const undoes = isUndo(event);
    const paints = event.key === " " || event.key === "Enter";
    const erases = event.key === "Delete" || event.key === "Backspace";
    if (move || paints || undoes) event.stopPropagation(); // space and arrows also drive the player
    if (undoes) this.undo(DELAY);
    else if (event.target !== this.canvas || event.ctrlKey || event.metaKey || event.altKey) return;
    else if (move) this.step(move, event.shiftKey ? LEAP : 1);
    else if (paints || erases) this.press(event, erases);
    else return;
    event.preventDefault();
  }

  step([dx, dy], size) {
    if (this.stroke && !this.stroke.key) return;
    if (this.shown) {
      const [x, y] = this.cursor;
      this.cursor = [
        clamp(x + dx * size, 0, this.columns - 1), clamp(y + dy * size, 0, this.rows - 1),
      ];
    }
    this.show(true);
    if (this.stroke) this.lay(this.middle());
    this.changed();
  }

  press(event, erases) {
    if (event.repeat || (this.stroke && !this.stroke.key)) return;
    this.finish(DELAY);
    this.show(true);
    this.begin(this.middle(), erases ? "erase" : this.chosen.tool, { key: event.key });
    this.say();
  }

  middle() {
    return this.cursor.map((v) => v + 0.5);
  }

  // Show the keyboard's cursor, or put it away and tell Python what the keys have painted.
  show(shown) {
    if (shown) this.cursor = this.cursor || [this.columns >> 1, this.rows >> 1];
    else if (this.shown) this.finish();
    if (!shown && this.shown) this.send(0);
    this.shown = shown;
    this.changed();
    if (shown) this.say();
  }

  say() {
    const [x, y] = this.cursor;
    const value = (this.stroke ? this.stroke.ink : this.ink)[y * this.columns + x];
    const level = this.kind === "mask"
      ? ["not painted", "painted"][value]
      : value === 0 ? "black" : `${Math.round((100 * value) / 255)} % white`;
    this.voice.textContent = `Row ${y + 1}, column ${x + 1}, ${level}`;
  }

  // Painting -----------------------------------------------------------------------------------

  // The canvas takes a whole number of device pixels for each pixel of the sheet.
  fit() {
    const { canvas, rows, columns } = this;
    const ratio = window.devicePixelRatio || 1;
    const longer = Math.max(rows, columns);
    const room = Math.floor(((this.root.clientWidth - 2) * ratio) / columns);
    const cell = Math.max(1, Math.min(room, Math.round((this.height * ratio) / longer)));
    const [width, height] = [columns * cell, rows * cell];
    if (canvas.width !== width || canvas.height !== height) {
      Object.assign(canvas, { width, height });
    }
    canvas.style.width = `${width / ratio}px`;
    canvas.style.height = `${height / ratio}px`;
    this.root.style.setProperty("--sheet-width", `${width / ratio + 2}px`);
    return [cell, ratio];
  }

  paint() {
    if (!this.root.clientWidth) return;
    const [cell, ratio] = this.fit();
    const { canvas, context, small, rows, columns } = this;
    const ink = this.stroke ? this.stroke.ink : this.ink;
    const image = new ImageData(columns, rows);
    const { backdrop } = this;
    for (let i = 0; i < ink.length; i++) {
      for (let k = 0; k < 3; k++) image.data[4 * i + k] = backdrop ? backdrop[3 * i + k] : ink[i];
      image.data[4 * i + 3] = 255;
    }
    if (small.width !== columns || small.height !== rows) {
      Object.assign(small, { width: columns, height: rows });
    }
    pencil(small).putImageData(image, 0, 0);
    context.imageSmoothingEnabled = false;
    context.drawImage(small, 0, 0, canvas.width, canvas.height);
    if (this.kind === "picture") this.paintGrid(cell, ratio);
    else this.paintRegion(ink, cell, ratio);
    if (this.shown) this.paintCursor(cell, ratio);
    else if (this.hover && this.chosen.tool !== "fill") this.paintBrush(cell, ratio);
  }

  paintGrid(cell, ratio) {
    const { canvas, context } = this;
    if (cell < 6 * ratio) return;
    context.fillStyle = "rgba(128,140,156,0.16)";
    const line = Math.max(1, Math.floor(ratio));
    for (let x = cell; x < canvas.width; x += cell) context.fillRect(x, 0, line, canvas.height);
    for (let y = cell; y < canvas.height; y += cell) context.fillRect(0, y, canvas.width, line);
  }

  // The region: a tint, hatching in dark and light, and an outline, to show on any picture.
  paintRegion(ink, cell, ratio) {
    const { canvas, context, rows, columns } = this;
    const color = CONCEPTS[themeOf(this.root).theme].learned;
    const inside = new Path2D();
    const edge = new Path2D();
    const at = (x, y) => x >= 0 && y >= 0 && x < columns && y < rows && ink[y * columns + x] > 0;
    for (let y = 0; y < rows; y++) {
      for (let x = 0; x < columns; x++) {
        if (!at(x, y)) continue;
        const [left, top, right, bottom] = [x, y, x + 1, y + 1].map((v) => v * cell);
        inside.rect(left, top, cell, cell);
        const sides = [
          [x, y - 1, left, top, right, top], [x, y + 1, left, bottom, right, bottom],
          [x - 1, y, left, top, left, bottom], [x + 1, y, right, top, right, bottom],
        ];
        for (const [nx, ny, ...line] of sides) {
          if (at(nx, ny)) continue;
          edge.moveTo(line[0], line[1]);
          edge.lineTo(line[2], line[3]);
        }
      }
    }
    context.save();
    context.fillStyle = color;
    context.globalAlpha = 0.42;
    context.fill(inside);
    context.clip(inside);
    context.globalAlpha = 1;
    const gap = 8 * ratio;
    for (const [shift, stroke] of [[0, "rgba(0,0,0,0.5)"], [ratio, "rgba(255,255,255,0.7)"]]) {
      context.beginPath();
      for (let x = -canvas.height; x < canvas.width; x += gap) {
        context.moveTo(x + shift, canvas.height);
        context.lineTo(x + shift + canvas.height, 0);
      }
      strokePath(context, stroke, ratio);
    }
    context.restore();
    context.lineCap = "square";
    for (const { width, stroke } of [{ width: 3.5, stroke: "#ffffff" }, { width: 1.75, stroke: color }]) {
      context.lineWidth = width * ratio;
      context.strokeStyle = stroke;
      context.stroke(edge);
    }
  }

  // A frame around the keyboard's cell, light on dark so that it shows on any ground.
  paintCursor(cell, ratio) {
    const { context } = this;
    const [x, y] = this.cursor.map((v) => v * cell);
    for (const { width, color } of [{ width: 5, color: "#000000" }, { width: 2.5, color: "#ffd166" }]) {
      context.lineWidth = width * ratio;
      context.strokeStyle = color;
      context.strokeRect(x, y, cell, cell);
    }
  }

  // The reach of the brush under the mouse.
  paintBrush(cell, ratio) {
    const { context } = this;
    const [x, y] = this.snap(this.hover).map((v) => v * cell);
    for (const { width, color } of [{ width: 3, color: "rgba(0,0,0,0.7)" }, { width: 1.25, color: "#ffffff" }]) {
      context.lineWidth = width * ratio;
      context.strokeStyle = color;
      context.beginPath();
      context.arc(x, y, (this.width / 2) * cell, 0, 2 * Math.PI);
      context.stroke();
    }
  }

  dispose() {
    clearTimeout(this.timer);
    this.observer.disconnect();
    this.repaint.cancel();
    this.root.remove();
  }
}

export default mounted((parent, data) => new Sheet(parent, data), (sheet, data) => sheet.kind === data.kind);
