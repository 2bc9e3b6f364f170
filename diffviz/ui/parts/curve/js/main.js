// The plot: every chosen schedule as a line, the custom one with points to drag, a sampler's stops,
// and one image under every schedule.  Nothing is told to Python before the hand lets go.

import { Ahead } from "../../shared/ahead.js";
import { pencil } from "../../shared/canvas.js";
import { themeOf } from "../../shared/color.js";
import { el, mounted, setAll, svg } from "../../shared/dom.js";
import { ARROWS, pointIn } from "../../shared/hand.js";
import { clamp, compact } from "../../shared/numbers.js";
import { caughtUp } from "../../shared/turns.js";
import { HANDLES, alphaThrough, clampPoint, shownAt, widestGap, withPoint, withoutPoint } from "./cubic.js";
import { Axis, Picture, interpolate, plainNumber, spread } from "./draw.js";

const DOUBLE_MS = 420;
const SLOP = 4;
const NEAR = 30;
const KEY_REPORT_MS = 450;
const LABEL_GAP = 21;
const STOP_ROW = 22;
const UNHEARD_MS = 4000;
const LONGEST_LABEL = 22;
const SHARE = 0.49; // of the screen's height that the plot takes
const NARROWEST = 260;
const NAMES = ".st-key-schedules_names button"; // a hand on one of them shows that schedule

function shortened(label) {
  return label.length > LONGEST_LABEL ? `${label.slice(0, LONGEST_LABEL - 1)}…` : label;
}

class Curve {
  constructor(parent) {
    this.parent = parent;
    this.data = null;
    this.points = null;
    this.sent = null;
    this.drag = null;
    this.tap = null;
    this.chosenStops = 0;
    this.abort = new AbortController();
    this.ahead = new Ahead((answer) => answer.json(), this.abort.signal);
    this.said = {}; // what knobs have told Python, by their names
    this.moving = false; // whether one of them is being turned
    this.pointed = null; // the label of the schedule that the hand is on
    this.build();
  }

  build() {
    this.title = el("div", { class: "title" });
    this.add = el("button", { type: "button", class: "add", onclick: () => this.addPoint() }, "+ Point");
    this.hint = el("span", { class: "hint" });
    this.tools = el("div", { class: "tools" }, this.hint, this.add);
    this.picture = svg("svg", { class: "plot" });
    this.strips = el("div", { class: "strips" });
    this.cursor = el("div", { class: "cursor", hidden: true });
    this.readout = el("div", { class: "readout", hidden: true, "aria-hidden": "true" });
    this.stage = el("div", { class: "stage" }, this.picture, this.strips, this.cursor, this.readout);
    this.root = el("div", { class: "curve" }, el("div", { class: "head" }, this.title, this.tools), this.stage);
    Object.assign(this.root, { __curve: this });
    this.parent.querySelector(".curve")?.remove();
    this.parent.appendChild(this.root);
    this.picture.addEventListener("pointerdown", (event) => this.onDown(event));
    this.picture.addEventListener("pointermove", (event) => this.onMove(event));
    this.picture.addEventListener("pointerup", (event) => this.onUp(event));
    this.picture.addEventListener("pointercancel", () => this.onCancel());
    // A finger on a point drags it; anywhere else it scrolls the page.
    this.picture.addEventListener("touchstart", (event) => {
      if (/** @type {Element} */ (event.target).closest?.(".handle")) event.preventDefault();
    }, { passive: false });
    this.stage.addEventListener("pointermove", (event) => this.point(event));
    this.stage.addEventListener("pointerleave", () => this.unpoint());
    this.picture.addEventListener("keydown", (event) => this.onKey(event));
    const options = { signal: this.abort.signal };
    document.addEventListener("diffviz-knob", (event) => this.turned(/** @type {CustomEvent} */ (event).detail), options);
    document.addEventListener("pointerover", (event) => {
      if (event.pointerType === "mouse") this.pointAt(event.target);
    }, options);
    document.addEventListener("focusin", (event) => this.pointAt(event.target), options);
    this.observer = new ResizeObserver(() => {
      const { clientHeight } = document.documentElement;
      const changed = Math.abs(this.root.clientWidth - this.width) > 0.5 || clientHeight !== this.screen;
      if (this.data && changed) this.render();
    });
    for (const node of [this.root, document.documentElement]) this.observer.observe(node);
  }

  // From Python -----------------------------------------------------------------------------------

  update(data, _, report) {
    this.report = report;
    if (this.data && (this.moving || !caughtUp(this.said, data.turns))) return; // the hand is ahead
    if (!this.takes(data.points)) data = { ...data, points: this.points };
    const strip = data.strip;
    if (!strip) this.image = null;
    else if (!this.image || this.image.key !== strip.key) this.image = new Picture(strip);
    this.data = data;
    this.points = data.points;
    this.chosenStops = Math.min(this.chosenStops, Math.max(data.stops.length - 1, 0));
    this.render();
  }

  // Whether to follow the points that came from Python: not those from before what the hand is
  // doing or has just reported.
  takes(points) {
    if (!points || !this.points) return true;
    if (this.drag || this.timer) return false;
    if (!this.sent) return true;
    const heard = JSON.stringify(points) === this.sent.text;
    if (heard || Date.now() - this.sent.at > UNHEARD_MS) this.sent = null;
    return this.sent === null;
  }

  // Knobs, and names of schedules -------------------------------------------------------------------

  // A knob was turned: the plot follows it where what its values change is there, which is asked for
  // when the hand comes near.  Another knob than the last has to wait until Python has heard of that.
  turned(said) {
    const turns = this.data ? this.data.turns : {};
    const turn = turns[said.name];
    if (!turn) return;
    if (said.phase === "near") {
      this.ahead.foresee(turn.url);
      return;
    }
    const ready = caughtUp(this.said, turns, said.name);
    if (said.phase === "done") this.said[said.name] = said;
    this.moving = said.phase === "move";
    const values = (ready && this.ahead.get(turn.url)) || [];
    const [, part] = values.find(([value]) => value === said.value) || [];
    if (!part) return;
    const fresh = Object.fromEntries(part.lines.map((line) => [line.name, line]));
    const lines = this.data.lines.map((line) => fresh[line.name] || line);
    this.data = { ...this.data, view: part.view, stops: part.stops, lines };
    this.render();
  }

  // The hand is on a name: that schedule stands out, drawn faintly where it is not on the plot.
  pointAt(target) {
    const name = target instanceof Element && target.closest(NAMES);
    const label = name ? name.textContent.trim() : null;
    if (label === this.pointed || !this.data || this.drag) return;
    this.pointed = label;
    if (label && this.data.others) this.ahead.foresee(this.data.others, () => this.render());
    this.render();
  }

  // The lines to draw, with the one that the hand is on.
  drawnLines() {
    const { lines, looks, others } = this.data;
    const there = lines.some((line) => line.label === this.pointed);
    const every = (!there && others && this.ahead.get(others)) || { lines: [] };
    const ghost = every.lines.find((line) => line.label === this.pointed);
    return [...lines, ...(ghost ? [{ ...ghost, ghost: true }] : [])].map((line) => ({
      ...line, ...looks[line.name], custom: line.name === "custom" && !line.ghost,
      faint: line.ghost || (there && line.label !== this.pointed) }));
  }

  // Drawing ---------------------------------------------------------------------------------------

  render() {
    const focused = this.focusedHandle();
    this.width = this.root.clientWidth || 700;
    this.dark = themeOf(this.root).dark;
    this.root.classList.toggle("dark", this.dark);
    this.lines = this.drawnLines();
    this.layout();
    this.title.textContent = this.data.view.title + (this.data.view.log ? " (log axis)" : "");
    this.picture.replaceChildren();
    this.drawAxes();
    this.drawLines();
    this.drawStops();
    this.drawHandles();
    this.drawStrips();
    this.follow();
    this.describe();
    if (focused !== null) this.handles[Math.min(focused, this.handles.length - 1)]?.focus();
  }

  layout() {
    const narrow = this.width < 560;
    const names = this.lines.map((line) => line.label.length * 7.6);
    const rows = this.data.stops.map((row) => row.label.length * 6.7);
    const label = Math.min(Math.max(...names, ...rows, 60) + 36, narrow ? 138 : 200);
    this.narrow = narrow;
    this.left = narrow ? 46 : 66;
    const strip = this.data.strip ? Math.max(...names, 60) + 54 : 0;
    this.right = this.width - Math.max(label, Math.min(strip, narrow ? 138 : 220));
    this.plotWidth = this.right - this.left;
    this.top = 12;
    this.screen = document.documentElement.clientHeight;
    this.plotHeight = narrow ? NARROWEST : Math.round(SHARE * this.screen);
    this.bottom = this.top + this.plotHeight;
    this.axis = new Axis(this.data.view, this.top, this.plotHeight);
    this.stopsTop = this.bottom + 8;
    this.axisTop = this.stopsTop + this.data.stops.length * STOP_ROW;
    this.total = this.axisTop + 44;
    setAll(this.picture, { width: this.width, height: this.total, viewBox: `0 0 ${this.width} ${this.total}` });
  }

  x(t) {
    return this.left + t * this.plotWidth;
  }

  color(line) {
    return line.colors[Number(this.dark)];
  }

  // The line's colour for words.
  ink(line) {
    return line.inks[Number(this.dark)];
  }

  drawAxes() {
    const group = svg("g", { class: "axes", "aria-hidden": "true" });
    for (const tick of this.axis.ticks()) {
      const y = this.axis.y(tick.value);
      group.append(
        svg("line", { class: "grid", x1: this.left, x2: this.right, y1: y, y2: y }),
        svg("text", { class: "tick", x: this.left - 8, y: y + 5, "text-anchor": "end" }, tick.label),
      );
    }
    const step = this.narrow ? 0.2 : 0.1;
    for (let k = 0; k * step <= 1.0001; k++) {
      const x = this.x(k * step);
      group.append(
        svg("line", { class: "grid", x1: x, x2: x, y1: this.top, y2: this.bottom }),
        svg("text", { class: "tick", x, y: this.axisTop + 15, "text-anchor": "middle" },
          plainNumber(Number((k * step).toFixed(1)))),
      );
    }
    group.append(
      svg("line", { class: "frame", x1: this.left, x2: this.right, y1: this.bottom, y2: this.bottom }),
      svg("line", { class: "frame", x1: this.left, x2: this.left, y1: this.top, y2: this.bottom }),
      svg("text", { class: "name", x: (this.left + this.right) / 2, y: this.axisTop + 35, "text-anchor": "middle" },
        this.narrow ? "time t (0 data, 1 noise)" : "time t   (0 = data, 1 = noise)"),
    );
    const clip = svg("clipPath", { id: "inside" }, svg("rect", {
      x: this.left - 2, y: this.top - 2, width: this.plotWidth + 4, height: this.plotHeight + 4 }));
    this.picture.append(clip, group);
  }

  drawLines() {
    this.drawn = svg("g", { "clip-path": "url(#inside)", "aria-hidden": "true" });
    this.stopMarks = svg("g", { class: "marks", "clip-path": "url(#inside)", "aria-hidden": "true" });
    this.labels = svg("g", { class: "labels", "aria-hidden": "true" });
    this.picture.append(this.stopMarks, this.drawn, this.labels);
    for (const line of this.lines) {
      const stroke = this.color(line);
      if (line.before) {
        const [t, columns] = line.before;
        for (const y of columns) this.drawn.append(svg("path", { class: "before", stroke, d: this.path(t, y) }));
      }
      line.paths = line.columns.map((_, k) => svg("path", {
        class: `line${k ? " thin" : ""}${line.faint ? " faint" : ""}`, stroke, "stroke-dasharray": line.dash || null }));
      line.dots = svg("g", { fill: stroke });
      this.drawn.append(...line.paths, line.dots);
      line.leader = svg("path", { class: "leader", stroke });
      line.tag = svg("text", { class: "label", style: `fill:${this.ink(line)}` }, shortened(line.label));
      this.labels.append(line.leader, line.tag);
    }
  }

  path(t, y) {
    let d = "";
    for (let k = 0; k < t.length; k++) {
      d += `${k ? "L" : "M"}${this.x(t[k]).toFixed(1)} ${this.axis.y(y[k]).toFixed(1)}`;
    }
    return d;
  }

  // Everything that follows the hand: the custom line, its points, the labels and the stops.
  follow() {
    for (const line of this.lines) {
      if (line.custom && this.points) this.recompute(line);
      line.paths.forEach((path, k) => path.setAttribute("d", this.path(line.t, line.columns[k])));
      const few = line.dotted && line.t.length <= 60;
      line.dots.replaceChildren(...(few ? line.t.map((t, k) =>
        svg("circle", { cx: this.x(t), cy: this.axis.y(line.columns[0][k]), r: 3.5 })) : []));
    }
    this.placeLabels();
    this.placeHandles();
    this.markStops();
  }

  recompute(line) {
    const alpha = alphaThrough(this.points);
    const rows = line.t.map((t) => shownAt(this.data.view.name, alpha, t));
    line.columns = line.columns.map((_, k) => rows.map((row) => row[k]));
    line.levels = this.data.strip?.times.map((t) => [alpha(t), Math.sqrt(Math.max(0, (1 - alpha(t)) * (1 + alpha(t))))]);
  }

  placeLabels() {
    const ends = this.lines.map((line) => {
      const last = line.columns[0][line.columns[0].length - 1];
      return clamp(this.axis.y(last), this.top, this.bottom);
    });
    const at = spread(ends, LABEL_GAP, this.top + 4, this.bottom - 4);
    this.lines.forEach((line, k) => {
      const x = this.right;
      setAll(line.leader, { d: `M${x + 2} ${ends[k]}L${x + 10} ${ends[k]}L${x + 22} ${at[k]}L${x + 28} ${at[k]}` });
      setAll(line.tag, { x: x + 32, y: at[k] + 5 });
    });
  }

  // The stops of a sampler ------------------------------------------------------------------------

  drawStops() {
    const [first] = this.data.stops;
    if (first && !this.narrow) {
      this.picture.append(svg("text", { class: "tick", x: this.left - 8, y: this.stopsTop + STOP_ROW / 2 + 5,
        "text-anchor": "end" }, `${first.t.length} stops`));
    }
    this.stopRows = this.data.stops.map((row, k) => {
      const y = this.stopsTop + k * STOP_ROW + STOP_ROW / 2;
      const ticks = row.t.map((t) => {
        const x = this.x(t).toFixed(1);
        return `M${x} ${y - 6}V${y + 6}`;
      }).join("");
      const group = svg("g", { class: "stops", role: "button", tabindex: "0",
        "aria-label": `${row.label}: show these ${row.t.length} stops on the line of ${row.on}` },
        svg("title", {}, `${row.label}: ${row.t.length} stops on ${row.on}`),
        svg("rect", { class: "hit", x: 0, y: y - STOP_ROW / 2, width: this.width, height: STOP_ROW }),
        svg("line", { class: "rail", x1: this.left, x2: this.right, y1: y, y2: y }),
        svg("path", { class: "ticks", d: ticks }),
        svg("text", { class: "label", x: this.right + 32, y: y + 5 }, row.label));
      const choose = () => { this.chosenStops = k; this.markStops(); };
      group.addEventListener("click", choose);
      group.addEventListener("keydown", (event) => {
        if (event.key !== "Enter" && event.key !== " ") return;
        event.preventDefault();
        choose();
      });
      this.picture.append(group);
      return group;
    });
  }

  markStops() {
    this.stopMarks.replaceChildren();
    this.stopRows.forEach((group, k) => {
      group.setAttribute("aria-pressed", String(k === this.chosenStops));
    });
    const row = this.data.stops[this.chosenStops];
    const line = row && this.lines.find((each) => each.name === row.name);
    if (!line) return;
    for (const t of row.t) {
      const y = interpolate(line.t, line.columns[0], t);
      if (y === null) continue;
      const [px, py] = [this.x(t), this.axis.y(y)];
      this.stopMarks.append(
        svg("line", { class: "drop", x1: px, x2: px, y1: py, y2: this.bottom }),
        svg("line", { class: "on-curve", x1: px, x2: px, y1: py - 7, y2: py + 7, stroke: this.color(line) }));
    }
  }

  // The points of the custom schedule -------------------------------------------------------------

  get editable() {
    return Boolean(this.points && HANDLES[this.data.view.name]);
  }

  drawHandles() {
    const line = this.lines.find((each) => each.custom);
    this.tools.hidden = !line;
    this.add.hidden = !this.editable;
    const drag = "Drag a point. Double-click: add or remove one.";
    this.hint.textContent = this.editable ? drag : "Points can be dragged in the other views.";
    this.add.title = "Add a point to the custom schedule in its widest gap";
    this.group = svg("g", { class: "handles" });
    this.picture.append(this.group);
    this.handles = [];
    if (!line || !this.editable) return;
    this.points.forEach((_, k) => {
      const handle = svg("g", { class: k === 0 ? "handle fixed" : "handle", role: "slider", tabindex: "0",
        "aria-orientation": "vertical", "aria-valuemin": "0", "aria-valuemax": "1", "data-point": k },
        svg("circle", { class: "reach", r: 20 }),
        svg("circle", { class: "ring", r: 13 }),
        svg("circle", { class: "knob", r: k === 0 ? 5 : 8, stroke: this.color(line) }),
        svg("text", { class: "value", "text-anchor": "middle" }));
      this.handles.push(handle);
      this.group.append(handle);
    });
  }

  // Height of a control point.
  handleY(bar) {
    return clamp(this.axis.y(HANDLES[this.data.view.name].up(bar)), this.top, this.bottom);
  }

  placeHandles() {
    this.handles.forEach((handle, k) => {
      const [t, bar] = this.points[k];
      const y = this.handleY(bar);
      handle.setAttribute("transform", `translate(${this.x(t).toFixed(2)} ${y.toFixed(2)})`);
      const words = `t ${compact(t)}, alpha-bar ${compact(bar)}`;
      const fixed = k === 0 ? ", fixed: clean data" : "";
      setAll(handle, {
        "aria-label": `Control point ${k + 1} of ${this.points.length} of the custom schedule${fixed}`,
        "aria-valuenow": bar, "aria-valuetext": words, "aria-disabled": k === 0 ? "true" : null });
      const text = handle.querySelector(".value");
      text.textContent = words;
      const high = y < this.top + 44;
      const half = text.textContent.length * 3.7;
      const shift = clamp(this.left + half - this.x(t), 0, 1e3)
        - Math.max(0, this.x(t) + half - this.width);
      setAll(text, { y: high ? 32 : -22, x: shift });
    });
  }

  focusedHandle() {
    const active = /** @type {ShadowRoot} */ (this.root.getRootNode()).activeElement;
    const k = active && this.handles ? this.handles.indexOf(active) : -1;
    return k < 0 ? null : k;
  }

  setPoints(points, { redraw = false } = {}) {
    this.points = points;
    if (redraw) {
      this.group.remove();
      this.drawHandles();
    }
    this.follow();
    const row = this.lines.findIndex((line) => line.custom);
    if (row >= 0) this.paintStrip(row);
  }

  tell() {
    clearTimeout(this.timer);
    this.timer = null;
    const text = JSON.stringify(this.points);
    if (text === JSON.stringify(this.data.points)) return;
    this.sent = { text, at: Date.now() };
    this.data = { ...this.data, points: this.points };
    this.report("points", this.points);
  }

  tellLater() {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.tell(), KEY_REPORT_MS);
  }

  addPoint(t = widestGap(this.points)) {
    const points = withPoint(this.points, t);
    if (!points) return;
    this.setPoints(points, { redraw: true });
    const k = points.findIndex((p) => Math.abs(p[0] - t) < 1e-3);
    this.handles[k]?.focus();
    this.tell();
  }

  removePoint(k) {
    const points = withoutPoint(this.points, k);
    if (!points) return;
    this.setPoints(points, { redraw: true });
    this.handles[Math.min(k, points.length - 1)]?.focus();
    this.tell();
  }

  // Pointer and keys ------------------------------------------------------------------------------

  onDown(event) {
    if (event.button !== 0 || !this.editable) return;
    const at = pointIn(this.picture, event);
    const handle = event.target.closest?.(".handle");
    const k = handle ? Number(handle.dataset.point) : null;
    this.down = { ...at, k, moved: false };
    if (k === null) return;
    handle.focus();
    this.picture.setPointerCapture(event.pointerId);
    if (k === 0) return;
    const [t, bar] = this.points[k];
    this.drag = { k, dx: this.x(t) - at.x, dy: this.handleY(bar) - at.y, before: this.points };
  }

  onMove(event) {
    if (!this.down) return;
    const at = pointIn(this.picture, event);
    if (Math.hypot(at.x - this.down.x, at.y - this.down.y) > SLOP) this.down.moved = true;
    if (!this.drag || !this.down.moved) return;
    const t = (at.x + this.drag.dx - this.left) / this.plotWidth;
    const y = clamp(at.y + this.drag.dy, this.top, this.bottom);
    this.movePoint(this.drag.k, t, HANDLES[this.data.view.name].down(this.axis.value(y)));
    this.root.classList.add("dragging");
  }

  movePoint(k, t, bar) {
    const points = this.points.slice();
    points[k] = clampPoint(points, k, t, bar);
    this.setPoints(points);
  }

  onUp(event) {
    const { down, drag } = this;
    this.down = this.drag = null;
    this.root.classList.remove("dragging");
    if (!down) return;
    if (drag && down.moved) {
      this.tell();
      return;
    }
    if (!down.moved) this.onTap(pointIn(this.picture, event), down.k);
  }

  onCancel() {
    if (this.drag) this.setPoints(this.drag.before);
    this.down = this.drag = null;
    this.root.classList.remove("dragging");
  }

  onTap(at, k) {
    const before = this.tap;
    const now = performance.now();
    this.tap = { ...at, k, now };
    if (!before || now - before.now > DOUBLE_MS || before.k !== k
      || Math.hypot(at.x - before.x, at.y - before.y) > 16) return;
    this.tap = null;
    if (k !== null) {
      this.removePoint(k);
      return;
    }
    const line = this.lines.find((each) => each.custom);
    const t = (at.x - this.left) / this.plotWidth;
    const y = interpolate(line.t, line.columns[0], t);
    if (y !== null && Math.abs(this.axis.y(y) - at.y) <= NEAR) this.addPoint(t);
  }

  onKey(event) {
    const k = this.focusedHandle();
    if (k === null || event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.key === "Delete" || event.key === "Backspace") {
      event.preventDefault();
      this.removePoint(k);
    } else if (ARROWS[event.key]) {
      event.preventDefault();
      const far = event.shiftKey ? 5 : 1;
      const [dx, dy] = ARROWS[event.key];
      const [t, bar] = this.points[k];
      const y = this.handleY(bar) + dy * far * 0.01 * this.plotHeight;
      const down = dy ? HANDLES[this.data.view.name].down(this.axis.value(y)) : bar;
      this.movePoint(k, t + dx * far * 0.01, down);
      this.tellLater();
    }
  }

  // What lies under the pointer: a line at that time, and every schedule's value.
  point(event) {
    const { x, y } = pointIn(this.picture, event);
    const t = (x - this.left) / this.plotWidth;
    const inside = t > -0.01 && t < 1.01 && y < this.bottom && event.pointerType === "mouse";
    if (!inside || this.drag) {
      this.unpoint();
      return;
    }
    const time = clamp(t, 0, 1);
    const rows = this.lines.map((line) => ({ line, values: line.columns.map((ys) => interpolate(line.t, ys, time)) }))
      .filter((row) => row.values[0] !== null);
    this.readout.replaceChildren(
      el("div", { class: "when" }, el("span", {}, `t = ${time.toFixed(3)}`),
        rows.some((row) => row.values.length > 1) ? el("span", {}, "alpha · sigma") : null),
      ...rows.map(({ line, values }) => el("div", { class: "row" },
        el("i", { style: `background:${this.color(line)}` }), el("span", {}, line.label),
        el("b", {}, values.map((v) => compact(v)).join(" · ")))));
    this.cursor.hidden = this.readout.hidden = false;
    const px = this.x(time);
    this.cursor.style.cssText = `left:${px}px;top:${this.top}px;height:${this.stage.clientHeight - this.top}px`;
    const wide = this.readout.offsetWidth;
    const onLeft = px + 16 + wide > this.right;
    this.readout.style.left = `${onLeft ? px - 16 - wide : px + 16}px`;
    this.readout.style.top = `${Math.min(Math.max(y - 30, this.top), Math.max(this.bottom - this.readout.offsetHeight, this.top))}px`;
  }

  unpoint() {
    this.cursor.hidden = this.readout.hidden = true;
  }

  // One image under every schedule ----------------------------------------------------------------

  drawStrips() {
    this.strips.replaceChildren();
    this.canvases = [];
    if (!this.image) return;
    const { times } = this.data.strip;
    this.shown = times.map((_, k) => k).filter((k) => !this.narrow || k % 2 === 0);
    const pitch = this.plotWidth / (this.shown.length - 1);
    this.cellSize = this.image.side(Math.min(Math.floor(pitch) - 3, 72));
    const tall = Math.round(this.cellSize * this.image.height / this.image.width);
    this.lines.forEach((line, k) => {
      const canvas = el("canvas", { role: "img",
        "aria-label": `The image under ${line.label} at equal times from 0 to 1${line.rescaled ? ", scaled to fit" : ""}` });
      const name = el("span", { style: `color:${this.ink(line)}` }, line.label);
      const note = line.rescaled ? el("small", {}, "÷ √(α² + σ²)") : null;
      const label = el("div", { class: "strip-label" }, name, note);
      label.style.left = `${this.right + this.cellSize / 2 + 8}px`;
      label.style.maxWidth = `${this.width - this.right - this.cellSize / 2 - 8}px`;
      const row = el("div", { class: "strip" }, canvas, label);
      row.style.height = `${tall + 5}px`;
      canvas.style.left = `${this.left - this.cellSize / 2}px`;
      this.strips.append(row);
      this.canvases.push(canvas);
      this.paintStrip(k);
    });
  }

  paintStrip(k) {
    const canvas = this.canvases[k];
    if (!canvas || !this.image) return;
    const line = this.lines[k];
    if (line.custom && this.points) this.recompute(line);
    const ratio = Math.min(window.devicePixelRatio || 1, 3);
    const tall = Math.round(this.cellSize * this.image.height / this.image.width);
    const wide = this.plotWidth + this.cellSize;
    canvas.width = Math.round(wide * ratio);
    canvas.height = Math.round(tall * ratio);
    canvas.style.width = `${wide}px`;
    canvas.style.height = `${tall}px`;
    const context = pencil(canvas);
    context.imageSmoothingEnabled = this.image.width > this.cellSize * ratio;
    context.imageSmoothingQuality = "high";
    this.shown.forEach((column, i) => {
      const [alpha, sigma] = line.levels[column];
      const cell = this.image.mix(alpha, sigma, line.rescaled ? Math.hypot(alpha, sigma) : 1);
      const x = Math.round(((i / (this.shown.length - 1)) * this.plotWidth) * ratio);
      context.drawImage(cell, x, 0, Math.round(this.cellSize * ratio), Math.round(tall * ratio));
    });
  }

  // For those who cannot see it, and for tests ----------------------------------------------------

  describe() {
    const names = this.lines.map((line) => line.label).join(", ") || "no schedule";
    setAll(this.picture, { role: "group", "aria-label": `${this.title.textContent} over time t, for ${names}` });
  }

  // The lines as they are drawn: {name: {t, columns}}, the points, and the stops on the curve.
  state() {
    return {
      view: this.data.view.name,
      points: this.points,
      lines: Object.fromEntries(this.lines.map((line) => [line.name, { t: line.t, columns: line.columns }])),
      stops: this.data.stops.map((row) => row.label),
      dragging: Boolean(this.drag),
    };
  }

  dispose() {
    this.abort.abort();
    this.observer.disconnect();
    this.root.remove();
  }
}

export default mounted((parent) => new Curve(parent), (curve) => curve.root.isConnected);
