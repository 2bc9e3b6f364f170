// Drawing on a canvas.

import { clamp } from "./numbers.js";

/** @typedef {CanvasRenderingContext2D} Pencil */

/** @type {(canvas: HTMLCanvasElement, options?: CanvasRenderingContext2DSettings) => Pencil} */
export function pencil(canvas, options) {
  return /** @type {Pencil} */ (canvas.getContext("2d", options));
}

/** Device pixels per CSS pixel, bounded so that drawing stays fast on very dense screens. */
export function pixelRatio() {
  return clamp(window.devicePixelRatio || 1, 1, 2);
}

/**
 * Size a canvas in CSS pixels; returns its 2-D context scaled to CSS pixels.
 * @type {(canvas: HTMLCanvasElement, width: number, height: number) => Pencil}
 */
export function fitCanvas(canvas, width, height) {
  const ratio = pixelRatio();
  const w = Math.max(1, Math.round(width * ratio));
  const h = Math.max(1, Math.round(height * ratio));
  if (canvas.width !== w) canvas.width = w;
  if (canvas.height !== h) canvas.height = h;
  canvas.style.width = `${width}px`;
  canvas.style.height = `${height}px`;
  const g = pencil(canvas);
  g.setTransform(ratio, 0, 0, ratio, 0, 0);
  return g;
}

/** @type {(width: number, height: number) => HTMLCanvasElement} */
export function offscreen(width, height) {
  return Object.assign(document.createElement("canvas"), { width, height });
}

/** @type {(g: Pencil, color: Pencil["strokeStyle"], width?: number, dash?: number[]) => void} */
export function strokePath(g, color, width = 1, dash = []) {
  g.setLineDash(dash);
  g.lineWidth = width;
  g.strokeStyle = color;
  g.stroke();
  g.setLineDash([]);
}

/**
 * Where words stand from their place.
 * @type {(g: Pencil, across: CanvasTextAlign, down: CanvasTextBaseline) => void}
 */
export function align(g, across, down) {
  g.textAlign = across;
  g.textBaseline = down;
}

/** @type {(g: Pencil, text: string, x: number, y: number, color: Pencil["fillStyle"]) => void} */
export function write(g, text, x, y, color) {
  g.fillStyle = color;
  g.fillText(text, x, y);
}

/**
 * @type {(g: Pencil, x0: number, y0: number, x1: number, y1: number, color: string, width?: number,
 *   dash?: number[]) => void}
 */
export function strokeSegment(g, x0, y0, x1, y1, color, width = 1, dash = []) {
  g.beginPath();
  g.moveTo(x0, y0);
  g.lineTo(x1, y1);
  strokePath(g, color, width, dash);
}

/** A line through places, added to the path. @type {(g: Pencil, places: Iterable<number[]>) => void} */
export function traceLine(g, places) {
  let first = true;
  for (const [x, y] of places) {
    if (first) g.moveTo(x, y);
    else g.lineTo(x, y);
    first = false;
  }
}

/**
 * The arms of a cross around a place, from `inner` to `outer` away from it, added to the path.
 * @type {(g: Pencil, x: number, y: number, inner: number, outer: number) => void}
 */
export function traceCross(g, x, y, inner, outer) {
  for (const [dx, dy] of [[1, 0], [-1, 0], [0, 1], [0, -1]]) {
    g.moveTo(x + inner * dx, y + inner * dy);
    g.lineTo(x + outer * dx, y + outer * dy);
  }
}

/**
 * A function that has `paint` called in the browser's next frame, once, however often it is asked.
 * @param {() => void} paint
 */
export function onceAFrame(paint) {
  let raf = 0;
  return Object.assign(() => {
    raf ||= requestAnimationFrame(() => {
      raf = 0;
      paint();
    });
  }, {
    cancel() {
      cancelAnimationFrame(raf);
      raf = 0;
    },
  });
}
