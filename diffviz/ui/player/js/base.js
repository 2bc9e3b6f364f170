// Shared by every view of the player: reading the buffer, colours, numbers, DOM and canvas helpers.
// The files of this folder are joined, in a fixed order, into one ES module (see ../__init__.py).

const BUFFER_MAGIC = "DVZ1";
const OPTIONS_MAGIC = "DVZO";
const LEVELS = { u16: 65535, u8: 255 };
const TYPED = { u16: Uint16Array, u8: Uint8Array, f32: Float32Array, i32: Int32Array };

// ---------------------------------------------------------------------------------------------
// Reading the payload

function magicAt(bytes, at) {
  return String.fromCharCode(bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]);
}

// The JSON block that starts at `at`: {value, next}, next being where what follows it starts.
function readBlock(bytes, at, magic, what) {
  if (bytes.length < at + 8 || magicAt(bytes, at) !== magic) {
    throw new Error(`Its data do not start with ${what}.`);
  }
  const length = new DataView(bytes.buffer, bytes.byteOffset + at + 4, 4).getUint32(0, true);
  const next = at + 8 + length;
  if (next > bytes.length) throw new Error("Its data are cut short.");
  const text = new TextDecoder().decode(bytes.subarray(at + 8, next));
  return { value: JSON.parse(text), next };
}

// What Streamlit hands over (a Uint8Array at any offset, or an ArrayBuffer) as a Uint8Array.
function asBytes(data) {
  if (data instanceof Uint8Array) return data;
  if (ArrayBuffer.isView(data)) return new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
  if (data instanceof ArrayBuffer) return new Uint8Array(data);
  throw new Error("Its data did not arrive as bytes.");
}

// Options in front of the buffer, and where the buffer starts.  Cheap: no array is touched.
function readOptions(bytes) {
  if (bytes.length >= 4 && magicAt(bytes, 0) === BUFFER_MAGIC) return { options: {}, start: 0 };
  const { value, next } = readBlock(bytes, 0, OPTIONS_MAGIC, `the mark ${BUFFER_MAGIC}`);
  return { options: value, start: next };
}

// One run: its header, its clock and its arrays.  Frames are numbered from 0 to frames - 1.
class Run {
  // bytes: a Uint8Array; start: where the buffer begins in it.  The data block is copied once, to
  // an aligned place, so that typed arrays can be laid over it.
  constructor(bytes, start = 0) {
    const { value, next } = readBlock(bytes, start, BUFFER_MAGIC, `the mark ${BUFFER_MAGIC}`);
    this.header = value;
    this.id = value.id;
    this.block = bytes.slice(next).buffer;
    this.cache = new Map();
    this.clock = this.readClock(value.clock);
    this.frames = value.clock.frames;
    this.panels = value.panels;
    this.rail = value.rail || null;
  }

  readClock(entry) {
    const clock = { ...entry };
    for (const [role, name] of Object.entries(entry.arrays)) clock[role] = this.array(name).data;
    return clock;
  }

  // A named array: {data: TypedArray, shape, lo, hi, value(i)}; value(i) is the real number at flat
  // index i.  lo and hi are numbers, or arrays with one entry per entry of the last axis.
  array(name) {
    if (!this.cache.has(name)) this.cache.set(name, this.readArray(name));
    return this.cache.get(name);
  }

  readArray(name) {
    const entry = this.header.arrays[name];
    if (!entry) throw new Error(`Its data have no array called ${name}.`);
    const { dtype, shape, offset, lo, hi } = entry;
    const count = shape.reduce((a, b) => a * b, 1);
    const data = new TYPED[dtype](this.block, offset, count);
    const top = LEVELS[dtype];
    let value = (i) => data[i];
    if (top && Array.isArray(lo)) {
      const size = lo.length;
      const gain = lo.map((low, k) => (hi[k] - low) / top);
      value = (i) => lo[i % size] + gain[i % size] * data[i];
    } else if (top) {
      const gain = (hi - lo) / top;
      value = (i) => lo + gain * data[i];
    }
    return { data, shape, lo, hi, dtype, value };
  }

  // The array behind a panel's role ("x_t", "density", ...), or null when the panel has none.
  role(panel, role) {
    const name = panel.arrays && panel.arrays[role];
    return name ? this.array(name) : null;
  }
}

// ---------------------------------------------------------------------------------------------
// Colours

const CONCEPTS = {
  light: { data: "#0072B2", noise: "#7F7F7F", exact: "#009E73", learned: "#D55E00", path: "#AA4499" },
  dark: { data: "#56B4E9", noise: "#A6A6A6", exact: "#2BC79A", learned: "#F58A42", path: "#D98CC5" },
};

// Ten classes, the same everywhere; told apart under the common colour deficiencies as far as ten
// colours can be.
const CLASS_COLORS = {
  light: ["#0072B2", "#E08A00", "#009E73", "#C8401A", "#4BA3DB", "#C2588F", "#A08A00", "#5B4A9E",
    "#8C5A3C", "#1F6B3A"],
  dark: ["#4FA8E0", "#F0AE3D", "#2BC79A", "#F2784F", "#8CCBF2", "#E58ABB", "#D9C53A", "#A091E0",
    "#C79A7B", "#6FBF83"],
};

// Anchor colours of perceptually uniform scales, equally spaced from low to high.
const SCALE_ANCHORS = {
  viridis: ["#440154", "#482878", "#3e4989", "#31688e", "#26828e", "#1f9e89", "#35b779", "#6ece58",
    "#b5de2b", "#fde725"],
  cividis: ["#00224e", "#123570", "#3b496c", "#575d6d", "#707173", "#8a8678", "#a59c74", "#c3b369",
    "#e1cc55", "#fee838"],
};

// "#rrggbb", "rgb(...)" or a named colour to [r, g, b]; null when it is none.
const colorContext = document.createElement("canvas").getContext("2d");
function parseColor(text) {
  const value = (text || "").trim();
  if (!value) return null;
  colorContext.fillStyle = "#010203";
  colorContext.fillStyle = value;
  const css = colorContext.fillStyle;
  if (css === "#010203") return null;
  if (css[0] === "#") return [1, 3, 5].map((i) => parseInt(css.slice(i, i + 2), 16));
  const numbers = css.match(/[\d.]+/g);
  return numbers ? numbers.slice(0, 3).map(Number) : null;
}

function luminance(rgb) {
  const [r, g, b] = rgb.map((c) => {
    const s = c / 255;
    return s <= 0.04045 ? s / 12.92 : ((s + 0.055) / 1.055) ** 2.4;
  });
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
}

function mixColors(a, b, share) {
  return a.map((c, k) => Math.round(c + (b[k] - c) * share));
}

// [r, g, b] (and an opacity) as a CSS colour.
function css(rgb, alpha = 1) {
  return alpha >= 1 ? `rgb(${rgb.join(",")})` : `rgba(${rgb.join(",")},${alpha})`;
}

// [r, g, b] as the low 24 bits of a pixel in a Uint32Array over ImageData (little endian).
function packRgb(rgb) {
  return (rgb[2] << 16) | (rgb[1] << 8) | rgb[0];
}

// 256 colours through equally spaced anchors, as a Uint8Array of 256 * 3.
function scaleTable(anchors) {
  const stops = anchors.map((a) => (Array.isArray(a) ? a : parseColor(a)));
  const table = new Uint8Array(256 * 3);
  for (let i = 0; i < 256; i++) {
    const x = (i / 255) * (stops.length - 1);
    const k = Math.min(Math.floor(x), stops.length - 2);
    mixColors(stops[k], stops[k + 1], x - k).forEach((c, j) => { table[i * 3 + j] = c; });
  }
  return table;
}

// Every colour a view needs, for the theme that `element` is in.  Colours are {rgb, css} except
// where noted; palette.of(name) never fails.
function readPalette(element) {
  const style = getComputedStyle(element);
  const variable = (name, fallback) => parseColor(style.getPropertyValue(name)) || parseColor(fallback);
  const background = variable("--st-background-color", "#ffffff");
  const dark = luminance(background) < 0.4;
  const theme = dark ? "dark" : "light";
  const rgb = {
    background,
    text: variable("--st-text-color", dark ? "#fafafa" : "#31333f"),
    surface: variable("--st-secondary-background-color", dark ? "#262730" : "#f0f2f6"),
    primary: variable("--st-primary-color", "#0072B2"),
  };
  rgb.muted = mixColors(rgb.text, background, 0.36);
  rgb.faint = mixColors(rgb.text, background, 0.6);
  rgb.line = mixColors(rgb.text, background, dark ? 0.78 : 0.84);
  rgb.grid = mixColors(rgb.text, background, dark ? 0.88 : 0.92);
  for (const [name, value] of Object.entries(CONCEPTS[theme])) rgb[name] = parseColor(value);
  const classes = CLASS_COLORS[theme].map(parseColor);
  const font = style.getPropertyValue("--st-font").trim() || "system-ui, sans-serif";
  return {
    dark,
    theme,
    rgb,
    css: Object.fromEntries(Object.entries(rgb).map(([name, value]) => [name, css(value)])),
    classes,
    classCss: classes.map((c) => css(c)),
    font,
    viridis: scaleTable(SCALE_ANCHORS.viridis),
    cividis: scaleTable(SCALE_ANCHORS.cividis),
    // signed values: blue below zero, orange above, the background at zero
    diverging: scaleTable([CONCEPTS[theme].data, background, CONCEPTS[theme].learned]),
    badge: (name) => rgb[name] || rgb.muted,
    key: `${theme}:${Object.values(rgb).join("|")}:${font}`,
  };
}

// The palette as CSS variables (--dvz-data, --dvz-muted, ...) on the player's root.
function applyPalette(root, palette) {
  for (const [name, value] of Object.entries(palette.css)) root.style.setProperty(`--dvz-${name}`, value);
  root.style.setProperty("--dvz-on-primary", luminance(palette.rgb.primary) > 0.45 ? "#000" : "#fff");
  root.dataset.theme = palette.theme;
}

// ---------------------------------------------------------------------------------------------
// Numbers

// A number in fixed notation with a true minus sign; infinities as a symbol.
function fixed(x, digits = 2) {
  if (x === Infinity) return "∞";
  if (x === -Infinity) return "−∞";
  if (!Number.isFinite(x)) return "–";
  const text = x.toFixed(digits);
  const plain = Number(text) === 0 ? text.replace("-", "") : text;
  return plain.replace("-", "−");
}

// A number with a few significant digits; very large and very small ones as 1.2×10⁻³.
function compact(x, digits = 3) {
  if (!Number.isFinite(x)) return fixed(x);
  if (x === 0) return "0";
  const size = Math.abs(x);
  if (size >= 1e5 || size < 1e-3) {
    const [mantissa, exponent] = x.toExponential(digits - 1).split("e");
    return `${mantissa.replace("-", "−")}×10${superscript(Number(exponent))}`;
  }
  const decimals = Math.max(0, digits - 1 - Math.floor(Math.log10(size)));
  return fixed(x, Math.min(decimals, 6));
}

function superscript(n) {
  const digits = "⁰¹²³⁴⁵⁶⁷⁸⁹";
  return String(n).replace(/./g, (c) => (c === "-" ? "⁻" : digits[Number(c)]));
}

function clamp(x, low, high) {
  return x < low ? low : x > high ? high : x;
}

// log-SNR = 2 log(alpha / sigma), infinite at the ends.
function logSnr(alpha, sigma) {
  if (sigma === 0) return Infinity;
  if (alpha === 0) return -Infinity;
  return 2 * Math.log(alpha / sigma);
}

// Linear interpolation in an array at a fractional index (infinities: the nearer entry).
function sampleAt(values, position) {
  const low = clamp(Math.floor(position), 0, values.length - 1);
  const high = Math.min(low + 1, values.length - 1);
  const share = position - low;
  const value = values[low] + (values[high] - values[low]) * share;
  return Number.isFinite(value) ? value : values[share < 0.5 ? low : high];
}

// "Nice" tick values covering [low, high], at most `count` of them.
function niceTicks(low, high, count = 5) {
  const span = high - low;
  if (!(span > 0)) return [low];
  const raw = span / count;
  const power = 10 ** Math.floor(Math.log10(raw));
  const step = [1, 2, 5, 10].map((m) => m * power).find((s) => span / s <= count) || 10 * power;
  const ticks = [];
  for (let v = Math.ceil(low / step) * step; v <= high + step * 1e-6; v += step) ticks.push(v);
  return ticks.map((v) => (Math.abs(v) < step * 1e-6 ? 0 : v));
}

// ---------------------------------------------------------------------------------------------
// DOM and canvas

// An element: el("button", {class: "x", "aria-label": "Play", onclick: f}, child, "text").
function el(tag, props = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(props)) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else if (name === "style") Object.assign(node.style, value);
    else node.setAttribute(name, value === true ? "" : value);
  }
  node.append(...children.filter((c) => c !== null && c !== undefined));
  return node;
}

// Set text only when it differs, so that a frame that changes nothing costs nothing.
function setText(node, text) {
  if (node.lastText !== text) {
    node.lastText = text;
    node.textContent = text;
  }
}

const SVG = "http://www.w3.org/2000/svg";
// A 24x24 line icon from a path.
function icon(path, filled = false) {
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("viewBox", "0 0 24 24");
  svg.setAttribute("aria-hidden", "true");
  svg.setAttribute("class", filled ? "dvz-icon dvz-icon-filled" : "dvz-icon");
  const shape = document.createElementNS(SVG, "path");
  shape.setAttribute("d", path);
  svg.append(shape);
  return svg;
}

// What a layer looks like, as a small picture in front of its name.  Kinds: disc, ring, diamond,
// cross, line, dashed, trail, arrow, contour, mesh, heat; color: a concept ("data", "exact", ...).
const GLYPHS = {
  disc: "M12 7a5 5 0 1 0 .01 0z",
  ring: "M12 6a6 6 0 1 0 .01 0z",
  diamond: "M12 4l8 8-8 8-8-8z",
  cross: "M12 4v16M4 12h16",
  line: "M2 12h20",
  dashed: "M2 12h5M10 12h5M18 12h4",
  trail: "M2 19C8 18 12 14 15 8M15 8m-.1 0h.2",
  arrow: "M3 18L20 6M12 5.5L20 6l-2 7.5",
  contour: "M12 3c6 0 9 4 9 9s-4 9-9 9-9-4-9-9 3-9 9-9zM12 8.5c3 0 4 1.5 4 3.5s-1.500 3.5-4 3.5-4-1.500-4-3.500 1-3.500 4-3.500z",
  mesh: "M3 6c6 3 12-3 18 0M3 12c6 3 12-3 18 0M3 18c6 3 12-3 18 0M7 3c-2 6 2 12 0 18M16 3c-2 6 2 12 0 18",
  heat: "M4 4h16v16H4z",
};
const SOLID_GLYPHS = ["disc", "heat"];

function makeGlyph(kind, color) {
  const glyph = icon(GLYPHS[kind] || GLYPHS.disc, SOLID_GLYPHS.includes(kind));
  glyph.setAttribute("class", `${glyph.getAttribute("class")} dvz-glyph dvz-glyph-${kind}`);
  if (color) glyph.style.color = `var(--dvz-${color})`;
  return glyph;
}

// Device pixels per CSS pixel, bounded so that drawing stays fast on very dense screens.
function pixelRatio() {
  return clamp(window.devicePixelRatio || 1, 1, 2);
}

// Size a canvas in CSS pixels; returns its 2-D context scaled to CSS pixels.
function fitCanvas(canvas, width, height, options = undefined) {
  const ratio = pixelRatio();
  const w = Math.max(1, Math.round(width * ratio));
  const h = Math.max(1, Math.round(height * ratio));
  if (canvas.width !== w) canvas.width = w;
  if (canvas.height !== h) canvas.height = h;
  canvas.style.width = `${width}px`;
  canvas.style.height = `${height}px`;
  const context = canvas.getContext("2d", options);
  context.setTransform(ratio, 0, 0, ratio, 0, 0);
  return context;
}

// Where a pointer event is, relative to an element, in CSS pixels.
function pointIn(element, event) {
  const box = element.getBoundingClientRect();
  return { x: event.clientX - box.left, y: event.clientY - box.top };
}
