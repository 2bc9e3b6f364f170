// What can be read on the page: every text with its colour, its size and its place.
// Put in front of the page's own scripts, it also keeps what canvases have written on them.
(() => {
  const written = new Map(); // canvas -> what stands on it: {text, color, alpha, size, box}
  const context = CanvasRenderingContext2D.prototype;
  const { fillText, clearRect, drawImage } = context;

  // A rectangle in the units of a context, in pixels of its canvas.
  function placed(g, left, top, right, bottom) {
    const m = g.getTransform();
    const corners = [[left, top], [right, top], [left, bottom], [right, bottom]].map(
      ([x, y]) => [m.a * x + m.c * y + m.e, m.b * x + m.d * y + m.f]);
    const [xs, ys] = [corners.map((c) => c[0]), corners.map((c) => c[1])];
    return [Math.min(...xs), Math.min(...ys), Math.max(...xs), Math.max(...ys)];
  }

  context.fillText = function (text, x, y, ...rest) {
    const m = this.measureText(text);
    const box = placed(
      this, x - m.actualBoundingBoxLeft, y - m.actualBoundingBoxAscent,
      x + m.actualBoundingBoxRight, y + m.actualBoundingBoxDescent);
    const size = Number(/([\d.]+)px/.exec(this.font)[1]);
    const note = { text: String(text), color: this.fillStyle, alpha: this.globalAlpha, size, box };
    written.set(this.canvas, [...(written.get(this.canvas) || []), note]);
    return fillText.call(this, text, x, y, ...rest);
  };
  context.clearRect = function (x, y, width, height) {
    const [left, top, right, bottom] = placed(this, x, y, x + width, y + height);
    const stays = ({ box }) => {
      const [cx, cy] = [(box[0] + box[2]) / 2, (box[1] + box[3]) / 2];
      return cx < left || cx > right || cy < top || cy > bottom;
    };
    written.set(this.canvas, (written.get(this.canvas) || []).filter(stays));
    return clearRect.call(this, x, y, width, height);
  };
  context.drawImage = function (source, x, y, ...rest) { // what was written on another canvas
    const notes = rest.length <= 2 && written.get(source);
    if (notes) {
      const [width, height] = rest.length ? rest : [source.width, source.height];
      const [sx, sy] = [width / source.width, height / source.height];
      const moved = notes.map((note) => {
        const [left, top, right, bottom] = note.box;
        return { ...note, box: placed(this, x + sx * left, y + sy * top, x + sx * right, y + sy * bottom) };
      });
      written.set(this.canvas, [...(written.get(this.canvas) || []), ...moved]);
    }
    return drawImage.call(this, source, x, y, ...rest);
  };
  for (const side of ["width", "height"]) { // setting either wipes a canvas
    const own = Object.getOwnPropertyDescriptor(HTMLCanvasElement.prototype, side);
    Object.defineProperty(HTMLCanvasElement.prototype, side, {
      ...own,
      set(value) {
        written.delete(this);
        own.set.call(this, value);
      },
    });
  }

  // Any CSS colour as [r, g, b, opacity].
  const dot = new OffscreenCanvas(1, 1).getContext("2d", { willReadFrequently: true });
  function rgba(color) {
    dot.clearRect(0, 0, 1, 1);
    dot.fillStyle = "#000";
    dot.fillStyle = color;
    dot.fillRect(0, 0, 1, 1);
    const [r, g, b, a] = dot.getImageData(0, 0, 1, 1).data;
    return [r, g, b, a / 255];
  }

  function* elements(root) {
    for (const element of root.querySelectorAll("*")) {
      yield element;
      if (element.shadowRoot) yield* elements(element.shadowRoot);
    }
  }

  const above = (node) => node.assignedSlot || node.parentElement || node.getRootNode().host || null;

  function lineage(element) {
    const line = [];
    for (let e = element; e; e = above(e)) line.push(e);
    return line;
  }

  // The part of a rectangle that no ancestor cuts off; null where nothing is left.
  function visible(rect, line) {
    let [left, top, right, bottom] = [rect.left, rect.top, rect.right, rect.bottom];
    for (const e of line) {
      const style = getComputedStyle(e);
      if (style.clipPath !== "none") return null; // words for screen readers
      if (style.overflow === "visible" || e === document.documentElement) continue;
      const box = e.getBoundingClientRect();
      [left, top] = [Math.max(left, box.left), Math.max(top, box.top)];
      [right, bottom] = [Math.min(right, box.right), Math.min(bottom, box.bottom)];
    }
    return right - left >= 3 && bottom - top >= 3 ? [left, top, right, bottom] : null;
  }

  function described(line) {
    const name = (e) => {
      const key = [...e.classList].find((c) => c.startsWith("st-key-"));
      const id = e.dataset.testid ? `[${e.dataset.testid}]` : "";
      return e.tagName.toLowerCase() + (key ? `.${key}` : id || [...e.classList].slice(0, 2).map((c) => `.${c}`).join(""));
    };
    return line.slice(0, 5).reverse().map(name).join(" > ");
  }

  const shown = { opacityProperty: true, visibilityProperty: true, contentVisibilityAuto: true };
  const idle = ":disabled, [aria-disabled=true], [disabled]";

  // Texts of the whole page, or of what a selector names.
  window.__texts = (selector) => {
    const found = [];
    const add = (text, color, size, rect, element, line = lineage(element)) => {
      const box = visible(rect, line);
      if (!box) return;
      const opacity = line.reduce((o, e) => o * Number(getComputedStyle(e).opacity), 1);
      const [r, g, b, a] = color;
      found.push({
        text: text.trim().slice(0, 60), color: [r, g, b, a * opacity], size, box,
        place: described(line),
        math: line.some((e) => e.matches(".katex, sub, sup, .dvz-symbol, tspan[style*=font-size]")),
        sign: !/[\p{L}\p{N}]/u.test(text) || line.some((e) => e.matches("[data-testid=stIconMaterial]")),
      });
    };
    const roots = selector ? document.querySelectorAll(selector) : [document];
    for (const element of [...roots].flatMap((root) => [...elements(root)])) {
      if (!element.checkVisibility(shown) || element.closest("noscript, script, style")) continue;
      const line = lineage(element);
      if (line.some((e) => e.matches(idle))) continue;
      const style = getComputedStyle(element);
      const size = parseFloat(style.fontSize);
      if (element instanceof HTMLCanvasElement) {
        const box = element.getBoundingClientRect();
        const [sx, sy] = [box.width / element.width, box.height / element.height];
        for (const { text, color, alpha, size: px, box: [l, t, r, b] } of written.get(element) || []) {
          const rect = { left: box.left + l * sx, top: box.top + t * sy, right: box.left + r * sx, bottom: box.top + b * sy };
          const ink = rgba(color);
          add(text, [...ink.slice(0, 3), ink[3] * alpha], px, rect, element, line);
        }
        continue;
      }
      if (element.matches("input, textarea, select")) {
        const empty = !element.value;
        const text = empty ? element.placeholder || "" : element.value;
        if (!text || /range|checkbox|radio|file|color/.test(element.type)) continue;
        const own = empty ? getComputedStyle(element, "::placeholder") : style;
        const ink = rgba(own.color);
        const faded = empty ? Number(own.opacity) : 1;
        add(text, [...ink.slice(0, 3), ink[3] * faded], size, element.getBoundingClientRect(), element, line);
        continue;
      }
      for (const node of element.childNodes) {
        if (node.nodeType !== Node.TEXT_NODE || !node.data.trim()) continue;
        const range = document.createRange();
        range.selectNodeContents(node);
        const rects = [...range.getClientRects()].sort((a, b) => b.width * b.height - a.width * a.height);
        if (!rects.length) continue;
        const svg = element instanceof SVGElement;
        const ink = rgba(svg ? style.fill : style.color);
        add(node.data, svg ? [...ink.slice(0, 3), ink[3] * Number(style.fillOpacity)] : ink, size, rects[0], element, line);
      }
    }
    return found;
  };
})();
