// A knob: a slider over chosen values with its usual one marked, and a number that can be typed.
// It says what it shows while it moves, to whoever listens on the page ("diffviz-knob"), and tells
// Python once the hand lets go.

import { el, mounted, setAll, setText } from "../shared/dom.js";
import { clamp } from "../shared/numbers.js";

const KEYS_MS = 250; // after the last key
const REST_MS = 80; // while the hand holds still
const THUMB = 16; // pixels
const MOST_TICKS = 30; // more would be a bar

/**
 * @typedef {{name: string, key: string, label: string, help: string, value: number, usual: number,
 *   stops: number[], words: string[], ends: number[] | null, whole: boolean, heard: number}} Sent
 *   what Python sends; words are how the stops are written, ends the limits of what can be typed,
 *   heard the number of the last report that it answers
 */

/**
 * The number that somebody typed, or why it is none.
 * @type {(text: string, ends: number[], whole: boolean) => {value: number} | {why: string}}
 */
export function typedNumber(text, ends, whole) {
  const plain = text.trim().replace(/[\s\u202f_]/g, "");
  const thousands = /^[+-]?\d{1,3}(,\d{3})+(\.\d*)?$/.test(plain) && !/^[+-]?0,/.test(plain);
  const value = plain === "" ? NaN : Number(plain.replaceAll(",", thousands ? "" : "."));
  const [low, high] = ends.map((end) => end.toLocaleString("en"));
  if (!Number.isFinite(value) || (whole && !Number.isInteger(value))) {
    return { why: `${whole ? "A whole number" : "A number"} from ${low} to ${high}` };
  }
  return value < ends[0] || value > ends[1] ? { why: `From ${low} to ${high}` } : { value };
}

/**
 * The stops with one more value among them, and its place.
 * @type {(stops: number[], value: number) => {all: number[], at: number}}
 */
export function among(stops, value) {
  const all = [...new Set([...stops, value])].sort((a, b) => a - b);
  return { all, at: all.indexOf(value) };
}

class Knob {
  /** @param {HTMLElement} parent */
  constructor(parent) {
    this.count = 0;
    this.held = false;
    this.typing = false;
    this.timer = 0;
    this.resting = 0;
    this.label = el("label", { class: "dvk-label", for: "range" });
    this.range = el("input", { id: "range", class: "dvk-range", type: "range", min: "0", step: "1",
      oninput: () => this.moved(),
      onpointerdown: () => { this.held = true; this.before = this.value; },
      onblur: () => { if (this.timer) this.done(); },
      ondblclick: () => this.set(this.sent.usual) });
    this.ticks = el("div", { class: "dvk-ticks", "aria-hidden": "true" });
    this.typed = el("input", { class: "dvk-typed", type: "text", autocomplete: "off",
      oninput: () => { this.typing = true; },
      onkeydown: (/** @type {KeyboardEvent} */ event) => this.typedKey(event),
      onblur: () => this.take() });
    this.now = el("output", { class: "dvk-now" });
    this.note = el("div", { class: "dvk-note", role: "alert", hidden: true });
    this.help = el("div", { class: "dvk-help", popover: "auto" });
    this.ask = el("button", { class: "dvk-ask", type: "button", onclick: () => this.help.togglePopover() }, "?");
    const near = () => this.say("near");
    this.root = el("div", { class: "dvk", onpointerenter: near, onfocusin: near },
      el("div", { class: "dvk-head" }, this.label, this.ask, this.help, this.now),
      el("div", { class: "dvk-row" },
        el("div", { class: "dvk-track" }, this.ticks, this.range), this.typed),
      this.note);
    parent.append(this.root);
    this.abort = new AbortController();
    const options = { signal: this.abort.signal };
    document.addEventListener("pointerup", () => this.release(), options); // wherever the hand is
    document.addEventListener("pointercancel", () => this.giveUp(), options); // the page scrolls
  }

  /** @param {Sent} sent @param {(name: string, value: any) => void} state */
  update(sent, state) {
    this.tell = state;
    const before = this.sent;
    this.sent = sent;
    if (!before) this.count = sent.heard;
    setText(this.label, sent.label);
    setAll(this.ask, { hidden: !sent.help, "aria-label": `Help for ${sent.label}` });
    setText(this.help, sent.help);
    setAll(this.typed, { hidden: !sent.ends, "aria-label": `${sent.label}: a number`,
      inputmode: sent.whole ? "numeric" : "decimal" });
    this.now.hidden = Boolean(sent.ends);
    if (this.held || this.timer || sent.heard < this.count) return; // the hand is ahead of Python
    this.show(sent.value);
  }

  /** @param {number} value */
  show(value) {
    const { stops, usual } = this.sent;
    const { all, at } = among(stops, value);
    this.value = value;
    this.all = all;
    setAll(this.range, { max: String(all.length - 1) });
    this.range.value = String(at);
    this.written();
    const marked = all.length <= MOST_TICKS ? all : [usual];
    const places = marked.map((stop) => el("i", { class: stop === usual ? "dvk-usual" : null,
      style: { left: `calc(${THUMB / 2}px + ${all.length > 1 ? all.indexOf(stop) / (all.length - 1) : 0} * (100% - ${THUMB}px))` } }));
    this.ticks.replaceChildren(...places);
  }

  // Write the value down, where it is read, heard and typed.
  written() {
    const { stops, words, ends } = this.sent;
    const word = stops.includes(this.value) ? words[stops.indexOf(this.value)] : String(this.value);
    setAll(this.range, { "aria-valuetext": word });
    setText(this.now, word);
    if (!ends || this.typing) return;
    this.typed.value = String(this.value);
    this.note.hidden = true;
    this.typed.removeAttribute("aria-invalid");
  }

  // The slider was moved, by a hand that holds it or by a key.
  moved() {
    this.value = this.all[Number(this.range.value)];
    this.typing = false; // what was typed and not taken gives way
    this.written();
    this.say("move");
    this.restLater();
    if (!this.held) this.doneLater();
  }

  restLater() {
    clearTimeout(this.resting);
    this.resting = setTimeout(() => this.say("rest"), REST_MS);
  }

  doneLater() {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.done(), KEYS_MS);
  }

  // A hand lets go; where nothing has changed meanwhile, Python need not be told.
  release() {
    if (!this.held) return;
    this.held = false;
    if (this.value !== this.before) {
      this.done();
      return;
    }
    clearTimeout(this.resting);
    this.say("rest");
  }

  // The finger was there to scroll: everything is as it was.
  giveUp() {
    if (!this.held) return;
    this.show(this.before);
    this.release();
  }

  /** @param {number} value */
  set(value) {
    this.typing = false;
    this.show(value);
    this.done();
  }

  done() {
    clearTimeout(this.timer);
    clearTimeout(this.resting);
    this.timer = 0;
    this.count += 1;
    this.say("done");
    this.tell("value", { value: this.value, count: this.count });
  }

  /** @param {"near" | "move" | "rest" | "done"} phase */
  say(phase) {
    const { name, key } = this.sent;
    const detail = { name, key, value: this.value, phase, count: this.count };
    document.dispatchEvent(new CustomEvent("diffviz-knob", { detail }));
  }

  /** @param {KeyboardEvent} event */
  typedKey(event) {
    const { stops, ends } = this.sent;
    if (event.key === "Enter") {
      this.take();
    } else if (event.key === "Escape") {
      this.typing = false;
      this.written();
    } else if (event.key === "ArrowUp" || event.key === "ArrowDown") {
      event.preventDefault();
      const read = ends && typedNumber(this.typed.value, ends, this.sent.whole);
      const { all, at } = among(stops, read && "value" in read ? read.value : this.value);
      const to = all[clamp(at + (event.key === "ArrowUp" ? 1 : -1), 0, all.length - 1)];
      if (!ends || to === this.value) return;
      this.typing = false;
      this.show(to);
      this.say("move");
      this.restLater();
      this.doneLater();
    } else {
      return;
    }
    event.stopPropagation();
  }

  // Take what was typed; what cannot be had is said, and stays to be mended.
  take() {
    if (!this.typing) {
      if (this.timer) this.done();
      return;
    }
    const read = typedNumber(this.typed.value, this.sent.ends, this.sent.whole);
    if ("why" in read) {
      setText(this.note, read.why);
      this.note.hidden = false;
      this.typed.setAttribute("aria-invalid", "true");
      return;
    }
    this.typing = false;
    if (read.value === this.value && !this.timer) this.written();
    else this.set(read.value);
  }

  // What was chosen is not lost with the menu that it stands in.
  dispose() {
    if (this.timer) this.done();
    else if (this.held) this.say("rest");
    clearTimeout(this.resting);
    this.abort.abort();
    this.root.remove();
  }
}

export default mounted((parent) => new Knob(parent));
