// Colours: reading them, mixing them, and the ones that concepts have on every page.

/** @typedef {number[]} Rgb three numbers from 0 to 255 */

/** @type {{light: Record<string, string>, dark: Record<string, string>}} */
export const CONCEPTS = {
  light: { data: "#0072B2", noise: "#7F7F7F", exact: "#009E73", learned: "#D55E00", path: "#AA4499" },
  dark: { data: "#56B4E9", noise: "#A6A6A6", exact: "#2BC79A", learned: "#F58A42", path: "#D98CC5" },
};

/** @type {CanvasRenderingContext2D | undefined} */
let probe;

/**
 * "#rrggbb", "rgb(...)" or a named colour to [r, g, b]; `fallback`, a "#rrggbb", when it is none.
 * @type {(text: string, fallback?: string) => Rgb}
 */
export function parseColor(text, fallback = "#000000") {
  let value = text.trim();
  if (!/^#[0-9a-f]{6}$/i.test(value)) {
    probe ??= /** @type {CanvasRenderingContext2D} */ (document.createElement("canvas").getContext("2d"));
    probe.fillStyle = fallback;
    probe.fillStyle = value;
    value = probe.fillStyle;
  }
  if (value[0] === "#") return [1, 3, 5].map((i) => parseInt(value.slice(i, i + 2), 16));
  return (value.match(/[\d.]+/g) || []).slice(0, 3).map(Number);
}

/** @type {(rgb: Rgb) => number} */
export function luminance(rgb) {
  const [r, g, b] = rgb.map((c) => {
    const s = c / 255;
    return s <= 0.04045 ? s / 12.92 : ((s + 0.055) / 1.055) ** 2.4;
  });
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
}

/** @type {(a: Rgb, b: Rgb, share: number) => Rgb} */
export function mixColors(a, b, share) {
  return a.map((c, k) => Math.round(c + (b[k] - c) * share));
}

/** @type {(rgb: Rgb, alpha?: number) => string} */
export function css(rgb, alpha = 1) {
  return alpha >= 1 ? `rgb(${rgb.join(",")})` : `rgba(${rgb.join(",")},${alpha})`;
}

/**
 * The theme that an element is in: its name, its style, and the colours of the page and its words.
 * @param {Element} element
 */
export function themeOf(element) {
  const style = getComputedStyle(element);
  const background = parseColor(style.getPropertyValue("--st-background-color"), "#ffffff");
  const dark = luminance(background) < 0.4;
  const text = parseColor(style.getPropertyValue("--st-text-color"), dark ? "#fafafa" : "#31333f");
  return { style, background, text, dark, theme: /** @type {"light" | "dark"} */ (dark ? "dark" : "light") };
}
