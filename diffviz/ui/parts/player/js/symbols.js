// Symbols as on a blackboard.

import { align, strokePath } from "../../shared/canvas.js";
import { el } from "../../shared/dom.js";

export const MATH_FONT = '"STIX Two Text", "STIX Two Math", "Cambria Math", Cambria, "Times New Roman", "Liberation Serif", serif';
/** @type {Record<string, string>} */
const GREEK = { eps: "ε", epsilon: "ε", alpha: "α", beta: "β", sigma: "σ", lambda: "λ", mu: "μ", eta: "η" };

/**
 * "x^_0" to {letter: "x", hat: true, sub: "0", italic: true}.  A name of several letters that is
 * not Greek stands upright.
 * @param {string} symbol
 */
export function parseSymbol(symbol) {
  const [, name, hat, sub] = /^([^_^]*)(\^?)(?:_\{?([^}]*)\}?)?$/.exec(symbol) || ["", symbol, "", ""];
  const letter = GREEK[name] || name;
  return { letter, hat: hat === "^", sub: GREEK[sub] || sub || "", italic: [...letter].length === 1 };
}

/**
 * A symbol as an element: italic serif letter, hat, real subscript; read aloud by `words`.
 * @type {(symbol: string, words?: string) => HTMLElement}
 */
export function symbolNode(symbol, words = "") {
  const { letter, hat, sub, italic } = parseSymbol(symbol);
  const letters = el("span", { class: `dvz-letter${italic ? "" : " dvz-upright"}${hat ? " dvz-hat" : ""}` }, letter);
  const node = el("span", { class: "dvz-symbol", title: words || null }, letters);
  if (sub) node.append(el("sub", { class: /^\d+$/.test(sub) ? "dvz-upright" : null }, sub));
  return node;
}

/**
 * A symbol on a canvas, its left edge (or centre) at x, its baseline at y; returns its width.
 * @type {(g: CanvasRenderingContext2D, symbol: string, x: number, y: number, size: number,
 *   centred?: boolean) => number}
 */
export function drawSymbol(g, symbol, x, y, size, centred = false) {
  const { letter, hat, sub, italic } = parseSymbol(symbol);
  const main = `${italic ? "italic " : ""}${size}px ${MATH_FONT}`;
  const small = `${/^\d*$/.test(sub) ? "" : "italic "}${Math.max(11, Math.round(size * 0.72))}px ${MATH_FONT}`;
  g.save();
  align(g, "left", "alphabetic");
  g.font = small;
  const subWidth = sub ? g.measureText(sub).width + 1 : 0;
  g.font = main;
  const width = g.measureText(letter).width;
  const left = centred ? x - (width + subWidth) / 2 : x;
  g.fillText(letter, left, y);
  if (hat) {
    const middle = left + width / 2 + size * 0.06;
    const top = y - size * 0.72;
    g.beginPath();
    g.moveTo(middle - size * 0.17, top + size * 0.14);
    g.lineTo(middle, top);
    g.lineTo(middle + size * 0.17, top + size * 0.14);
    strokePath(g, g.fillStyle, Math.max(1, size / 15));
  }
  if (sub) {
    g.font = small;
    g.fillText(sub, left + width + 1, y + size * 0.22);
  }
  g.restore();
  return width + subWidth;
}
