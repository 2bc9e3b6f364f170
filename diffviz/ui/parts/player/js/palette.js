// Every colour of the player.

import { CONCEPTS, css, luminance, mixColors, parseColor, themeOf } from "../../shared/color.js";

/** @typedef {import("../../shared/color.js").Rgb} Rgb */
/** @typedef {ReturnType<typeof readPalette>} Palette */

// Tick labels and other small words on canvases, in CSS pixels; what words need against the page.
export const SMALL_TYPE = 13;
const READABLE = 5;

// Ten classes, the same everywhere; told apart under the common colour deficiencies as far as ten
// colours can be.
const CLASS_COLORS = {
  light: ["#0072B2", "#E08A00", "#009E73", "#C8401A", "#4BA3DB", "#C2588F", "#A08A00", "#5B4A9E",
    "#8C5A3C", "#1F6B3A"],
  dark: ["#4FA8E0", "#F0AE3D", "#2BC79A", "#F2784F", "#8CCBF2", "#E58ABB", "#D9C53A", "#A091E0",
    "#C79A7B", "#6FBF83"],
};

// Anchor colours of a perceptually uniform scale, equally spaced from low to high.
const CIVIDIS = ["#00224e", "#123570", "#3b496c", "#575d6d", "#707173", "#8a8678", "#a59c74", "#c3b369",
  "#e1cc55", "#fee838"];

/**
 * A colour's shade for words: mixed with the text's colour as little as reads on the background.
 * @type {(rgb: Rgb, background: Rgb, text: Rgb) => Rgb}
 */
export function inkOf(rgb, background, text) {
  const behind = luminance(background) + 0.05;
  for (let share = 0; share < 1; share += 0.05) {
    const mixed = mixColors(rgb, text, share);
    const ratio = (luminance(mixed) + 0.05) / behind;
    if (Math.max(ratio, 1 / ratio) >= READABLE) return mixed;
  }
  return text;
}

/**
 * [r, g, b] and an opacity from 0 to 255 as a pixel in a Uint32Array over ImageData (little endian).
 * @type {(rgb: ArrayLike<number>, alpha?: number) => number}
 */
export function packRgb(rgb, alpha = 0) {
  return ((alpha << 24) | (rgb[2] << 16) | (rgb[1] << 8) | rgb[0]) >>> 0;
}

/** 256 colours through equally spaced anchors. @type {(anchors: string[]) => Rgb[]} */
export function scaleTable(anchors) {
  const stops = anchors.map((anchor) => parseColor(anchor));
  return Array.from({ length: 256 }, (_, i) => {
    const x = (i / 255) * (stops.length - 1);
    const k = Math.min(Math.floor(x), stops.length - 2);
    return mixColors(stops[k], stops[k + 1], x - k);
  });
}

/**
 * Every colour a view needs, for the theme that `element` is in, as numbers and as CSS.
 * @param {Element} element
 */
export function readPalette(element) {
  const { style, background, text, dark, theme } = themeOf(element);
  /** @type {(name: string, fallback: string) => Rgb} */
  const variable = (name, fallback) => parseColor(style.getPropertyValue(name), fallback);
  /** @type {(color: Rgb) => Rgb} */
  const ink = (color) => inkOf(color, background, text);
  /** @type {Record<string, Rgb>} */
  const rgb = {
    background,
    text,
    surface: variable("--st-secondary-background-color", dark ? "#262730" : "#f0f2f6"),
    primary: variable("--st-primary-color", "#006BA6"),
    muted: ink(mixColors(text, background, 0.36)),
    faint: mixColors(text, background, 0.6),
    line: mixColors(text, background, dark ? 0.78 : 0.84),
    grid: mixColors(text, background, dark ? 0.88 : 0.92),
  };
  for (const [name, value] of Object.entries(CONCEPTS[theme])) {
    rgb[name] = parseColor(value);
    rgb[`${name}-ink`] = ink(rgb[name]);
  }
  const font = style.getPropertyValue("--st-font").trim() || "system-ui, sans-serif";
  return {
    dark,
    theme,
    rgb,
    /** @type {Record<string, string>} */
    css: Object.fromEntries(Object.entries(rgb).map(([name, value]) => [name, css(value)])),
    classes: CLASS_COLORS[theme].map((color) => parseColor(color)),
    font,
    cividis: scaleTable(CIVIDIS),
    /** The colour of what a badge names; of data where there is none. @type {(name?: string | null) => Rgb} */
    badge: (name) => rgb[name || "data"] || rgb.muted,
    key: `${theme}:${Object.values(rgb).join("|")}:${font}`,
  };
}

/**
 * The palette as CSS variables (--dvz-data, --dvz-muted, ...) on the player's root.
 * @type {(root: HTMLElement, palette: Palette) => void}
 */
export function applyPalette(root, palette) {
  for (const [name, value] of Object.entries(palette.css)) root.style.setProperty(`--dvz-${name}`, value);
  root.style.setProperty("--dvz-on-primary", luminance(palette.rgb.primary) > 0.45 ? "#000" : "#fff");
  root.dataset.theme = palette.theme;
}
