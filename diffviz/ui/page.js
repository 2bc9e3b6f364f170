// What several components use of the page; each has this in front of its own script.

const clamp = (v, low = -1, high = 1) => Math.min(high, Math.max(low, v));

function make(tag, className, attributes = {}, ...children) {
  const element = document.createElement(tag);
  element.className = className;
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.append(...children);
  return element;
}

const probe = document.createElement("canvas").getContext("2d");

// Any CSS colour as [r, g, b].
function rgb(color, fallback) {
  probe.fillStyle = fallback;
  probe.fillStyle = color.trim() || fallback;
  const value = probe.fillStyle;
  if (value[0] === "#") return [1, 3, 5].map((i) => parseInt(value.slice(i, i + 2), 16));
  return value.match(/[\d.]+/g).slice(0, 3).map(Number);
}

// Whether a CSS colour is dark.
function isDark(color) {
  const [r, g, b] = rgb(color, "#ffffff");
  return 0.3 * r + 0.59 * g + 0.11 * b < 110;
}

// The bytes that a text in base64 stands for.
function bytesOf(text) {
  return Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
}

