// Points in the plane.  Clouds are written straight into pixels (twenty thousand points at sixty
// frames a second without a GPU); lines, arrows and what belongs to one point use canvas paths.

import { pencil, strokePath, strokeSegment, traceCross, traceLine } from "../../shared/canvas.js";
import { css, mixColors } from "../../shared/color.js";
import { traceContour } from "../../shared/contours.js";
import { el, setText } from "../../shared/dom.js";
import { pointIn } from "../../shared/hand.js";
import { clamp, compact } from "../../shared/numbers.js";
import { around, noiseShare, sampleAt } from "./clock.js";
import { drawDisc, fillAndStroke, traceDiamond } from "./marks.js";
import { packRgb } from "./palette.js";
import { PlaneView } from "./plane.js";

const TRAIL_FRAMES = 8;
const TRAIL_LINES_MAX = 4000;
const RIM_MAX = 3000;
const CONTOUR_LEVELS = [0.03, 0.1, 0.25, 0.45, 0.7, 0.9];
const PULLS_SHOWN = 30;
const POINT_PICK = { mouse: 12, touch: 26 };
const SUBPIXELS = 4;

// Radius (CSS px) and opacity of one point in a cloud of n.
function pointStyle(n) {
  if (n <= 300) return { radius: 3.6, alpha: 0.9 };
  if (n <= 1000) return { radius: 2.8, alpha: 0.8 };
  if (n <= 3000) return { radius: 2.2, alpha: 0.7 };
  if (n <= 8000) return { radius: 1.6, alpha: 0.62 };
  return { radius: 1.15, alpha: 0.55 };
}

const SHAPES = {
  disc: (x, y, r) => Math.hypot(x, y) <= r,
  diamond: (x, y, r) => {
    const d = Math.abs(x) + Math.abs(y);
    return d <= r * 1.35 && d >= r * 1.35 - Math.max(1.2, r * 0.5);
  },
};

// Leaves positions alone, for picking while the points are hidden.
const NO_STAMP = { cells: [], reach: Infinity };

// Pre-rendered shape at SUBPIXELS x SUBPIXELS offsets: for each, pixel offsets in a buffer of the
// given width and their opacities (0-255).  `reach` is how far it extends from its centre pixel.
function makeStamp(shape, radius, alpha, width) {
  const inside = SHAPES[shape];
  const reach = Math.ceil(radius * 1.35) + 1;
  const fine = 6;
  const cells = [];
  for (let sub = 0; sub < SUBPIXELS * SUBPIXELS; sub++) {
    const cx = ((sub % SUBPIXELS) + 0.5) / SUBPIXELS;
    const cy = (Math.floor(sub / SUBPIXELS) + 0.5) / SUBPIXELS;
    const offsets = [];
    const weights = [];
    for (let y = -reach; y <= reach; y++) {
      for (let x = -reach; x <= reach; x++) {
        let hits = 0;
        for (let j = 0; j < fine * fine; j++) {
          const dx = x + ((j % fine) + 0.5) / fine - cx;
          const dy = y + (Math.floor(j / fine) + 0.5) / fine - cy;
          if (inside(dx, dy, radius)) hits += 1;
        }
        const weight = Math.round((255 * alpha * hits) / (fine * fine));
        if (weight > 3) {
          offsets.push(y * width + x);
          weights.push(weight);
        }
      }
    }
    cells.push({ offsets: Int32Array.from(offsets), weights: Uint8Array.from(weights) });
  }
  return { cells, reach };
}

// Stamps that were made lately, by what makes them: a hand that turns a knob asks for few of them.
const STAMPS = new Map();
const MOST_STAMPS = 32;

function stamp(...how) {
  const key = how.join();
  if (!STAMPS.has(key)) {
    if (STAMPS.size === MOST_STAMPS) STAMPS.clear();
    STAMPS.set(key, makeStamp(...how));
  }
  return STAMPS.get(key);
}

export class PointsView extends PlaneView {
  constructor(host, panel, run) {
    super(host, panel, run, ["heat", "still", "vector", "front", "words"]);
    this.caption = el("div", { class: "dvz-caption", hidden: true });
    this.status = el("div", { class: "dvz-status" });
    this.take(panel, run);
    host.append(...Object.values(this.canvases), this.caption, this.status);
  }

  // Show another run in the same place, where it has the same limits.
  take(panel, run) {
    if (run.role(panel, "data") !== this.data) this.stillKey = null;
    this.panel = panel;
    this.run = run;
    this.x_t = run.role(panel, "x_t");
    this.x_0 = run.role(panel, "x_0");
    this.labels = run.role(panel, "labels");
    this.data = run.role(panel, "data");
    this.mesh = run.role(panel, "mesh");
    this.field = run.role(panel, "field");
    this.density = run.role(panel, "density");
    this.scale = run.role(panel, "scale");
    this.count = panel.count;
    if (!this.positions || this.positions.length !== 2 * this.count) this.positions = new Float32Array(2 * this.count);
    this.drag = this.densityNow = this.posteriorKey = null;
    this.status.hidden = !panel.status;
    this.describe(this.canvases.front, `${panel.title || "Points"}: ${this.count} points in the plane, `
      + `moving from ${run.clock.start} to ${run.clock.end}`);
    if (this.width) this.makeStamps();
  }

  layers() {
    const { panel } = this;
    const on = (key, usual) => (panel.on ? panel.on.includes(key) : usual);
    const badge = panel.badge || "data";
    const offered = [
      ["points", panel.points_label, true, "disc", badge, true],
      ["trails", "Trails", false, "trail", badge, true],
      ["x_0", "Predicted x₀", false, "diamond", badge, this.x_0],
      ["data", "Data", true, "cross", "data", this.data],
      ["field", panel.field_label, false, "arrow", "muted", this.field],
      ["density", panel.density_label, true, "heat", "exact", this.density],
      ["contours", "Contours", false, "contour", "exact", this.density],
      ["mesh", "Warped grid", false, "mesh", "muted", this.mesh],
    ];
    return offered.filter((o) => o[5]).map(([key, label, usual, glyph, color]) =>
      ({ key, label, on: on(key, usual), glyph, color }));
  }

  resize(width, height) {
    if (!this.fit(width, height, ["still", "vector", "front", "words"])) return;
    const { front } = this.canvases;
    this.image = pencil(front).createImageData(front.width, front.height);
    this.pixels = new Uint32Array(this.image.data.buffer);
    this.makeStamps();
  }

  makeStamps() {
    const { front } = this.canvases;
    const style = pointStyle(this.count);
    style.radius *= clamp(Math.min(this.width, this.height) / 340, 0.6, 1);
    this.stamps = {
      disc: stamp("disc", style.radius * this.ratio, style.alpha, front.width),
      quiet: stamp("disc", style.radius * this.ratio, style.alpha * 0.4, front.width),
      rim: stamp("disc", (style.radius + 0.9) * this.ratio, 0.5, front.width),
      diamond: stamp("diamond", (style.radius + 0.6) * this.ratio, style.alpha, front.width),
    };
  }

  // Screen position (CSS px) of entry i of a position array at a fractional frame.
  place(array, frame, i) {
    const size = array.shape.slice(1).reduce((a, b) => a * b, 1);
    const { low, high, share } = around(frame, array.shape[0]);
    const at = (k) => this.toScreen(array.value(k * size + 2 * i), array.value(k * size + 2 * i + 1));
    const a = at(low);
    if (share === 0 || high === low) return a;
    const b = at(high);
    return [a[0] + (b[0] - a[0]) * share, a[1] + (b[1] - a[1]) * share];
  }

  // Affine map from an array's entries, quantised or not, to device pixels: x = ax + bx q, y = ay + by q.
  pixelMap(array) {
    const lo = array.lo || [0, 0];
    const scale = this.unit * this.ratio;
    const gain = [0, 1].map((k) => (array.hi ? (array.hi[k] - lo[k]) / 65535 : 1));
    return {
      ax: this.origin.x * this.ratio + scale * lo[0], bx: scale * gain[0],
      ay: this.origin.y * this.ratio - scale * lo[1], by: -scale * gain[1],
    };
  }

  // Drawing ---------------------------------------------------------------------------------------

  draw(frame, state) {
    if (!this.width || !this.height) return;
    if (this.drag && (frame >= 0.01 || state.follow !== this.drag.index)) this.drag = null;
    const { layers } = state;
    if (this.panel.status) setText(this.status, this.panel.status[Math.round(frame)]);
    this.drawStill(state);
    this.drawHeat(frame, state);
    this.drawVectors(frame, state);
    this.pixels.fill(0);
    const colors = this.colors(frame, state.palette);
    if (layers.trails) this.drawTrails(frame, colors, this.isQuiet(state) ? 0.45 : 1);
    if (layers.x_0 && this.x_0) this.stampAll(this.x_0, frame, this.stamps.diamond, this.badgeColors(state.palette), null);
    if (layers.points) this.drawCloud(frame, state, colors);
    else this.stampAll(this.x_t, frame, NO_STAMP, colors, this.positions);
    const g = pencil(this.canvases.front);
    g.putImageData(this.image, 0, 0);
    this.drawFollowed(g, frame, state);
    this.host.style.touchAction = this.isGrabbable(frame, state) ? "none" : "pan-y";
  }

  // The cloud, quiet while one of its points is followed, set off from a heat map by a thin rim.
  drawCloud(frame, state, colors) {
    const { layers, palette } = state;
    const quiet = this.isQuiet(state);
    if (layers.density && this.density && this.count <= RIM_MAX && !quiet) {
      const rim = Uint32Array.of(packRgb(palette.rgb.background));
      this.stampAll(this.x_t, frame, this.stamps.rim, rim, null, false);
    }
    this.stampAll(this.x_t, frame, quiet ? this.stamps.quiet : this.stamps.disc, colors, this.positions);
  }

  isQuiet(state) {
    return state.follow !== null && state.hover === null && state.follow < this.count;
  }

  // Packed colours by class; without classes one colour, the data's (or the denoiser's) fading to
  // the noise's as noise takes over.
  colors(frame, palette) {
    if (this.labels) return Uint32Array.from(palette.classes, (color) => packRgb(color));
    const { clock } = this.run;
    const noise = noiseShare(sampleAt(clock.alpha, frame), sampleAt(clock.sigma, frame));
    return Uint32Array.of(packRgb(mixColors(palette.badge(this.panel.badge), palette.rgb.noise, noise)));
  }

  badgeColors(palette) {
    if (this.labels) return Uint32Array.from(palette.classes, (color) => packRgb(color));
    return Uint32Array.of(packRgb(palette.badge(this.panel.badge)));
  }

  // Stamp every point of a position array; keep device-pixel positions in `keep` when given.
  stampAll(array, frame, stamp, colors, keep, classes = true) {
    const { pixels, count } = this;
    const { data } = array;
    const { width, height } = this.canvases.front;
    const labels = this.labels && classes ? this.labels.data : null;
    const { ax, bx, ay, by } = this.pixelMap(array);
    const { low, high, share } = around(frame, this.run.frames);
    const a = low * 2 * count;
    const b = high * 2 * count;
    const { cells, reach } = stamp;
    const right = width - reach - 1;
    const bottom = height - reach - 1;
    let color = colors[0];
    for (let i = 0, j = 0; i < count; i++, j += 2) {
      const qx = data[a + j];
      const qy = data[a + j + 1];
      const x = ax + bx * (qx + share * (data[b + j] - qx));
      const y = ay + by * (qy + share * (data[b + j + 1] - qy));
      if (keep) {
        keep[j] = x;
        keep[j + 1] = y;
      }
      if (!(x >= reach && y >= reach && x < right && y < bottom)) continue;
      if (labels) color = colors[labels[i]];
      const fx = (x * SUBPIXELS) | 0;
      const fy = (y * SUBPIXELS) | 0;
      const { offsets, weights } = cells[(fy & (SUBPIXELS - 1)) * SUBPIXELS + (fx & (SUBPIXELS - 1))];
      const base = ((fy / SUBPIXELS) | 0) * width + ((fx / SUBPIXELS) | 0);
      for (let k = 0; k < offsets.length; k++) {
        const at = base + offsets[k];
        const below = pixels[at];
        const under = below >>> 24;
        const alpha = under + ((weights[k] * (255 - under)) >> 8);
        const same = under === 0 || (below & 0xffffff) === color;
        pixels[at] = (alpha << 24) | (same ? color : blend(below, color, (weights[k] << 8) / alpha));
      }
    }
  }

  // The last frames' path of every point, fading with age: lines, or dots where there are many.
  drawTrails(frame, colors, strength) {
    const { count } = this;
    const { data } = this.x_t;
    const labels = this.labels ? this.labels.data : null;
    const map = this.pixelMap(this.x_t);
    const newest = Math.floor(frame);
    const oldest = Math.max(0, Math.ceil(frame - TRAIL_FRAMES));
    const lines = count <= TRAIL_LINES_MAX;
    for (let k = oldest; k <= newest; k++) {
      const next = Math.min(k + 1, this.run.frames - 1);
      const share = k === newest ? frame - newest : 1;
      if (next === k || share === 0) continue;
      const fade = 1 - (frame - k) / (TRAIL_FRAMES + 1);
      const alpha = Math.round(120 * strength * fade * fade);
      const a = k * 2 * count;
      const b = next * 2 * count;
      for (let j = 0; j < 2 * count; j += 2) {
        const x0 = map.ax + map.bx * data[a + j];
        const y0 = map.ay + map.by * data[a + j + 1];
        const x1 = x0 + share * map.bx * (data[b + j] - data[a + j]);
        const y1 = y0 + share * map.by * (data[b + j + 1] - data[a + j + 1]);
        const color = labels ? colors[labels[j >> 1]] : colors[0];
        if (lines) this.pixelLine(x0, y0, x1, y1, color, alpha);
        else this.pixelDot((x0 + x1) / 2, (y0 + y1) / 2, color, alpha);
      }
    }
  }

  pixelDot(x, y, color, alpha) {
    const { width, height } = this.canvases.front;
    if (!(x >= 0 && y >= 0 && x < width && y < height)) return;
    const at = (y | 0) * width + (x | 0);
    const under = this.pixels[at] >>> 24;
    this.pixels[at] = ((under + ((alpha * (255 - under)) >> 8)) << 24) | color;
  }

  // An antialiased line: at each step along the longer axis the opacity is shared between the two
  // nearest pixels across it.
  pixelLine(x0, y0, x1, y1, color, alpha) {
    const dx = x1 - x0;
    const dy = y1 - y0;
    const steps = Math.min(Math.ceil(Math.max(Math.abs(dx), Math.abs(dy))), 400);
    const steep = Math.abs(dy) > Math.abs(dx);
    const dot = (across, along, share) => (steep
      ? this.pixelDot(across, along, color, (alpha * share) | 0)
      : this.pixelDot(along, across, color, (alpha * share) | 0));
    for (let n = 0; n < steps; n++) {
      const x = x0 + (dx * n) / steps - 0.5;
      const y = y0 + (dy * n) / steps - 0.5;
      const near = Math.floor(steep ? x : y);
      const share = (steep ? x : y) - near;
      dot(near, Math.round(steep ? y : x), 1 - share);
      dot(near + 1, Math.round(steep ? y : x), share);
    }
  }

  // Grid, axis numbers and data points: redrawn only when size, theme or the layer changes.
  drawStill(state) {
    const key = `${state.palette.key}|${state.layers.data}`;
    if (this.stillKey === key) return;
    this.stillKey = key;
    const { palette } = state;
    const g = pencil(this.canvases.still);
    g.clearRect(0, 0, this.width, this.height);
    this.drawGrid(g, palette);
    if (state.layers.data && this.data) this.drawData(g, palette);
  }

  drawData(g, palette) {
    const [count] = this.data.shape;
    const arm = count > 1500 ? 2 : count > 400 ? 2.5 : 3.5;
    g.beginPath();
    for (let i = 0; i < count; i++) {
      const [x, y] = this.toScreen(this.data.value(2 * i), this.data.value(2 * i + 1));
      traceCross(g, x, y, 0, arm);
    }
    strokePath(g, css(palette.rgb.data, count > 1500 ? 0.4 : 0.55), 1);
  }

  // Density, contours, arrows, warped grid --------------------------------------------------------

  // This frame's density (0 to 1, relative to its own maximum), interpolated between frames.
  densityAt(frame) {
    const [frames, rows, columns] = this.density.shape;
    const size = rows * columns;
    if (!this.densityNow) this.densityNow = new Float32Array(size);
    const { low, high, share } = around(frame, frames);
    const { data, hi } = this.density;
    const out = this.densityNow;
    for (let i = 0; i < size; i++) {
      const q = data[low * size + i];
      const root = (q + share * (data[high * size + i] - q)) * (hi / 255); // sent as a square root
      out[i] = root * root;
    }
    return out;
  }

  drawHeat(frame, state) {
    const { heat } = this.canvases;
    const on = Boolean(this.density && state.layers.density);
    heat.hidden = !on;
    if (!on) return;
    const [, rows, columns] = this.density.shape;
    const table = this.heatTable(state.palette);
    const values = this.densityAt(frame);
    this.paintHeat(rows, columns, (i) => table[(values[i] * 255) | 0]);
  }

  // Colour and opacity by density: nothing at zero; the high end is the one far from the background.
  heatTable(palette) {
    if (this.heatKey === palette.key) return this.heatColors;
    this.heatKey = palette.key;
    this.heatColors = new Uint32Array(256);
    for (let i = 0; i < 256; i++) {
      const v = (i / 255) ** 0.75;
      const k = Math.round(255 * (palette.dark ? 0.1 + 0.8 * v : 1 - 0.8 * v));
      const alpha = Math.round(255 * Math.min(1, v * 2.2) * (palette.dark ? 0.65 : 0.55));
      this.heatColors[i] = packRgb(palette.cividis[k], alpha);
    }
    return this.heatColors;
  }

  drawVectors(frame, state) {
    const { vector } = this.canvases;
    const { layers, palette } = state;
    const wanted = {
      contours: layers.contours && this.density,
      mesh: layers.mesh && this.mesh,
      field: layers.field && this.field,
    };
    const on = Boolean(wanted.contours || wanted.mesh || wanted.field);
    vector.hidden = !on;
    if (!on) return;
    const g = pencil(vector);
    g.clearRect(0, 0, this.width, this.height);
    if (wanted.mesh) this.drawMesh(g, frame, palette);
    if (wanted.contours) this.drawContours(g, frame, palette);
    if (wanted.field) this.drawField(g, frame, palette);
  }

  drawMesh(g, frame, palette) {
    const [, rows, columns] = this.mesh.shape;
    const at = (r, c) => this.place(this.mesh, frame, r * columns + c);
    g.beginPath();
    for (let r = 0; r < rows; r++) traceLine(g, Array.from({ length: columns }, (_, c) => at(r, c)));
    for (let c = 0; c < columns; c++) traceLine(g, Array.from({ length: rows }, (_, r) => at(r, c)));
    strokePath(g, css(palette.rgb.text, 0.3), 1);
  }

  // Lines between cell centres, one path per level.
  drawContours(g, frame, palette) {
    const [, rows, columns] = this.density.shape;
    const values = this.densityAt(frame);
    const [lo, hi] = this.panel.limits;
    const cell = { x: ((hi[0] - lo[0]) / columns) * this.unit, y: ((hi[1] - lo[1]) / rows) * this.unit };
    const [left, base] = this.toScreen(lo[0], lo[1]);
    CONTOUR_LEVELS.forEach((level, n) => {
      g.beginPath();
      traceContour(values, rows, columns, level, (x0, y0, x1, y1) => {
        g.moveTo(left + (x0 + 0.5) * cell.x, base - (y0 + 0.5) * cell.y);
        g.lineTo(left + (x1 + 0.5) * cell.x, base - (y1 + 0.5) * cell.y);
      });
      strokePath(g, css(palette.rgb.exact, 0.3 + 0.6 * (n / (CONTOUR_LEVELS.length - 1))), 1.1);
    });
  }

  drawField(g, frame, palette) {
    this.traceArrows(g, this.field, frame, 0.82);
    strokePath(g, css(palette.rgb.text, 0.62), 1.2);
  }

  // The followed point ----------------------------------------------------------------------------

  drawFollowed(g, frame, state) {
    const item = state.follow;
    const known = item !== null && item < this.count;
    this.caption.hidden = !(known && this.pulls(item, frame, g, state));
    if (!known) return;
    const { palette } = state;
    const now = this.drag ? [this.drag.x, this.drag.y] : this.place(this.x_t, frame, item);
    this.drawPath(g, frame, item, now, palette);
    if (this.x_0 && !this.drag) this.drawPrediction(g, frame, item, now, palette);
    if (this.drag) this.drawGhost(g, item, palette);
    drawDisc(g, now[0], now[1], this.isGrabbable(frame, state) ? 8 : 6, palette.css.path, palette.css.background);
  }

  drawPath(g, frame, item, now, palette) {
    const line = (from, to, start) => {
      g.beginPath();
      g.moveTo(...start);
      for (let k = from; k <= to; k++) g.lineTo(...this.place(this.x_t, k, item));
    };
    g.lineJoin = "round";
    g.lineCap = "round";
    if (Math.floor(frame) + 1 < this.run.frames) {
      line(Math.floor(frame) + 1, this.run.frames - 1, now);
      strokePath(g, css(palette.rgb.path, this.drag ? 0.25 : 0.7), 1.8, [4, 5]);
    }
    if (frame > 0) {
      line(0, Math.floor(frame), this.place(this.x_t, 0, item));
      g.lineTo(...now);
      strokePath(g, css(palette.rgb.path, 0.95), 2.2);
    }
  }

  drawPrediction(g, frame, item, now, palette) {
    const [x, y] = this.place(this.x_0, frame, item);
    const color = palette.badge(this.panel.badge);
    strokeSegment(g, now[0], now[1], x, y, css(color, 0.9), 1.2);
    g.beginPath();
    traceDiamond(g, x, y, 7);
    fillAndStroke(g, palette.css.background, css(color), 2);
  }

  // Where the dragged starting point came from.
  drawGhost(g, item, palette) {
    const [x, y] = this.place(this.x_t, 0, item);
    strokeSegment(g, x, y, this.drag.x, this.drag.y, palette.css.path, 1.2, [3, 4]);
    g.beginPath();
    g.arc(x, y, 5, 0, 2 * Math.PI);
    g.stroke();
  }

  // Lines to the data points that the exact posterior weighs in for this point; false where there are none to show.
  pulls(item, frame, g, state) {
    if (!this.data || !this.panel.pulls || this.drag) return false;
    const k = Math.round(frame);
    const { weights, effective } = this.posterior(item, k);
    const order = topIndices(weights, PULLS_SHOWN);
    const [x, y] = this.place(this.x_t, frame, item);
    const { rgb } = state.palette;
    for (const i of order) {
      const strength = Math.cbrt(weights[i]);
      if (strength < 0.05) continue;
      const [px, py] = this.toScreen(this.data.value(2 * i), this.data.value(2 * i + 1));
      strokeSegment(g, x, y, px, py, css(rgb.data, 0.1 + 0.8 * strength), 0.6 + 2 * strength);
      g.beginPath();
      g.arc(px, py, 1.5 + 4.5 * strength, 0, 2 * Math.PI);
      g.fillStyle = css(rgb.data, 0.3 + 0.7 * strength);
      g.fill();
    }
    setText(this.caption, `effective number of data points 1/Σw² = ${compact(effective, 3)}`);
    return true;
  }

  // w_n proportional to exp(-|x_t - alpha y_n|^2 / (2 sigma^2)), and 1 / sum of squares.
  posterior(item, k) {
    const key = `${item}:${k}`;
    if (this.posteriorKey === key) return this.posteriorNow;
    const { clock } = this.run;
    const [alpha, sigma] = [clock.alpha[k], clock.sigma[k]];
    const scale = this.scale ? this.scale.data[k] : 1;
    const at = 2 * (k * this.count + item);
    const x = this.x_t.value(at) / scale;
    const y = this.x_t.value(at + 1) / scale;
    const [count] = this.data.shape;
    const weights = new Float64Array(count);
    let top = -Infinity;
    const precision = 0.5 / Math.max(sigma * sigma, 1e-12);
    for (let i = 0; i < count; i++) {
      const dx = x - alpha * this.data.value(2 * i);
      const dy = y - alpha * this.data.value(2 * i + 1);
      weights[i] = -(dx * dx + dy * dy) * precision;
      if (weights[i] > top) top = weights[i];
    }
    let sum = 0;
    for (let i = 0; i < count; i++) sum += weights[i] = Math.exp(weights[i] - top);
    let squares = 0;
    for (let i = 0; i < count; i++) squares += (weights[i] /= sum) * weights[i];
    this.posteriorKey = key;
    this.posteriorNow = { weights, effective: 1 / squares };
    return this.posteriorNow;
  }

  // Pointer ---------------------------------------------------------------------------------------

  pick(event) {
    const { x, y } = pointIn(this.host, event);
    const { picked } = this.panel; // where only the first few can be followed, a hand need not hit them
    const reach = event.pointerType === "touch" ? POINT_PICK.touch : POINT_PICK.mouse;
    const radius = reach * this.ratio * (picked ? 3 : 1);
    let best = null;
    let nearest = radius * radius;
    for (let i = 0; i < (picked || this.count); i++) {
      const dx = this.positions[2 * i] - x * this.ratio;
      const dy = this.positions[2 * i + 1] - y * this.ratio;
      const d = dx * dx + dy * dy;
      if (d < nearest) {
        nearest = d;
        best = i;
      }
    }
    return best;
  }

  isGrabbable(frame, state) {
    return this.panel.movable && frame < 0.01 && !state.playing && state.follow !== null && state.follow < this.count;
  }

  canGrab(event, frame, state) {
    if (!state || !this.isGrabbable(frame, state)) return false;
    const { x, y } = pointIn(this.host, event);
    const [px, py] = this.place(this.x_t, 0, state.follow);
    return Math.hypot(px - x, py - y) <= (event.pointerType === "touch" ? POINT_PICK.touch : POINT_PICK.mouse);
  }

  grab(event, frame, state) {
    if (!this.canGrab(event, frame, state)) return null;
    const index = state.follow;
    const start = pointIn(this.host, event);
    const at = (e) => {
      const { x, y } = pointIn(this.host, e);
      return { index, x: clamp(x, 0, this.width), y: clamp(y, 0, this.height) };
    };
    return {
      index,
      move: (e) => {
        const to = at(e);
        if (this.drag || Math.hypot(to.x - start.x, to.y - start.y) > 3) this.drag = to;
      },
      release: (e) => {
        if (!e || !this.drag) {
          this.drag = null;
          return null;
        }
        this.drag = at(e); // stays as a ghost until the run that starts there arrives
        const { x, y } = this.drag;
        const scale = this.scale ? this.scale.data[0] : 1;
        const [px, py] = this.toPlane(x, y);
        return { index, x: px / scale, y: py / scale };
      },
    };
  }
}

// Two packed colours mixed, `share` (0 to 256) of the upper one.
export function blend(lower, upper, share) {
  const s = share > 256 ? 256 : share | 0;
  const r = lower & 255;
  const g = (lower >> 8) & 255;
  const b = (lower >> 16) & 255;
  return (r + ((((upper & 255) - r) * s) >> 8))
    | ((g + (((((upper >> 8) & 255) - g) * s) >> 8)) << 8)
    | ((b + (((((upper >> 16) & 255) - b) * s) >> 8)) << 16);
}

// Indices of the largest values, largest first.
export function topIndices(values, count) {
  const best = [];
  for (let i = 0; i < values.length; i++) {
    if (best.length === count && values[i] <= values[best[count - 1]]) continue;
    let at = best.length;
    while (at > 0 && values[best[at - 1]] < values[i]) at--;
    best.splice(at, 0, i);
    if (best.length > count) best.pop();
  }
  return best;
}
