// Axes, numbers, labels and small DOM helpers.

const SVG = "http://www.w3.org/2000/svg";

function el(tag, props = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(props)) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else node.setAttribute(name, value === true ? "" : value);
  }
  node.append(...children.filter((c) => c !== null && c !== undefined));
  return node;
}

function svg(tag, props = {}, ...children) {
  const node = document.createElementNS(SVG, tag);
  setAll(node, props);
  node.append(...children.filter((c) => c !== null && c !== undefined));
  return node;
}

function setAll(node, props) {
  for (const [name, value] of Object.entries(props)) {
    if (value === null || value === undefined) node.removeAttribute(name);
    else node.setAttribute(name, value);
  }
}

function superscript(n) {
  const digits = "⁰¹²³⁴⁵⁶⁷⁸⁹";
  return String(n).replace(/./g, (c) => (c === "-" ? "⁻" : digits[Number(c)]));
}

// Three significant digits; very large and very small numbers as 1.2×10⁻³.
function compact(x) {
  if (x === Infinity) return "∞";
  if (x === -Infinity) return "−∞";
  if (!Number.isFinite(x)) return "–";
  if (x === 0) return "0";
  const size = Math.abs(x);
  if (size >= 1e5 || size < 1e-3) {
    const [mantissa, exponent] = x.toExponential(1).split("e");
    return `${mantissa.replace("-", "−")}×10${superscript(Number(exponent))}`;
  }
  const decimals = Math.min(Math.max(2 - Math.floor(Math.log10(size)), 0), 4);
  return x.toFixed(decimals).replace("-", "−");
}

function plainNumber(x) {
  return String(Number(x.toPrecision(6))).replace("-", "−");
}

// The vertical axis: where a value stands and where the ticks are.
class Axis {
  constructor(view, top, height) {
    this.log = view.log;
    this.low = this.warp(view.low);
    this.high = this.warp(view.high);
    this.top = top;
    this.height = height;
  }

  warp(y) {
    return this.log ? Math.log10(Math.max(y, 1e-300)) : y;
  }

  // CSS pixels; far outside the plot is as good as infinitely far.
  y(value) {
    const share = (this.warp(value) - this.low) / (this.high - this.low);
    return this.top + this.height * (1 - Math.min(Math.max(share, -3), 4));
  }

  value(y) {
    const warped = this.low + (1 - (y - this.top) / this.height) * (this.high - this.low);
    return this.log ? 10 ** warped : warped;
  }

  ticks() {
    const most = Math.max(2, Math.floor(this.height / 44));
    const span = this.high - this.low;
    const steps = this.log ? [1, 2, 3, 4, 5, 10] : niceSteps(span);
    const step = steps.find((s) => span / s <= most) || steps[steps.length - 1];
    const ticks = [];
    for (let k = Math.ceil(this.low / step - 1e-9); k * step <= this.high + 1e-9 * step; k++) {
      const at = k * step;
      ticks.push({ value: this.log ? 10 ** at : at, label: this.log ? power(at) : plainNumber(at) });
    }
    return ticks;
  }
}

function niceSteps(span) {
  const base = 10 ** Math.floor(Math.log10(span / 10));
  return [1, 2, 2.5, 5, 10, 20, 25, 50, 100].map((m) => m * base);
}

function power(exponent) {
  return exponent === 0 ? "1" : exponent === 1 ? "10" : `10${superscript(exponent)}`;
}

// Push labels apart so that none is closer than `gap` to the next, and all stay in [low, high].
function spread(wanted, gap, low, high) {
  const order = wanted.map((y, i) => [y, i]).sort((a, b) => a[0] - b[0]);
  const groups = [];
  for (const [y, i] of order) {
    groups.push({ sum: y, items: [i] });
    while (groups.length > 1 && overlap(groups, gap, low, high)) {
      const last = groups.pop();
      const into = groups[groups.length - 1];
      into.sum += last.sum;
      into.items.push(...last.items);
    }
  }
  const placed = new Array(wanted.length);
  for (const group of groups) {
    const start = groupStart(group, gap, low, high);
    group.items.forEach((item, k) => { placed[item] = start + k * gap; });
  }
  return placed;
}

function groupStart(group, gap, low, high) {
  const length = (group.items.length - 1) * gap;
  return Math.max(low, Math.min(group.sum / group.items.length - length / 2, high - length));
}

function overlap(groups, gap, low, high) {
  const [a, b] = groups.slice(-2);
  const endOfA = groupStart(a, gap, low, high) + (a.items.length - 1) * gap;
  return groupStart(b, gap, low, high) - endOfA < gap;
}

// The value of a polyline at x, or null outside it.
function interpolate(xs, ys, x) {
  if (!xs.length || x < xs[0] - 1e-9 || x > xs[xs.length - 1] + 1e-9) return null;
  let low = 0;
  let high = xs.length - 1;
  while (high - low > 1) {
    const middle = (low + high) >> 1;
    if (xs[middle] <= x) low = middle; else high = middle;
  }
  if (high === low) return ys[low];
  const share = (x - xs[low]) / (xs[high] - xs[low]);
  return ys[low] + (ys[high] - ys[low]) * Math.min(Math.max(share, 0), 1);
}

// Whether the page is dark, by the background that the theme paints.
function isDark(element) {
  const probe = document.createElement("canvas").getContext("2d");
  probe.fillStyle = "#ffffff";
  probe.fillStyle = getComputedStyle(element).getPropertyValue("--st-background-color").trim();
  const [r, g, b] = [1, 3, 5].map((i) => parseInt(String(probe.fillStyle).slice(i, i + 2), 16));
  return 0.2126 * r + 0.7152 * g + 0.0722 * b < 110;
}

function fromBase64(text) {
  return Uint8Array.from(atob(text), (c) => c.charCodeAt(0));
}

// One image under given (alpha, sigma), column by column, on one canvas per row.
class Picture {
  constructor(strip) {
    [this.channels, this.height, this.width] = strip.shape;
    this.x0 = Float32Array.from(fromBase64(strip.x_0), (v) => v / 127.5 - 1);
    const bytes = fromBase64(strip.eps);
    const noise = new Int16Array(bytes.buffer, 0, bytes.length / 2);
    this.eps = Float32Array.from(noise, (v) => v / strip.eps_scale);
    this.cell = document.createElement("canvas");
    this.cell.width = this.width;
    this.cell.height = this.height;
    this.context = this.cell.getContext("2d");
    this.pixels = this.context.createImageData(this.width, this.height);
  }

  // The cell as 8-bit RGBA: x_t = alpha x_0 + sigma eps, divided by `scale`, -1 black and 1 white.
  mix(alpha, sigma, scale) {
    const { x0, eps, pixels, channels } = this;
    const size = this.width * this.height;
    for (let i = 0; i < size; i++) {
      for (let c = 0; c < 3; c++) {
        const j = i + (channels === 3 ? c * size : 0);
        const value = (alpha * x0[j] + sigma * eps[j]) / scale;
        pixels.data[4 * i + c] = Math.round((value + 1) * 127.5);
      }
      pixels.data[4 * i + 3] = 255;
    }
    this.context.putImageData(pixels, 0, 0);
    return this.cell;
  }

  // A side that shows every pixel of a small image as the same number of screen pixels.
  side(room) {
    const times = Math.floor(room / this.width);
    return times >= 2 || (times === 1 && room < 1.25 * this.width) ? times * this.width : room;
  }
}
