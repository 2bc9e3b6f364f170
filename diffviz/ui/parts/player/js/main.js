// The player: one clock for all panels, the layout, keyboard and pointer, and reports to Python.

import { Ahead } from "../../shared/ahead.js";
import { el, mounted, setAll, setText } from "../../shared/dom.js";
import { watchMenus } from "../../shared/menus.js";
import { clamp } from "../../shared/numbers.js";
import { Run, readSheaf } from "./buffer.js";
import { TimeAxis } from "./clock.js";
import { FieldsView } from "./fields.js";
import { FilmStrip, ImagesView } from "./images.js";
import { LinesView } from "./lines.js";
import { icon, makeGlyph } from "./marks.js";
import { applyPalette, readPalette } from "./palette.js";
import { PointsView } from "./points.js";
import { RailView, StepLine } from "./rail.js";
import { Scrubber, describeFrame } from "./scrubber.js";
import { addressAt, addressOf, caughtUp } from "../../shared/turns.js";
import { View } from "./view.js";

const SPEEDS = [0.25, 0.5, 1, 2, 4];
const SECONDS_PER_FRAME = 0.12;
const RUN_SECONDS = [1.5, 9];
const HOLD_AT_END_MS = 900;
const KEY_REPORT_MS = 250;
const CLICK_SLOP = 5;
// Layout: the share of the screen's height that the panels have, by the player's width; from which
// width on the rail may stand beside them, and what it then takes; what is between panels.  A panel
// of points is at most as high as wide, another one at most TALL times, but on a phone; none is more
// than FLAT times as wide as high.
const NARROW = 560;
const WIDE = 900;
const shareOf = (width) => (width >= WIDE ? 0.6 : width >= NARROW ? 0.56 : 0.5);
const RAIL = { width: 300, gap: 18 };
const PANEL_GAP = 12;
const FLAT = 1.6;
const TALL = 1.25;
const PLANES = ["points", "fields"];
const COPIED_MS = 1600;

const PATIENCE_MS = 400;
const DWELL_MS = 120; // of a hand on a name, before its run is asked for
const CHOSEN_MS = 700; // from the end of looking until the page must have said what was chosen
const RETRY_MS = 3000;
const UNREACHABLE = "The app cannot be reached.";

const COPY_LINK = "Copy a link to this step";

const ICONS = {
  play: "M8 5.5v13l11-6.5z",
  pause: "M7 5h3.5v14H7zM13.5 5H17v14h-3.5z",
  back: "M6 5h2.5v14H6zM19 5.5v13L10 12z",
  forward: "M15.5 5H18v14h-2.5zM5 5.5v13l9-6.5z",
  link: "M10 14a4 4 0 0 0 6 .4l3-3a4 4 0 0 0-5.7-5.7L11.8 7.2M14 10a4 4 0 0 0-6-.4l-3 3a4 4 0 0 0 5.7 5.7L12.2 16.8",
  done: "M5 12.5l4.5 4.5L19 7.5",
  loop: "M17 2.5l3.5 3.5L17 9.5M20 6H8a4.5 4.5 0 0 0-4.5 4.5V12M7 21.5L3.5 18 7 14.5M4 18h12a4.5 4.5 0 0 0 4.5-4.5V12",
};

const VIEWS = { points: PointsView, fields: FieldsView, lines: LinesView, images: ImagesView, mix: ImagesView };
const FILM_KINDS = ["images", "mix"];

// The player that keys go to while nothing on the page has the focus.
let activePlayer = null;

// What stands above a panel: its title and what acts in it.
function headOf(panel) {
  return [
    ...(panel.title ? [el("h2", { class: "dvz-title" }, panel.title)] : []),
    ...(panel.badges || [panel.badge]).filter(Boolean).map((badge) =>
      el("span", { class: `dvz-badge dvz-badge-${badge}` }, badge)),
  ];
}

class Player {
  constructor(parent) {
    this.parent = parent;
    this.position = 0;
    this.playing = false;
    this.speed = 1;
    this.loop = false;
    this.follow = null;
    this.hover = null;
    this.layers = {};
    this.chosen = {}; // the layers that are not as usual
    this.coordinate = null;
    this.views = [];
    this.run = null;
    /** @type {Record<"scrubber" | "rail" | "stepLine", any>} what shows the run as a whole */
    this.around = { scrubber: null, rail: null, stepLine: null };
    this.reportedStep = null;
    this.revisions = {};
    this.said = {}; // what knobs have told Python, by their names
    this.moving = false; // whether one of them is being turned
    this.looking = ""; // at the run of which name in a menu
    this.few = false; // whether what is shown lacks the samples that a hand does not wait for
    this.whole = null; // the last run that did not
    this.abort = new AbortController();
    // what makes other runs of the samples of the whole one
    this.levels = new Ahead(async (answer) => readSheaf(new Uint8Array(await answer.arrayBuffer())), this.abort.signal);
    this.raf = 0;
    this.dirty = false;
    this.stats = { draws: 0, drawMs: 0, intervals: [], firstDraw: null };
    this.motion = matchMedia("(prefers-reduced-motion: reduce)");
    this.build();
    this.listen();
    if (!activePlayer) activePlayer = this;
  }

  // The page --------------------------------------------------------------------------------------

  build() {
    const stale = this.parent.querySelector(".dvz");
    if (stale && stale.__diffviz) stale.__diffviz.dispose();
    const button = (name, label, act) =>
      el("button", { class: `dvz-button dvz-${name}`, type: "button", "aria-label": label, title: label,
        onclick: act }, icon(ICONS[name], !["loop", "link"].includes(name)));
    this.playButton = button("play", "Play (space)", () => this.toggle());
    this.backButton = button("back", "Step back (left arrow)", () => this.step(-1, true));
    this.nextButton = button("forward", "Step forward (right arrow)", () => this.step(1, true));
    this.loopButton = button("loop", "Loop", () => this.setLoop(!this.loop));
    this.linkButton = button("link", COPY_LINK, () => this.copyLink());
    this.speedSelect = el("select", { class: "dvz-speed", "aria-label": "Speed", title: "Speed",
      onchange: () => { this.speed = Number(this.speedSelect.value); } },
    ...SPEEDS.map((s) => el("option", { value: s, selected: s === 1 }, `${s}×`)));
    this.slider = el("div", { class: "dvz-scrubber", role: "slider", tabindex: "0",
      "aria-label": "Time in the run", "aria-orientation": "horizontal" });
    this.startWord = el("span", { class: "dvz-end" });
    this.endWord = el("span", { class: "dvz-end" });
    this.countText = el("span", { class: "dvz-count" });
    this.timeText = el("span", { class: "dvz-time" });
    this.snrText = el("span", { class: "dvz-snr" });
    this.toolbar = el("div", { class: "dvz-toolbar", role: "group", "aria-label": "Layers" });
    this.panels = el("div", { class: "dvz-panels" });
    this.stepHost = el("div", { class: "dvz-stepline" });
    this.railHost = el("aside", { class: "dvz-rail", "aria-label": "Measurements" });
    this.message = el("div", { class: "dvz-message", role: "alert", hidden: true });
    this.transport = el("div", { class: "dvz-transport", role: "group", "aria-label": "Playback" },
      el("div", { class: "dvz-buttons" }, this.backButton, this.playButton, this.nextButton),
      el("div", { class: "dvz-timeline" },
        el("div", { class: "dvz-readout" }, this.startWord,
          el("span", { class: "dvz-now" }, this.countText, this.timeText, this.snrText), this.endWord),
        this.slider),
      el("div", { class: "dvz-options" }, this.speedSelect, this.loopButton, this.linkButton));
    this.body = el("div", { class: "dvz-body", hidden: true },
      el("div", { class: "dvz-left" }, this.panels, this.transport),
      this.toolbar, this.stepHost, this.railHost);
    this.root = el("div", { class: "dvz", role: "group", tabindex: "-1" }, this.message, this.body);
    this.parent.append(this.root);
    this.expose();
  }

  // A read-only face for tests and benchmarks.
  expose() {
    const player = this;
    const face = {
      get frame() { return Math.round(player.position); },
      get position() { return player.position; },
      get frames() { return player.run ? player.run.frames : 0; },
      get playing() { return player.playing; },
      get idle() { return player.raf === 0; },
      get follow() { return player.follow; },
      get layers() { return { ...player.layers }; },
      get draws() { return player.stats.draws; },
      get drawMs() { return player.stats.drawMs; },
      get settled() { return !player.moving && !player.asking; },
      get items() { return player.itemCount(); },
      get id() { return player.run ? player.run.header.id : null; },
      get firstDraw() { return player.stats.firstDraw; },
      get intervals() { return player.stats.intervals.slice(); },
      get fps() {
        const { intervals } = player.stats;
        const sum = intervals.reduce((a, b) => a + b, 0);
        return sum > 0 ? (1000 * intervals.length) / sum : 0;
      },
      // where item i of a panel is at a frame, in CSS pixels of its stage
      place: (panel, i, frame) => {
        const { view } = player.views[panel];
        return view.place(view.x_t, frame, i);
      },
      dispose: () => player.dispose(),
    };
    Object.assign(this.root, { __diffviz: face });
  }

  listen() {
    const options = { signal: this.abort.signal };
    document.addEventListener("keydown", (event) => this.onKey(event), options);
    document.addEventListener("keyup", () => this.onKeyUp(), options);
    document.addEventListener("diffviz-knob", (event) => this.turned(/** @type {CustomEvent} */ (event).detail), options);
    watchMenus((menu, name) => this.lookAt(menu, name), this.abort.signal);
    document.addEventListener("visibilitychange", () => this.schedule(), options);
    this.root.addEventListener("pointerdown", () => { activePlayer = this; }, options);
    this.root.addEventListener("focusin", () => { activePlayer = this; }, options);
    window.addEventListener("resize", () => this.layout(), options);
    this.motion.addEventListener("change", () => this.invalidate(), options);
    this.observer = new ResizeObserver(() => this.layout());
    this.observer.observe(this.root);
  }

  // Data in ---------------------------------------------------------------------------------------

  // Called on every run of the page, with the same run or with another one: its bytes, or the
  // address where they are.  Until they are there, the earlier run stays.
  update(data, state, trigger) {
    this.report = { state, trigger };
    if (this.options && data.url !== this.options.url) { // what was looked at was chosen
      clearTimeout(this.dwell);
      this.looking = "";
    }
    this.options = data;
    if (data.sheaf) this.levels.keep("kept", readSheaf(data.sheaf));
    if (data.buffer) this.show(data.buffer);
    else if (this.run && (this.moving || !caughtUp(this.said, data.turns || {}))) return; // the hand is ahead
    else if (this.run && data.url === this.shownUrl) this.show(null);
    else this.fetch(data.url);
  }

  // A knob was turned: while it moves, few samples follow it, the newest value first; once it rests,
  // all of them.  Where the samples stay the same, all of them follow it, from levels that are had
  // when the hand comes near.  Another knob than the last has to wait until Python has heard of that
  // one.
  turned(said) {
    const turns = (this.options || {}).turns || {};
    const turn = turns[said.name];
    if (!turn || !this.run) return;
    if (said.phase === "near") {
      if (turn.levels) this.levels.foresee(turn.levels);
      return;
    }
    const ready = caughtUp(this.said, turns, said.name);
    if (said.phase === "done") this.said[said.name] = said;
    if (!ready && said.phase === "done") this.stopAsking(); // Python's next run is of both
    if (!ready || (said.phase === "move" && !turn.few && !turn.levels)) return;
    this.moving = said.phase === "move";
    if (said.value === turn.here) this.show(this.options.buffer, "rest");
    else if ((this.moving || !turn.all) && this.relevel(turn, said.value)) return;
    if (!turn.all) return; // in a file
    const url = addressAt(this.moving ? turn.few : turn.all, said.value);
    if (said.phase === "done") this.fetch(url, said.phase);
    else this.askNext(url, said.phase);
  }

  // A hand is on a name in a menu: few samples show what it would bring.  When the menu is closed,
  // Python has a moment to say that it was chosen before all is as it was.
  lookAt(menu, name) {
    const choice = ((this.options || {}).choices || {})[menu];
    const of = choice && choice.names[name];
    clearTimeout(this.dwell);
    if (of && of !== choice.here) {
      this.looking = of;
      this.dwell = setTimeout(() => this.askNext(addressAt(choice.few, of), "look"), DWELL_MS);
    } else if (this.looking) {
      this.dwell = setTimeout(() => this.lookBack(), of ? DWELL_MS : CHOSEN_MS);
    }
  }

  // Show the page's own run again.
  lookBack() {
    this.looking = "";
    this.next = null;
    this.fetch(this.options.url, "rest");
  }

  // Ask for a run after the one that is on its way to the hand, in the place of what would be next.
  askNext(url, by) {
    if (this.asking && ["move", "look"].includes(this.asking.by)) this.next = { url, by };
    else this.fetch(url, by);
  }

  // Show the samples that are there at another value of a knob; false where that cannot be.
  relevel(turn, value) {
    const bytes = (this.levels.get(turn.levels) || new Map()).get(value);
    if (!bytes || !this.whole) return false;
    const run = Run.of(bytes, this.whole);
    if (!run) return false;
    this.stopAsking();
    this.next = this.shownUrl = null;
    this.show(run, "move");
    return true;
  }

  // Fetch a run, giving up the one that is still on its way.
  async fetch(url, by = "page") {
    this.next = null;
    if (this.asking && this.asking.url === url) return;
    this.stopAsking();
    if (url === this.shownUrl) {
      this.message.hidden = true;
      return;
    }
    const asking = Object.assign(new AbortController(), { url, by });
    this.asking = asking;
    if (by !== "move" && by !== "look") this.wait(asking.signal);
    try {
      const answer = await fetch(url, { signal: asking.signal });
      if (!answer.ok) {
        const said = await answer.json().catch(() => ({})); // something in between may have answered
        if (said.instead && by !== "page") {
          this.fetch(addressOf(url, said.instead), by);
          return;
        }
        throw new Error(said.error || `The app answered with ${answer.status}.`);
      }
      const bytes = new Uint8Array(await answer.arrayBuffer());
      if (asking.signal.aborted) return;
      this.stopAsking();
      this.shownUrl = url;
      this.show(bytes, by === "look" ? "move" : by);
    } catch (error) {
      if (asking.signal.aborted) return;
      this.stopAsking();
      if (by === "look") return; // what cannot be had is not looked at
      const unreachable = error instanceof TypeError;
      this.complain(unreachable ? UNREACHABLE : String(error).replace(/^Error: /, ""), url);
      if (unreachable) this.retry = setTimeout(() => this.fetch(url), RETRY_MS);
    }
    if (this.next) this.fetch(this.next.url, this.next.by);
  }

  // Say that a run is on its way, if it takes long.
  wait(signal) {
    const late = setTimeout(() => { this.root.dataset.waiting = "true"; }, PATIENCE_MS);
    signal.addEventListener("abort", () => clearTimeout(late));
    this.root.setAttribute("aria-busy", "true");
  }

  stopAsking() {
    if (this.asking) this.asking.abort();
    this.asking = null;
    clearTimeout(this.retry);
    delete this.root.dataset.waiting;
    this.root.removeAttribute("aria-busy");
  }

  // Show a run, or the one that is there, as the page wishes it.  One that a knob has asked for is at
  // the same share of its way as the one before.
  show(data, by = "page") {
    this.stopAsking();
    let still = false;
    try {
      const fresh = !this.run;
      if (data) {
        const run = data instanceof Run ? data : new Run(data);
        if (by !== "page" && this.last) {
          const place = (this.position / this.last) * (run.frames - 1);
          this.position = this.playing ? place : Math.round(place);
        }
        this.few = by === "move";
        if (!this.few) this.whole = run;
        still = this.load(run, by) && this.few;
      }
      this.apply(this.options, fresh);
      this.message.hidden = true;
      this.body.hidden = false;
    } catch (error) {
      this.fail(error);
    }
    if (still) return; // all is as large as it was
    this.refreshTheme();
    this.layout();
  }

  fail(error) {
    this.pause(false);
    this.run = this.shownUrl = null;
    this.body.hidden = true;
    this.say("The animation could not be shown.",
      ` ${error.message} Reload the page; if that does not help, choose other settings.`);
  }

  // Say why a run did not come; an earlier one stays and is said to be one.
  complain(why, url) {
    this.say("The animation could not be had.", ` ${why}${this.run ? " Below is the one before." : ""} `,
      el("button", { class: "dvz-button dvz-again", type: "button", onclick: () => this.fetch(url) }, "Try again"));
    this.layout();
  }

  say(what, ...more) {
    this.refreshTheme();
    this.message.hidden = false;
    this.message.replaceChildren(el("strong", {}, what), ...more);
  }

  // Lay a run out; where a knob has asked for it, in the places of the one before.  One that is in
  // hand lacks layers, whose buttons stay.  Says whether everything stays where it is.
  load(run, by) {
    const kept = by !== "page" && this.views.length === run.panels.length
      && run.panels.every((panel, k) => this.views[k].view.take && panel.kind === this.views[k].panel.kind
        && panel.note === this.views[k].panel.note);
    if (!kept) this.disposeViews();
    this.run = run;
    this.axis = new TimeAxis(run.clock);
    this.position = Math.min(this.position, run.frames - 1);
    if (kept) {
      for (const [k, entry] of this.views.entries()) this.renew(entry, run.panels[k]);
    } else {
      this.views = run.panels.map((panel) => this.makePanel(panel));
      this.panels.replaceChildren(...this.views.map((v) => v.section));
    }
    const same = this.renewParts(run, kept);
    this.root.setAttribute("aria-label", run.header.title || "Animation");
    setText(this.startWord, run.clock.start);
    setText(this.endWord, run.clock.end);
    if (by !== "move") this.buildToolbar();
    if (kept) return same;
    this.observer.disconnect();
    for (const node of [this.root, this.slider, this.stepHost, this.railHost, ...this.views.map((v) => v.host)]) {
      this.observer.observe(node);
    }
    return false;
  }

  // What depends on the run as a whole: the scrubber, the rail and the formula, each in its place
  // where that can be.  Says whether all of them stayed.
  renewParts(run, kept) {
    const filmPanel = run.panels.find((p) => FILM_KINDS.includes(p.kind) && p.film !== false);
    const film = filmPanel ? { View: FilmStrip, panel: filmPanel } : null;
    const { rail } = run;
    const stays = (part, ...how) => Boolean(kept && part && part.take(...how));
    const stay = {
      scrubber: stays(this.around.scrubber, run, this.axis, film),
      rail: rail ? stays(this.around.rail, rail, run) : kept && !this.around.rail,
      stepLine: rail && rail.step ? stays(this.around.stepLine, rail, run) : kept && !this.around.stepLine,
    };
    const make = {
      scrubber: () => new Scrubber(this.slider, run, this.axis, film, (f, phase) => this.seek(f, phase)),
      rail: () => (rail ? new RailView(this.railHost, rail, run, this) : null),
      stepLine: () => (rail && rail.step ? new StepLine(this.stepHost, rail, run) : null),
    };
    for (const part of ["scrubber", "rail", "stepLine"]) {
      if (stay[part]) continue;
      if (this.around[part]) this.around[part].dispose();
      this.around[part] = make[part]();
    }
    this.root.classList.toggle("dvz-no-rail", !this.around.rail);
    this.root.classList.toggle("dvz-no-stepline", !this.around.stepLine);
    this.root.classList.toggle("dvz-own-track", Boolean(run.clock.track));
    return Object.values(stay).every(Boolean);
  }

  makePanel(panel) {
    const View = VIEWS[panel.kind];
    if (!View) throw new Error(`This player cannot show a panel of the kind ${panel.kind}.`);
    const host = el("div", { class: "dvz-stage" });
    const head = el("header", { class: "dvz-panel-head" }, ...headOf(panel));
    const section = el("section", { class: `dvz-panel dvz-panel-${panel.kind}` }, head, host,
      panel.note ? el("p", { class: "dvz-note" }, panel.note) : null);
    const view = new View(host, panel, this.run);
    const entry = { panel, host, head, section, view, abort: new AbortController() };
    this.listenToStage(entry);
    return entry;
  }

  // Show a panel of another run where one of the same kind is.
  renew(entry, panel) {
    if (panel.title !== entry.panel.title) entry.head.replaceChildren(...headOf(panel));
    entry.panel = panel;
    entry.view.take(panel, this.run);
  }

  disposeViews() {
    for (const entry of this.views) {
      entry.abort.abort();
      entry.view.dispose();
    }
    this.views = [];
    this.hover = null;
  }

  // Python gives a wish of the page another revision when the page asks for another step or item
  // than before, not when it only hands our own report back; so nothing jumps.
  apply(options, fresh) {
    this.link = options.link;
    this.linkButton.hidden = !this.link;
    this.wish(options, "step", (step) => {
      if (options.gentle && (this.playing || this.dragging)) return;
      this.pause(false);
      this.reportedStep = step;
      this.position = clamp(Math.round(step), 0, this.last);
    });
    this.wish(options, "follow", (item) => { this.follow = item; });
    this.wish(options, "layers", (word) => this.setLayers(word));
    this.wish(options, "coordinate", (k) => {
      this.coordinate = k;
      if (this.around.rail) this.around.rail.choose(k);
    });
    if (!this.few && this.follow !== null && this.follow >= this.itemCount()) this.follow = null;
    if (fresh) {
      this.setLoop(Boolean(options.loop));
      if (options.autoplay && !this.motion.matches) this.play();
    }
    this.showPlaying();
    this.invalidate();
  }

  wish(options, name, follow) {
    const { value, revision } = (options.wishes || {})[name] || {};
    if (revision === this.revisions[name]) return;
    this.revisions[name] = revision;
    if (value !== null && value !== undefined) follow(value);
  }

  itemCount() {
    const counts = this.views.map((v) => v.panel.count).filter((n) => typeof n === "number");
    return counts.length ? Math.max(...counts) : Infinity;
  }

  // Layers ----------------------------------------------------------------------------------------

  buildToolbar() {
    const offered = new Map();
    this.usual = {};
    for (const { view } of this.views) {
      for (const layer of view.layers()) {
        const known = offered.get(layer.key);
        if (!known) offered.set(layer.key, layer);
        else if (known.color !== layer.color) known.color = "text"; // panels differ: no one colour
      }
    }
    this.chips = [...offered.values()].map(({ key, label, on, glyph, color }) => {
      this.usual[key] = Boolean(on);
      this.layers[key] = key in this.chosen ? this.chosen[key] : this.usual[key];
      const chip = el("button", { class: "dvz-chip", type: "button", "data-layer": key,
        onclick: () => this.toggleLayer(key) }, glyph ? makeGlyph(glyph, color) : null, label);
      chip.setAttribute("aria-pressed", String(this.layers[key]));
      return chip;
    });
    this.toolbar.replaceChildren(...this.chips);
    this.toolbar.hidden = this.chips.length === 0;
  }

  toggleLayer(key) {
    this.chosen[key] = !this.layers[key];
    if (this.chosen[key] === this.usual[key]) delete this.chosen[key];
    this.showLayers();
    this.tell("layers", Object.entries(this.chosen).map(([k, on]) => (on ? k : `-${k}`)).sort().join(","));
  }

  // The layers that shall not be as usual, such as "trails,-data".
  setLayers(word) {
    const named = word.split(",").filter(Boolean);
    this.chosen = Object.fromEntries(named.map((k) => [k.replace(/^-/, ""), !k.startsWith("-")]));
    this.showLayers();
  }

  showLayers() {
    for (const chip of this.chips || []) {
      const key = chip.dataset.layer;
      this.layers[key] = key in this.chosen ? this.chosen[key] : this.usual[key];
      chip.setAttribute("aria-pressed", String(this.layers[key]));
    }
    this.invalidate();
  }

  setCoordinate(k) {
    this.coordinate = k;
    this.tell("coordinate", k);
  }

  // The clock -------------------------------------------------------------------------------------

  get last() { return this.run ? this.run.frames - 1 : 0; }

  play() {
    if (this.playing || !this.run || this.last === 0) return;
    if (this.position >= this.last) this.position = 0;
    this.playing = true;
    this.heldSince = null;
    this.before = null;
    this.stats.intervals = [];
    this.showPlaying();
    this.schedule();
  }

  pause(tell = true) {
    if (!this.playing) return;
    this.playing = false;
    this.position = Math.round(this.position);
    this.showPlaying();
    this.invalidate();
    if (tell) this.reportStep();
  }

  toggle() {
    if (this.playing) {
      this.pause();
      return;
    }
    this.play();
    if (this.playing && this.reportedStep !== null) {
      this.reportedStep = null;
      this.tell("step", null);
    }
  }

  showPlaying() {
    const { playing } = this;
    if (this.shownPlaying === playing) return;
    this.shownPlaying = playing;
    const label = playing ? "Pause (space)" : "Play (space)";
    setAll(this.playButton, { "aria-label": label, title: label });
    this.playButton.replaceChildren(icon(ICONS[playing ? "pause" : "play"], true));
    this.root.dataset.playing = String(playing);
  }

  setLoop(on) {
    this.loop = on;
    this.loopButton.setAttribute("aria-pressed", String(on));
  }

  // The address of this very frame; by hand where the browser lets nobody write to the clipboard.
  async copyLink() {
    this.pause();
    const address = new URL(window.location.href);
    const frame = Math.round(this.position);
    const place = this.link === "t" ? Number(this.run.clock.t[frame].toFixed(6)) : frame;
    address.searchParams.set(this.link, String(place));
    try {
      await navigator.clipboard.writeText(address.href);
    } catch {
      window.prompt("Copy this link:", address.href);
      return;
    }
    this.showCopied(true);
    setTimeout(() => this.showCopied(false), COPIED_MS);
  }

  showCopied(done) {
    this.linkButton.replaceChildren(icon(ICONS[done ? "done" : "link"], false));
    const label = done ? "Link copied" : COPY_LINK;
    setAll(this.linkButton, { "aria-label": label, title: label });
  }

  step(by, tell) {
    if (!this.run) return;
    this.pause(false);
    this.position = clamp(Math.round(this.position) + by, 0, this.last);
    this.invalidate();
    if (tell) this.reportLater();
  }

  jump(frame) {
    this.step(frame - Math.round(this.position), false);
  }

  seek(frame, phase) {
    if (phase === "start") {
      this.pause(false);
      this.dragging = true;
    }
    this.position = this.motion.matches ? Math.round(frame) : frame;
    if (phase === "end") {
      this.dragging = false;
      this.position = Math.round(this.position);
      this.reportStep();
    }
    this.invalidate();
  }

  advance(now) {
    const elapsed = this.before === null ? 0 : Math.min(now - this.before, 100);
    if (this.before !== null) this.countInterval(now - this.before);
    this.before = now;
    if (this.heldSince !== null) {
      if (now - this.heldSince >= HOLD_AT_END_MS) {
        this.position = 0;
        this.heldSince = null;
      }
      return;
    }
    const seconds = clamp(this.last * SECONDS_PER_FRAME, ...RUN_SECONDS) / this.speed;
    this.position = Math.min(this.position + (elapsed / 1000) * (this.last / seconds), this.last);
    if (this.position < this.last) return;
    if (this.loop) this.heldSince = now;
    else this.pause();
  }

  countInterval(ms) {
    const { intervals } = this.stats;
    intervals.push(ms);
    if (intervals.length > 600) intervals.shift();
  }

  // Drawing ---------------------------------------------------------------------------------------

  invalidate() {
    this.dirty = true;
    this.schedule();
  }

  // At most one animation frame is ever asked for; none while nothing moves or nobody looks.
  schedule() {
    if (document.hidden) {
      cancelAnimationFrame(this.raf);
      this.raf = 0;
      this.before = null;
      return;
    }
    if (this.raf === 0 && (this.playing || this.dirty)) this.raf = requestAnimationFrame((now) => this.tick(now));
  }

  tick(now) {
    this.raf = 0;
    if (this.playing) this.advance(now);
    this.draw();
    this.schedule();
  }

  draw() {
    if (!this.run || !this.palette || this.body.hidden) return;
    const started = performance.now();
    this.dirty = false;
    const reduced = this.motion.matches;
    const frame = reduced && this.playing ? Math.floor(this.position) : this.position;
    const state = {
      follow: this.hover === null ? this.follow : this.hover,
      hover: this.hover,
      layers: this.layers,
      palette: this.palette,
      reduced,
      playing: this.playing,
      dragging: Boolean(this.dragging),
    };
    this.state = state;
    this.shownFrame = frame;
    try {
      for (const part of this.parts()) part.draw(frame, state);
    } catch (error) {
      console.error(error);
      this.fail(error);
      return;
    }
    this.showReadout(Math.round(frame));
    const ended = performance.now();
    this.stats.draws += 1;
    this.stats.drawMs += 0.1 * (ended - started - this.stats.drawMs);
    if (this.stats.firstDraw === null) {
      this.stats.firstDraw = ended;
      this.root.dataset.ready = "true";
    }
  }

  parts() {
    return [...this.views.map((v) => v.view), ...Object.values(this.around)].filter(Boolean);
  }

  showReadout(frame) {
    if (this.shownReadout === frame && this.readoutRun === this.run) return;
    this.shownReadout = frame;
    this.readoutRun = this.run;
    const { count, note, t, snr } = describeFrame(this.run, frame);
    setText(this.countText, count);
    setText(this.timeText, note === null ? `t = ${t}` : note);
    setText(this.snrText, note === null ? `log-SNR ${snr}` : "");
    this.snrText.hidden = note !== null;
    this.root.dataset.frame = String(frame);
    this.backButton.disabled = frame === 0;
    this.nextButton.disabled = frame === this.last;
  }

  refreshTheme() {
    const palette = readPalette(this.root);
    if (this.palette && this.palette.key === palette.key) return;
    this.palette = palette;
    applyPalette(this.root, palette);
    this.invalidate();
  }

  layout() {
    const width = this.root.clientWidth;
    if (!this.run || !width || this.body.hidden) return;
    this.root.classList.toggle("dvz-narrow", width < NARROW);
    this.arrange(width);
    for (const { view, host } of this.views) view.resize(host.clientWidth, host.clientHeight);
    this.around.scrubber.resize(this.slider.clientWidth);
    if (this.around.rail) this.around.rail.resize();
    this.refreshTheme();
    this.dirty = false;
    this.draw();
  }

  // How large the panels are, and whether the rail stands beside them, which it does where that
  // costs them nothing.  It depends on the screen and on the kinds of panels alone, so that another
  // run changes nothing.
  arrange(width) {
    const room = shareOf(width) * document.documentElement.clientHeight;
    const below = this.fill(width, room);
    const beside = this.around.rail && width >= WIDE ? this.fill(width - RAIL.width - RAIL.gap, room) : null;
    const wide = beside !== null && beside.high >= below.high;
    const { columns, across, high } = wide ? beside : below;
    const left = columns * across + (columns - 1) * PANEL_GAP;
    this.root.classList.toggle("dvz-wide", wide);
    this.root.classList.toggle("dvz-tight", left < 760);
    for (const [name, length] of Object.entries({ left, panel: across, stage: high })) {
      this.root.style.setProperty(`--dvz-${name}`, `${Math.floor(length)}px`);
    }
    this.root.style.setProperty("--dvz-columns", String(columns));
  }

  // The number of columns that makes the panels largest in a width and a height, and their sizes.
  fill(width, room) {
    const count = this.views.length;
    const around = Math.max(...this.views.map(({ section, host }) => section.offsetHeight - host.offsetHeight));
    const tall = width < NARROW || this.views.some(({ panel }) => PLANES.includes(panel.kind)) ? 1 : TALL;
    let best = null;
    for (let columns = count; columns >= 1; columns--) {
      const rows = Math.ceil(count / columns);
      const widest = (width - (columns - 1) * PANEL_GAP) / columns;
      const high = Math.min((room - (rows - 1) * around) / rows, tall * widest);
      const across = Math.min(widest, FLAT * high);
      const side = Math.min(across, high);
      const even = best !== null && rows === best.rows && side > best.side - 1; // 2 + 2, not 3 + 1
      if (best === null || side > best.side + 1 || even) best = { columns, rows, across, high, side };
    }
    return best;
  }

  // Pointer on a panel ----------------------------------------------------------------------------

  listenToStage(entry) {
    const { host, view } = entry;
    const options = { signal: entry.abort.signal };
    let down = null;
    host.addEventListener("pointermove", (event) => {
      if (down && down.grip) {
        down.grip.move(event);
        this.invalidate();
      } else if (event.pointerType === "mouse" && !down) {
        const item = view.pick ? view.pick(event) : null;
        const grip = view.canGrab(event, this.shownFrame, this.state);
        host.style.cursor = grip ? "grab" : item === null ? "" : "pointer";
        this.setHover(item);
      }
    }, options);
    host.addEventListener("pointerleave", () => this.setHover(null), options);
    host.addEventListener("pointerdown", (event) => {
      if (event.button !== 0) return;
      const grip = view.grab(event, this.shownFrame, this.state);
      down = { x: event.clientX, y: event.clientY, grip };
      if (!grip) return;
      this.pause(false);
      host.setPointerCapture(event.pointerId);
      host.style.cursor = "grabbing";
      event.preventDefault();
    }, options);
    host.addEventListener("pointerup", (event) => {
      const start = down;
      down = null;
      host.style.cursor = "";
      if (!start) return;
      const moved = start.grip ? start.grip.release(event) : null;
      const still = Math.hypot(event.clientX - start.x, event.clientY - start.y) <= CLICK_SLOP;
      if (moved) {
        this.setFollow(moved.index);
        this.report.trigger("moved", moved);
      } else if (still && view.pick) {
        this.setFollow(view.pick(event));
      }
      this.invalidate();
    }, options);
    host.addEventListener("pointercancel", () => {
      if (down && down.grip) down.grip.release(null);
      down = null;
      this.invalidate();
    }, options);
  }

  setHover(item) {
    if (this.hover === item) return;
    this.hover = item;
    this.invalidate();
  }

  setFollow(item) {
    this.hover = null;
    if (this.follow === item) return;
    this.follow = item;
    this.tell("follow", item);
    this.invalidate();
  }

  // Keyboard --------------------------------------------------------------------------------------

  // Keys act when the focus is in this player; or nowhere in particular (on the page, or on what
  // holds the player) and this is the player last touched.  Controls keep the keys that are theirs.
  isForUs(event) {
    const target = event.composedPath()[0];
    if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey) return false;
    if (this.root.contains(target)) {
      return target.tagName !== "SELECT" && !(event.key === " " && target.closest("button"));
    }
    const place = /** @type {ShadowRoot} */ (this.root.getRootNode()).host || this.root;
    return target.contains(place) && (activePlayer === this || activePlayer === null);
  }

  onKey(event) {
    if (!this.run || !this.isForUs(event)) return;
    const stride = event.shiftKey ? 10 : 1;
    const actions = {
      " ": () => { if (!event.repeat) this.toggle(); },
      ArrowRight: () => this.step(stride, false),
      ArrowLeft: () => this.step(-stride, false),
      Home: () => this.jump(0),
      End: () => this.jump(this.last),
    };
    if (event.composedPath()[0] === this.slider) {
      actions.PageUp = () => this.step(10, false);
      actions.PageDown = () => this.step(-10, false);
    }
    const act = actions[event.key];
    if (!act) return;
    event.preventDefault();
    act();
    if (event.key !== " ") this.keyStepped = true;
  }

  onKeyUp() {
    if (!this.keyStepped) return;
    this.keyStepped = false;
    this.reportLater();
  }

  // ------------------------------------------------------------------------------------------
  // Reports to Python: only what was chosen, never what is passing by

  reportLater() {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => { if (!this.playing && !this.dragging) this.reportStep(); }, KEY_REPORT_MS);
  }

  reportStep() {
    clearTimeout(this.timer);
    const step = Math.round(this.position);
    if (this.reportedStep === step) return;
    this.reportedStep = step;
    this.tell("step", step);
  }

  // `after` says which wish of the page this report answers, so that Python can tell it from one
  // that was under way when the page changed its mind.
  tell(name, value) {
    this.report.state(name, { value, after: this.revisions[name] || 0 });
  }

  dispose() {
    cancelAnimationFrame(this.raf);
    this.raf = 0;
    this.playing = false;
    clearTimeout(this.timer);
    this.stopAsking();
    this.abort.abort();
    this.observer.disconnect();
    this.disposeViews();
    for (const part of this.parts()) part.dispose();
    this.root.remove();
    if (activePlayer === this) activePlayer = null;
  }
}

export default mounted((parent) => new Player(parent));
