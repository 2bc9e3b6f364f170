// A map of codes of two numbers. The pictures of a grid of codes come once, as one sheet, and are
// mixed here between its codes, so that the picture follows the hand. Python hears only of a pinned
// code (see __init__.py). The module runs again on every change of data, so all state is kept in
// one Atlas per mounted element.

const STEP = 0.05;          // of an arrow key, in units of a code
const LEAP = 0.25;          // the same with shift
const PAD = { left: 42, right: 10, top: 10, bottom: 38 };
const TILE = 40;            // px of a picture on the map
const ASIDE = 600;          // from this width on the picture stands beside the map
const DIGITS = 2;           // after the point of a pinned code; DIGITS in __init__.py
const SHOWN = [
  ["pictures", "Pictures", false, "Decoded pictures all over the map"],
  ["codes", "Codes", true, "Where the encoder puts the test pictures, coloured by class"],
  ["contours", "Encoder q(z)", true, "Contours of the aggregate posterior, the density of all codes"],
  ["prior", "Prior N(0, I)", true, "Circles of the prior at 1 and 2 standard deviations"],
];
const HINT = "Arrow keys move over the map, with shift in larger steps. Enter or a click pins the "
  + "code, Delete takes the pin out.";

const ATLASES = new WeakMap();  // mounted element -> Atlas
const SAVED = new Map();        // a map's name -> what was chosen on it, for when it is remounted

// ---------------------------------------------------------------------------------------------
// Words

// A number with a true minus sign.
function signed(value, digits = DIGITS) {
  const text = (Math.round(value * 10 ** digits) / 10 ** digits + 0).toFixed(digits);
  return text.replace("-", "−");
}

// A factor in words: 30, 4.2, 1.0.
function times(factor) {
  if (factor >= 1e6) return "over a million";
  return factor >= 10 ? Math.round(factor).toLocaleString("en") : factor.toFixed(1);
}

// ---------------------------------------------------------------------------------------------
// What is on the map

class Chart {
  constructor(data) {
    Object.assign(this, data);
    [this.low, this.high] = data.limits;
    this.span = this.high - this.low;
    const raw = new Uint16Array(bytesOf(data.codes).buffer);
    this.codes = Float32Array.from(raw, (v) => this.low + (this.span * v) / 65535);
    this.labels = bytesOf(data.labels);
    this.density = new Float32Array(bytesOf(data.log_density).buffer);
    this.order = this.shuffled();
    this.pixels = null;
  }

  // The grid's pictures as bytes, one a pixel; and as a picture to draw tiles from.
  async open() {
    const image = new Image();
    image.src = `data:image/png;base64,${this.sheet}`;
    await image.decode();
    const canvas = document.createElement("canvas");
    Object.assign(canvas, { width: image.width, height: image.height });
    const context = canvas.getContext("2d", { willReadFrequently: true });
    context.drawImage(image, 0, 0);
    const { data } = context.getImageData(0, 0, image.width, image.height);
    const pixels = new Uint8Array(image.width * image.height);
    for (let i = 0; i < pixels.length; i++) pixels[i] = data[4 * i];
    this.tiles = canvas;
    this.pixels = pixels;
  }

  // Codes in an order that lets no class lie on top of the others, the same every time.
  shuffled() {
    const order = Uint32Array.from({ length: this.count }, (_, i) => i);
    let state = 1;
    for (let i = this.count - 1; i > 0; i--) {
      state = (state * 48271) % 2147483647;
      const j = state % (i + 1);
      [order[i], order[j]] = [order[j], order[i]];
    }
    return order;
  }

  // Place of a value in a grid of `count` along an axis: {first, share}.
  cell(value, count) {
    const at = clamp(((value - this.low) / this.span) * (count - 1), 0, count - 1);
    const first = Math.min(Math.floor(at), count - 2);
    return { first, share: at - first };
  }

  // Mix the pictures of the nearest four codes into `out`, in levels from 0 to 255.
  picture([x, y], out) {
    const [height, width] = this.size;
    const { first: i, share: u } = this.cell(x, this.side);
    const { first: j, share: v } = this.cell(y, this.side);
    const row = this.side * width;
    const corner = (a, b) => b * height * row + a * width;
    const [p, q, r, s] = [corner(i, j), corner(i + 1, j), corner(i, j + 1), corner(i + 1, j + 1)];
    const weights = [(1 - u) * (1 - v), u * (1 - v), (1 - u) * v, u * v];
    for (let k = 0, line = 0; line < height; line++) {
      for (let column = 0; column < width; column++, k++) {
        const at = line * row + column;
        out[k] = weights[0] * this.pixels[p + at] + weights[1] * this.pixels[q + at]
          + weights[2] * this.pixels[r + at] + weights[3] * this.pixels[s + at];
      }
    }
    return out;
  }

  // log q(z), mixed between the grid's places.
  logDensity([x, y]) {
    const { first: i, share: u } = this.cell(x, this.cells);
    const { first: j, share: v } = this.cell(y, this.cells);
    const at = (a, b) => this.density[b * this.cells + a];
    const lower = (1 - u) * at(i, j) + u * at(i + 1, j);
    const upper = (1 - u) * at(i, j + 1) + u * at(i + 1, j + 1);
    return (1 - v) * lower + v * upper;
  }

  nearest([x, y]) {
    let best = 0;
    let least = Infinity;
    for (let i = 0, k = 0; i < this.count; i++, k += 2) {
      const dx = this.codes[k] - x;
      const dy = this.codes[k + 1] - y;
      const d = dx * dx + dy * dy;
      if (d < least) {
        least = d;
        best = i;
      }
    }
    return { label: this.labels[best], distance: Math.sqrt(least) };
  }

  // Pieces of the contour at a level, [x, y, x, y] each in units of a code (marching squares).
  contour(level) {
    const { cells: n, density, low, span } = this;
    const pieces = [];
    const coordinate = (k) => low + (span * k) / (n - 1);
    for (let j = 0; j + 1 < n; j++) {
      for (let i = 0; i + 1 < n; i++) {
        const corners = [[i, j], [i + 1, j], [i + 1, j + 1], [i, j + 1]];
        const values = corners.map(([a, b]) => density[b * n + a] - level);
        const crossings = [];
        for (let k = 0; k < 4; k++) {
          const next = (k + 1) % 4;
          if (values[k] < 0 === values[next] < 0) continue;
          const share = values[k] / (values[k] - values[next]);
          crossings.push(coordinate(corners[k][0] + share * (corners[next][0] - corners[k][0])),
            coordinate(corners[k][1] + share * (corners[next][1] - corners[k][1])));
        }
        for (let k = 0; k + 3 < crossings.length; k += 4) pieces.push(crossings.slice(k, k + 4));
      }
    }
    return pieces;
  }
}

// ---------------------------------------------------------------------------------------------
// The map

class Atlas {
  constructor(parent, id) {
    this.parent = parent;
    this.id = id;
    const saved = SAVED.get(id) || {};
    this.shown = saved.shown || Object.fromEntries(SHOWN.map(([key, , on]) => [key, on]));
    this.only = saved.only ?? null;     // the one class that stands out
    this.cursor = saved.cursor || null; // where the hand was last
    this.pin = null;
    this.word = null;
    this.revision = null;
    this.chart = null;
    this.token = 0;
    this.raf = 0;
    this.stale = true;                  // whether the map itself must be drawn anew
    this.build();
    this.listen();
  }

  build() {
    this.under = make("canvas", "atlas-under", { "aria-hidden": "true" });
    this.over = make("canvas", "atlas-over", {
      tabindex: "0", role: "application", "aria-label": "Map of codes", "aria-describedby": "atlas-hint",
    });
    this.plot = make("div", "atlas-plot", {}, this.under, this.over);
    this.now = this.pictureFigure("atlas-now", "The picture decoded under the cursor");
    this.pinned = this.pictureFigure("atlas-pinned", "The picture decoded at the pin");
    this.unpin = make("button", "", { type: "button" }, "Take out");
    this.prompt = make("p", "atlas-prompt", {}, "Click the map to keep a picture here and compare.");
    this.pinned.node.append(this.unpin, this.prompt);
    this.rows = Object.fromEntries([
      ["z", "z"], ["centre", "|z|"], ["ratio", "codes here"], ["near", "nearest"],
    ].map(([key, label]) => [key, { label: make("dt", "", {}, label), value: make("dd", "") }]));
    this.list = make("dl", "atlas-list", {}, ...Object.values(this.rows).flatMap((r) => [r.label, r.value]));
    this.layers = make("div", "atlas-chips", { role: "group", "aria-label": "What the map shows" });
    this.chips = SHOWN.map(([key, label, , words]) => {
      const chip = make("button", "atlas-chip", { type: "button", title: words },
        make("i", `atlas-glyph atlas-glyph-${key}`), label);
      chip.addEventListener("click", () => this.toggle(key));
      this.layers.append(chip);
      return [key, chip];
    });
    this.classes = make("div", "atlas-chips atlas-classes", { role: "group", "aria-label": "Let one class stand out" });
    this.voice = make("p", "atlas-unseen", { "aria-live": "polite" });
    const hint = make("p", "atlas-unseen", { id: "atlas-hint" }, HINT);
    const pictures = make("div", "atlas-pictures", {}, this.now.node, this.pinned.node);
    this.side = make("div", "atlas-side", {}, pictures, this.list, this.layers, this.classes);
    this.root = make("div", "atlas", {}, this.plot, this.side, this.voice, hint);
    this.root.__atlas = this;
    this.parent.querySelector(".atlas")?.remove();
    this.parent.append(this.root);
  }

  pictureFigure(name, label) {
    const canvas = make("canvas", "atlas-picture", { role: "img", "aria-label": label });
    const caption = make("figcaption", "");
    return { node: make("figure", name, {}, canvas, caption), canvas, caption };
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
    this.unpin.addEventListener("click", () => this.setPin(null));
    this.observer = new ResizeObserver(() => this.redraw());
    this.observer.observe(this.root);
  }

  // From Python -------------------------------------------------------------------------------

  update(data, report) {
    this.report = report;
    this.height = data.height;
    const wished = data.revision !== this.revision;
    if (wished) {
      this.revision = data.revision;
      this.word = data.pin;
      this.pin = data.pin ? data.pin.split(",").map(Number) : null;
    }
    if (!this.chart || this.chart.key !== data.chart.key) this.load(data.chart);
    if (!this.cursor || (wished && this.pin)) this.cursor = this.pin ? [...this.pin] : [0, 0];
    this.redraw();
  }

  load(data) {
    const chart = new Chart(data);
    this.chart = chart;
    this.lines = chart.levels.map((level) => chart.contour(level));
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
    this.classChips = this.chart.names.map((name, k) => {
      const chip = make("button", "atlas-chip", { type: "button" }, make("i", "atlas-dot"), name);
      chip.addEventListener("click", () => this.choose(k));
      return chip;
    });
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
    const box = this.over.getBoundingClientRect();
    this.move(this.toCode(event.clientX - box.left, event.clientY - box.top));
  }

  move([x, y]) {
    const { low, high } = this.chart;
    this.cursor = [clamp(x, low, high), clamp(y, low, high)];
    this.repaint();
  }

  onKey(event) {
    const moves = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] };
    const move = moves[event.key];
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (move) {
      const step = event.shiftKey ? LEAP : STEP;
      this.move(this.cursor.map((v, k) => v + move[k] * step));
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
    this.voice.textContent = `${this.cursor.map((v) => signed(v)).join(", ")}: like ${this.chart.names[label]}`;
  }

  // Drawing -----------------------------------------------------------------------------------

  redraw() {
    this.stale = true;
    this.repaint();
  }

  repaint() {
    if (this.raf) return;
    this.raf = requestAnimationFrame(() => {
      this.raf = 0;
      this.paint();
    });
  }

  fit() {
    const room = this.root.clientWidth;
    const beside = room >= ASIDE;
    this.root.classList.toggle("atlas-beside", beside);
    const width = Math.floor(Math.min(this.height, beside ? room - 300 : room));
    const ratio = clamp(window.devicePixelRatio || 1, 1, 2);
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

  toCode(px, py) {
    const { low, span } = this.chart;
    return [low + ((px - PAD.left) / this.edge) * span, low + (1 - (py - PAD.top) / this.edge) * span];
  }

  paint() {
    if (!this.chart || !this.root.clientWidth) return;
    this.fit();
    const style = getComputedStyle(this.root);
    const dark = isDark(style.getPropertyValue("--st-background-color"));
    if (dark !== this.dark) this.stale = true;
    this.dark = dark;
    this.palette = this.chart.colors[dark ? "dark" : "light"];
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
    const g = canvas.getContext("2d");
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
    const { low, high, span } = this.chart;
    const step = span > 9 ? 2 : 1;
    const found = [];
    for (let v = Math.ceil(low / step) * step; v <= high; v += step) found.push(v);
    return found;
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
      g.textAlign = "center";
      g.textBaseline = "top";
      g.fillText(signed(tick, 0), x, bottom + 5);
      g.textAlign = "right";
      g.textBaseline = "middle";
      g.fillText(signed(tick, 0), PAD.left - 7, y);
    }
    g.fillStyle = this.palette.text;
    g.font = `15px ${this.font}`;
    g.textAlign = "center";
    g.textBaseline = "top";
    g.fillText("z₁", PAD.left + this.edge / 2, bottom + 20);
    g.textAlign = "left";
    g.textBaseline = "middle";
    g.fillText("z₂", 2, PAD.top + this.edge / 2 - 16);
  }

  // A picture in every square of the map, that of the code at its middle.
  paintTiles(g) {
    const { chart, edge } = this;
    const [height, width] = chart.size;
    const count = Math.min(Math.round(edge / TILE), chart.side);
    const tile = edge / count;
    g.imageSmoothingEnabled = true;
    for (let b = 0; b < count; b++) {
      for (let a = 0; a < count; a++) {
        const [i, j] = [a, b].map((k) => Math.round(((k + 0.5) / count) * (chart.side - 1)));
        g.drawImage(chart.tiles, i * width, j * height, width, height,
          PAD.left + a * tile, PAD.top + edge - (b + 1) * tile, tile, tile);
      }
    }
  }

  paintCodes(g) {
    const { chart, palette, only } = this;
    const size = clamp(200 / Math.sqrt(chart.count), 2, 4);
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
  stroke(g, color, width) {
    const { background } = this.palette;
    g.strokeStyle = background;
    g.globalAlpha = 0.8;
    g.lineWidth = width + 2.5;
    g.stroke();
    g.globalAlpha = 1;
    g.strokeStyle = color;
    g.lineWidth = width;
    g.stroke();
  }

  paintPrior(g) {
    const [x, y] = this.toScreen([0, 0]);
    const unit = this.edge / this.chart.span;
    for (const radius of [1, 2]) {
      g.beginPath();
      g.setLineDash([7, 5]);
      g.arc(x, y, radius * unit, 0, 2 * Math.PI);
      this.stroke(g, this.palette.noise, radius === 1 ? 2.5 : 2);
    }
    g.setLineDash([]);
    g.beginPath();
    g.moveTo(x - 6, y);
    g.lineTo(x + 6, y);
    g.moveTo(x, y - 6);
    g.lineTo(x, y + 6);
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
    g.textAlign = "center";
    g.textBaseline = "middle";
    const width = g.measureText(words).width + 8;
    g.fillStyle = this.palette.background;
    g.globalAlpha = 0.85;
    g.fillRect(x - width / 2, y - 9, width, 18);
    g.globalAlpha = 1;
    g.fillStyle = color;
    g.fillText(words, x, y);
  }

  paintChips() {
    const { palette } = this;
    for (const [key, chip] of this.chips) chip.setAttribute("aria-pressed", String(this.shown[key]));
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
    for (const [dx, dy] of [[1, 0], [-1, 0], [0, 1], [0, -1]]) {
      g.moveTo(x + 5 * dx, y + 5 * dy);
      g.lineTo(x + 14 * dx, y + 14 * dy);
    }
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
    this.pinned.caption.textContent = `At (${this.pin.map((v) => signed(v)).join(", ")})`;
  }

  paintPicture({ canvas }, code) {
    const context = canvas.getContext("2d");
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
    rows.z.value.textContent = `(${cursor.map((v) => signed(v)).join(", ")})`;
    const beyond = 100 * Math.exp(-square / 2);
    const share = beyond >= 1 ? `${Math.round(beyond)}` : beyond >= 0.1 ? beyond.toFixed(1) : "under 0.1";
    rows.centre.value.textContent = `${Math.sqrt(square).toFixed(2)}; ${share} % of the prior is farther out`;
    const log = chart.logDensity(cursor) + square / 2 + Math.log(2 * Math.PI);
    rows.ratio.value.textContent = log >= 0
      ? `${times(Math.exp(log))} times as many as the prior's`
      : `${times(Math.exp(-log))} times fewer than the prior's`;
    const { label, distance } = chart.nearest(cursor);
    const dot = make("i", "atlas-dot");
    dot.style.setProperty("--atlas-class", this.palette.classes[label % this.palette.classes.length]);
    rows.near.value.replaceChildren(dot, `${chart.names[label]}, a test picture ${distance.toFixed(2)} away`);
    SAVED.set(this.id, { shown: this.shown, only: this.only, cursor: this.cursor });
  }

  dispose() {
    this.observer.disconnect();
    cancelAnimationFrame(this.raf);
    this.raf = 0;
    this.root.remove();
  }
}

export default function ({ data, parentElement, setStateValue }) {
  let atlas = ATLASES.get(parentElement);
  if (atlas && atlas.id !== data.id) {
    atlas.dispose();
    atlas = null;
  }
  if (!atlas) {
    atlas = new Atlas(parentElement, data.id);
    ATLASES.set(parentElement, atlas);
  }
  atlas.update(data, setStateValue);
  const token = ++atlas.token;
  return () => {
    if (atlas.token !== token) return; // a later run still uses the map
    atlas.dispose();
    ATLASES.delete(parentElement);
  };
}
