// The image panels and the film strip.  Pixels come from a PixelSource: either read from the
// buffer (a run of images) or mixed here from images and noise.

import { fitCanvas, offscreen, pencil, pixelRatio, strokeSegment } from "../../shared/canvas.js";
import { css } from "../../shared/color.js";
import { el, setText } from "../../shared/dom.js";
import { clamp } from "../../shared/numbers.js";
import { sampleAt } from "./clock.js";
import { TRACK_PAD } from "./scrubber.js";
import { symbolNode } from "./symbols.js";
import { View } from "./view.js";

const IMAGE_RANGE = [-1, 1];
export const NOISE_RANGE = [-3, 3];
// From this side length on, enlarged images are smoothed; smaller ones keep crisp pixels.
const SMOOTH_FROM = 64;
const THUMBS_SHOWN = 100;
export const THUMB_PIXELS = 64;
const CAPTION = 32;
const GAP = 14;
const IMAGE_PAD = 12;
// Thumbnails smaller than this are hard to tell apart.
const THUMB_WANTED = 40;
// Captions of narrower images are the symbol alone.
const WORDS_FROM = 150;

// Pixels ------------------------------------------------------------------------------------------

/** @type {WeakMap<object, StoredPixels | MixedPixels>} */
const SOURCES = new WeakMap();

// Values of one image, as drawn, channel after channel: fill(role, frame, item, out), where role is
// "x_t", "x_0" or "eps" and out a Float32Array of `length` numbers.
export class PixelSource {
  constructor(panel, run) {
    this.panel = panel;
    this.run = run;
    this.size = panel.size;
    this.length = panel.size[0] * panel.size[1] * panel.size[2];
    this.count = panel.count;
    this.scale = run.role(panel, "scale");
  }

  // One per panel of a run, so that its views share what has been decoded.
  static of(run, panel) {
    const known = SOURCES.get(panel) || new (panel.kind === "mix" ? MixedPixels : StoredPixels)(panel, run);
    SOURCES.set(panel, known);
    return known;
  }

  // The factor x_t is multiplied by for drawing.
  scaleAt(frame) {
    return this.scale ? sampleAt(this.scale.data, this.scale.shape[0] === 1 ? 0 : frame) : 1;
  }
}

class StoredPixels extends PixelSource {
  has(role) {
    return role in this.panel.arrays;
  }

  // Whether the role is one image for all frames (the data itself), not a prediction.
  constant(role) {
    return this.run.role(this.panel, role).shape[0] === 1;
  }

  fill(role, frame, item, out) {
    const array = this.run.role(this.panel, role);
    const ends = this.run.role(this.panel, `${role}_range`).data;
    const row = array.shape[0] === 1 ? 0 : clamp(Math.round(frame), 0, array.shape[0] - 1);
    const low = ends[2 * row];
    const gain = (ends[2 * row + 1] - low) / 255;
    const { data } = array;
    const start = (row * this.count + item) * this.length;
    for (let i = 0; i < this.length; i++) out[i] = low + gain * data[start + i];
    return out;
  }

  // Frames between which nothing changes share a key.
  key(frame) {
    return String(clamp(Math.round(frame), 0, this.run.frames - 1));
  }
}

class MixedPixels extends PixelSource {
  constructor(panel, run) {
    super(panel, run);
    this.decoded = { x_0: new Map(), eps: new Map() };
  }

  has(role) {
    return role === "x_t" || role in this.panel.arrays;
  }

  constant() {
    return true;
  }

  base(role, item) {
    const known = this.decoded[role];
    if (!known.has(item)) {
      const array = this.run.role(this.panel, role);
      known.set(item, Float32Array.from({ length: this.length }, (_, i) => array.value(item * this.length + i)));
    }
    return known.get(item);
  }

  // x_t = alpha x_0 + sigma eps, alpha and sigma interpolated between the clock's frames.
  fill(role, frame, item, out) {
    if (role !== "x_t") {
      out.set(this.base(role, item));
      return out;
    }
    const { clock } = this.run;
    const scale = this.scaleAt(frame);
    const a = sampleAt(clock.alpha, frame) * scale;
    const s = sampleAt(clock.sigma, frame) * scale;
    const x_0 = this.base("x_0", item);
    const eps = this.base("eps", item);
    for (let i = 0; i < this.length; i++) out[i] = a * x_0[i] + s * eps[i];
    return out;
  }

  key(frame) {
    return frame.toFixed(4);
  }
}

// Values to pixels, grey or RGB, clipped to [low, high]; every `stride`-th pixel.
export function valuesToImage(values, size, range, image, stride = 1) {
  const [channels, height, width] = size;
  const gain = 255 / (range[1] - range[0]);
  const offset = -range[0] * gain;
  const plane = height * width;
  const green = channels === 3 ? plane : 0;
  const pixels = image.data; // clamped and rounded by its type
  let at = 0;
  for (let y = 0; y < height; y += stride) {
    for (let x = 0; x < width; x += stride) {
      const i = y * width + x;
      pixels[at] = values[i] * gain + offset;
      pixels[at + 1] = values[i + green] * gain + offset;
      pixels[at + 2] = values[i + 2 * green] * gain + offset;
      pixels[at + 3] = 255;
      at += 4;
    }
  }
}

// A canvas with one pixel per image pixel; shows what it was last asked for, and draws only when
// that changes.
export class Picture {
  constructor(source, stride = 1) {
    this.source = source;
    this.stride = stride;
    const [, height, width] = source.size;
    this.canvas = el("canvas", { class: "dvz-pixels" });
    this.canvas.width = Math.ceil(width / stride);
    this.canvas.height = Math.ceil(height / stride);
    this.context = pencil(this.canvas);
    this.image = this.context.createImageData(this.canvas.width, this.canvas.height);
    this.canvas.classList.toggle("dvz-crisp", Math.max(height, width) < SMOOTH_FROM);
    this.values = new Float32Array(source.length);
    this.key = null;
  }

  show(role, frame, item) {
    const { source } = this;
    const still = role !== "x_t" && source.constant(role);
    this.showValues(`${role}:${item}:${still ? "" : source.key(frame)}`, role === "eps" ? NOISE_RANGE : IMAGE_RANGE,
      () => source.fill(role, frame, item, this.values));
  }

  // Values that are worked out elsewhere; `make` is called only when the key is another one.
  showValues(key, range, make) {
    if (key === this.key) return;
    this.key = key;
    valuesToImage(make(), this.source.size, range, this.image, this.stride);
    this.context.putImageData(this.image, 0, 0);
  }
}

// The view ----------------------------------------------------------------------------------------

export class ImagesView extends View {
  constructor(host, panel, run) {
    super(host, panel, run);
    this.source = PixelSource.of(run, panel);
    this.item = 0;
    this.followed = null;
    this.frame = 0;
    this.figures = ["x_t", "x_0", "eps"].filter((role) => this.source.has(role)).map((role) => this.makeFigure(role));
    this.stage = el("div", { class: "dvz-image-row" }, ...this.figures.map((f) => f.node));
    this.thumbs = this.makeThumbs();
    this.root = el("div", { class: "dvz-images" }, this.stage, this.thumbs.length ? this.thumbBox : null);
    host.append(this.root);
    // Tests read the numbers behind the pixels here.
    const values = (role, frame, item) =>
      Array.from(this.source.fill(role, frame, item, new Float32Array(this.source.length)));
    Object.assign(this.root, { __diffviz: { values } });
  }

  makeFigure(role) {
    const picture = new Picture(this.source);
    const words = this.captionWords(role);
    picture.canvas.setAttribute("role", "img");
    picture.canvas.setAttribute("aria-label", words.label);
    const detail = el("span", { class: "dvz-figwords" }, words.text);
    const caption = el("figcaption", { class: "dvz-figcaption" }, symbolNode(words.symbol), detail);
    const node = el("figure", { class: `dvz-figure dvz-figure-${role}`, "data-role": role },
      el("div", { class: "dvz-frame" }, picture.canvas), caption);
    node.title = words.label;
    if (role === "x_0" && words.predicted && this.panel.badge) node.dataset.badge = this.panel.badge;
    return { role, picture, node, detail, text: words.text };
  }

  captionWords(role) {
    const predicted = role !== "x_t" && !this.source.constant(role);
    const table = {
      x_t: { symbol: "x_t", text: "now", label: "The image at this step" },
      x_0: predicted
        ? { symbol: "x^_0", text: "predicted image", label: "The clean image predicted at this step" }
        : { symbol: "x_0", text: "data", label: "The clean image" },
      eps: predicted
        ? { symbol: "eps^", text: "predicted noise", label: "The noise predicted at this step" }
        : { symbol: "eps", text: "noise", label: "The noise that is added" },
    };
    const own = this.panel.captions && this.panel.captions[role];
    if (own) return { symbol: own[0], text: own[1], label: own[1], predicted: false };
    return { ...table[role], predicted };
  }

  makeThumbs() {
    const shown = this.panel.count > 1 ? Math.min(this.panel.count, THUMBS_SHOWN) : 0;
    const [, height, width] = this.source.size;
    const stride = Math.max(1, Math.ceil(Math.max(height, width) / THUMB_PIXELS));
    const { labels } = this.panel;
    this.thumbBox = el("div", { class: "dvz-thumbs", role: "group", "aria-label": `${shown} images at this step` });
    return Array.from({ length: shown }, (_, item) => {
      const picture = new Picture(this.source, stride);
      const name = `Image ${item + 1} of ${this.panel.count}${labels ? `, label ${labels[item]}` : ""}`;
      const button = el("button", { class: "dvz-thumb", type: "button", "data-item": item, "aria-label": name,
        title: labels ? `label ${labels[item]}` : null, onclick: (event) => this.onThumb(event) }, picture.canvas);
      this.thumbBox.append(button);
      return { picture, button };
    });
  }

  // A thumbnail chosen by key is handed on as a press of the pointer, the player's one way to
  // follow something.
  onThumb(event) {
    if (event.detail !== 0) return;
    for (const type of ["pointerdown", "pointerup"]) {
      event.currentTarget.dispatchEvent(new PointerEvent(type, { bubbles: true, composed: true, button: 0 }));
    }
  }

  layers() {
    const words = {
      x_0: { label: "Data x₀", predicted: "Predicted x₀", glyph: "diamond", color: this.panel.badge || "data" },
      eps: { label: "Noise ε", predicted: "Predicted noise", glyph: "disc", color: "noise" },
    };
    return this.figures.filter((f) => f.role !== "x_t").map(({ role }) => {
      const { label, predicted, glyph, color } = words[role];
      const own = this.panel.captions && this.panel.captions[role];
      const said = this.source.constant(role) ? label : predicted;
      return { key: role, label: own ? own[1] : said, on: true, glyph, color };
    });
  }

  resize(width, height) {
    this.width = width;
    this.height = height;
    this.arranged = null;
  }

  // The arrangement of large images and thumbnails that shows the large ones largest.
  arrange(roles) {
    const key = `${this.width}x${this.height}:${roles.join()}`;
    if (this.arranged === key || !this.width || !this.height) return;
    this.arranged = key;
    const [, h, w] = this.source.size;
    const best = bestArrangement(this.width - 2 * IMAGE_PAD, this.height - 2 * IMAGE_PAD, roles.length, this.thumbs.length, w / h);
    this.root.classList.toggle("dvz-thumbs-beside", best.beside);
    this.stage.classList.toggle("dvz-stacked", best.stacked);
    const ratio = pixelRatio();
    for (const { node, role, picture } of this.figures) {
      const main = role === "x_t" || !best.stacked;
      const edge = snapped(main ? best.side : best.small, Math.max(h, w), ratio);
      const scale = edge / Math.max(h, w);
      picture.canvas.style.width = `${w * scale}px`;
      picture.canvas.style.height = `${h * scale}px`;
      node.style.width = `${w * scale}px`;
      node.classList.toggle("dvz-figure-small", w * scale < WORDS_FROM);
    }
    this.thumbBox.style.gridTemplateColumns = `repeat(${best.columns}, ${best.thumb}px)`;
    for (const { picture } of this.thumbs) {
      const scale = best.thumb / Math.max(h, w);
      picture.canvas.style.width = `${Math.round(w * scale)}px`;
      picture.canvas.style.height = `${Math.round(h * scale)}px`;
    }
  }

  draw(frame, state) {
    const { follow, hover, layers } = state;
    if (hover === null || hover === undefined) this.followed = follow;
    this.item = follow !== null && follow < this.panel.count ? follow : 0;
    this.frame = frame;
    const shown = this.figures.filter((f) => f.role === "x_t" || layers[f.role]);
    for (const figure of this.figures) figure.node.hidden = !shown.includes(figure);
    this.arrange(shown.map((f) => f.role));
    for (const { role, picture } of shown) picture.show(role, frame, this.item);
    this.thumbs.forEach(({ picture, button }, item) => {
      picture.show("x_t", frame, item);
      const on = String(item === this.item);
      if (button.getAttribute("aria-pressed") !== on) button.setAttribute("aria-pressed", on);
    });
    this.labelNow();
  }

  labelNow() {
    const { labels } = this.panel;
    if (!labels) return;
    const figure = this.figures[0];
    setText(figure.detail, `${figure.text} · label ${labels[this.item]}`);
  }

  // A thumbnail under the pointer; elsewhere what is followed stays.
  pick(event) {
    const path = event.composedPath ? event.composedPath() : [event.target];
    const button = path.find((node) => node.classList && node.classList.contains("dvz-thumb"));
    return button ? Number(button.dataset.item) : this.followed;
  }
}

// Sides of the large images and the thumbnails for a stage of width x height pixels.  Images
// stand in a row, or two small ones in a column beside the first; thumbnails lie below or beside.
export function bestArrangement(width, height, figures, thumbs, aspect) {
  let best = null;
  for (const beside of thumbs ? [false, true] : [false]) {
    for (let columns = 1; columns <= Math.max(thumbs, 1); columns++) {
      const rows = thumbs ? Math.ceil(thumbs / columns) : 0;
      for (const thumb of thumbs ? [72, 64, 56, 48, 44, 40, 36, 32, 28, 24] : [0]) {
        const across = columns * (thumb + 6) - 6;
        const down = rows * (thumb + 6) - 6;
        if (thumbs && (across > width || down > height)) continue;
        const w = width - (beside ? across + 2 * GAP : 0);
        const h = height - (!beside && thumbs ? down + GAP : 0);
        for (const stacked of figures === 3 ? [false, true] : [false]) {
          const option = { beside, columns, thumb, stacked, ...figureSides(w, h, figures, stacked, aspect) };
          if (option.side <= 40 || option.small <= 24) continue;
          const area = option.side ** 2 + (figures - 1) * option.small ** 2;
          const empty = columns * rows - thumbs;
          const score = 1.8 * Math.sqrt(area) + thumb + 6 * Math.min(thumb, THUMB_WANTED) - 3 * empty + (beside ? 0 : 0.5 * columns);
          if (!best || score > best.score) best = { ...option, score };
        }
      }
    }
  }
  return best || { beside: false, columns: Math.max(1, Math.floor(width / 32)), thumb: 26, stacked: false,
    side: Math.max(40, width / figures - GAP), small: 40 };
}

// Lengths of the longer sides of images of the given aspect (width over height).
function figureSides(width, height, figures, stacked, aspect) {
  const wide = Math.min(1, aspect);
  const high = Math.min(1, 1 / aspect);
  if (!stacked) {
    const side = Math.min((width - GAP * (figures - 1)) / (figures * wide), (height - CAPTION) / high);
    return { side, small: side };
  }
  // Two small images and their captions are as high as the large one and its caption.
  const lost = (CAPTION + GAP) / (2 * high);
  const side = Math.min((width - GAP + wide * lost) / (1.5 * wide), (height - CAPTION) / high);
  return { side, small: side / 2 - lost };
}

// A side length that gives every image pixel the same whole number of device pixels, where the
// image is small enough for that to matter.
export function snapped(side, pixels, ratio) {
  if (pixels >= SMOOTH_FROM) return Math.floor(side);
  const whole = Math.floor((side * ratio) / pixels);
  return whole >= 1 ? (whole * pixels) / ratio : Math.floor(side);
}

// The film strip ----------------------------------------------------------------------------------

const FILM_FRAMES = [4, 16];
const FILM_GAP = 3;

// Small images of the followed item along the scrubber's track, each where its frame is.
export class FilmStrip extends View {
  // host: an element of its own inside the scrubber; axis: the scrubber's TimeAxis.
  constructor(host, panel, run, axis) {
    super(host, panel, run);
    this.axis = axis;
    this.source = PixelSource.of(run, panel);
    this.picture = new Picture(this.source);
    this.canvas = el("canvas", { class: "dvz-film-canvas", role: "img",
      "aria-label": "Film strip: the image along the run; drag to move in time" });
    host.append(this.canvas);
    this.item = 0;
  }

  resize(width, height) {
    if (!width || !height) return;
    this.width = width;
    this.height = height;
    this.context = fitCanvas(this.canvas, width, height);
    this.strip = null;
  }

  position(frame) {
    return TRACK_PAD.x + this.axis.position(frame) * (this.width - 2 * TRACK_PAD.x);
  }

  // Tiles of equal width fill the track; each shows the frame at its middle, the outermost the ends
  // of the run.
  layTiles() {
    const [, h, w] = this.source.size;
    const height = this.height - 8;
    const natural = (height * w) / h;
    const room = this.width - 2 * TRACK_PAD.x;
    const most = Math.min(FILM_FRAMES[1], Math.max(1, this.run.frames));
    const count = clamp(Math.floor((room + FILM_GAP) / (natural + FILM_GAP)), Math.min(FILM_FRAMES[0], most), most);
    const step = room / count;
    const tile = Math.min(natural, step - FILM_GAP);
    return Array.from({ length: count }, (_, k) => {
      const u = (k + 0.5) / count;
      const frame = k === 0 ? 0 : k === count - 1 ? this.run.frames - 1 : Math.round(this.axis.frameAt(u));
      return { frame, x: TRACK_PAD.x + k * step + (step - tile) / 2, width: tile, height: (tile * h) / w };
    });
  }

  prepare(item, palette) {
    this.item = item;
    this.key = palette.key;
    this.tiles = this.layTiles();
    this.strip = offscreen(1, 1);
    const g = fitCanvas(this.strip, this.width, this.height);
    g.imageSmoothingEnabled = Math.max(...this.source.size) > this.height * pixelRatio();
    g.imageSmoothingQuality = "high";
    for (const tile of this.tiles) {
      this.picture.show("x_t", tile.frame, item);
      g.drawImage(this.picture.canvas, tile.x, (this.height - tile.height) / 2, tile.width, tile.height);
    }
  }

  draw(frame, state) {
    if (!this.width) return;
    const item = state.follow !== null && state.follow < this.panel.count ? state.follow : 0;
    const { palette } = state;
    if (!this.strip || item !== this.item || this.key !== palette.key) this.prepare(item, palette);
    const g = this.context;
    const ratio = pixelRatio();
    const x = this.position(frame);
    g.clearRect(0, 0, this.width, this.height);
    g.drawImage(this.strip, 0, 0, this.canvas.width / ratio, this.canvas.height / ratio);
    g.fillStyle = css(palette.rgb.background, 0.35);
    if (x < this.width) g.fillRect(x, 0, this.width - x, this.height);
    this.markTile(g, x, palette);
    strokeSegment(g, x, 0, x, this.height, palette.css.primary, 2);
  }

  // A frame around the tile that the moment lies in.
  markTile(g, x, palette) {
    const step = (this.width - 2 * TRACK_PAD.x) / this.tiles.length;
    const nearest = this.tiles[clamp(Math.floor((x - TRACK_PAD.x) / step), 0, this.tiles.length - 1)];
    const y = (this.height - nearest.height) / 2;
    g.lineWidth = 2.5;
    g.strokeStyle = palette.css.primary;
    g.strokeRect(nearest.x - 1, y - 1, nearest.width + 2, nearest.height + 2);
  }
}
