// Small pictures: icons, glyphs of layers, and marks on a canvas.

import { strokePath, write } from "../../shared/canvas.js";
import { svg } from "../../shared/dom.js";

/** @typedef {import("../../shared/canvas.js").Pencil} Pencil */

/**
 * A 24x24 line icon from a path.
 * @type {(path: string, filled?: boolean, classes?: string) => SVGSVGElement}
 */
export function icon(path, filled = false, classes = "") {
  return svg("svg", { viewBox: "0 0 24 24", "aria-hidden": "true",
    class: `dvz-icon${filled ? " dvz-icon-filled" : ""}${classes}` }, svg("path", { d: path }));
}

/** @type {Record<string, string>} */
const GLYPHS = {
  disc: "M12 7a5 5 0 1 0 .01 0z",
  diamond: "M12 4l8 8-8 8-8-8z",
  cross: "M12 4v16M4 12h16",
  trail: "M2 19C8 18 12 14 15 8M15 8m-.1 0h.2",
  arrow: "M3 18L20 6M12 5.5L20 6l-2 7.5",
  contour: "M12 3c6 0 9 4 9 9s-4 9-9 9-9-4-9-9 3-9 9-9zM12 8.5c3 0 4 1.5 4 3.5s-1.500 3.5-4 3.5-4-1.500-4-3.500 1-3.500 4-3.500z",
  mesh: "M3 6c6 3 12-3 18 0M3 12c6 3 12-3 18 0M3 18c6 3 12-3 18 0M7 3c-2 6 2 12 0 18M16 3c-2 6 2 12 0 18",
  heat: "M4 4h16v16H4z",
};

/**
 * What a layer looks like, as a small picture in front of its name, in a concept's colour.
 * @type {(kind: string, color: string) => SVGSVGElement}
 */
export function makeGlyph(kind, color) {
  const glyph = icon(GLYPHS[kind], ["disc", "heat"].includes(kind), ` dvz-glyph dvz-glyph-${kind}`);
  if (color) glyph.style.color = `var(--dvz-${color})`;
  return glyph;
}

/** @type {(g: Pencil, x: number, y: number, radius: number) => void} */
export function traceDiamond(g, x, y, radius) {
  g.moveTo(x, y - radius);
  g.lineTo(x + radius, y);
  g.lineTo(x, y + radius);
  g.lineTo(x - radius, y);
  g.closePath();
}

/**
 * A disc with a rim.
 * @type {(g: Pencil, x: number, y: number, radius: number, color: string, rim: string) => void}
 */
export function drawDisc(g, x, y, radius, color, rim) {
  g.beginPath();
  g.arc(x, y, radius, 0, 2 * Math.PI);
  fillAndStroke(g, color, rim, 2);
}

/** @type {(g: Pencil, color: string, rim: string, width: number) => void} */
export function fillAndStroke(g, color, rim, width) {
  g.fillStyle = color;
  g.fill();
  strokePath(g, rim, width);
}

/**
 * Words set off from whatever is below them.
 * @type {(g: Pencil, text: string, x: number, y: number, color: string, halo: string, width?: number) => void}
 */
export function drawWords(g, text, x, y, color, halo, width = 3) {
  g.lineWidth = width;
  g.strokeStyle = halo;
  g.strokeText(text, x, y);
  write(g, text, x, y, color);
}

/**
 * An arrow centred on (x, y); nothing for one too short to read.
 * @type {(g: Pencil, x: number, y: number, dx: number, dy: number) => void}
 */
export function drawArrow(g, x, y, dx, dy) {
  const length = Math.hypot(dx, dy);
  if (length < 1.5) return;
  const head = Math.min(5, 0.4 * length);
  const [ux, uy] = [dx / length, dy / length];
  const [ex, ey] = [x + dx / 2, y + dy / 2];
  g.moveTo(x - dx / 2, y - dy / 2);
  g.lineTo(ex, ey);
  g.moveTo(ex - head * (ux + 0.6 * uy), ey - head * (uy - 0.6 * ux));
  g.lineTo(ex, ey);
  g.lineTo(ex - head * (ux - 0.6 * uy), ey - head * (uy + 0.6 * ux));
}
