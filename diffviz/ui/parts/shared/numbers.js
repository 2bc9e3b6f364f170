// Numbers: their limits, how they are written, and round ones for an axis.

/** @type {(x: number, low?: number, high?: number) => number} */
export function clamp(x, low = -1, high = 1) {
  return x < low ? low : x > high ? high : x;
}

/**
 * A number in fixed notation with a true minus sign; infinities as a symbol.
 * @type {(x: number, digits?: number) => string}
 */
export function fixed(x, digits = 2) {
  if (x === Infinity) return "∞";
  if (x === -Infinity) return "−∞";
  if (!Number.isFinite(x)) return "–";
  const text = x.toFixed(digits);
  const plain = Number(text) === 0 ? text.replace("-", "") : text;
  return plain.replace("-", "−");
}

/**
 * A number with a few significant digits; very large and very small ones as 1.2×10⁻³.
 * @type {(x: number, digits?: number) => string}
 */
export function compact(x, digits = 3) {
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

/** @type {(n: number) => string} */
export function superscript(n) {
  const digits = "⁰¹²³⁴⁵⁶⁷⁸⁹";
  return String(n).replace(/./g, (c) => (c === "-" ? "⁻" : digits[Number(c)]));
}

/** @type {(exponent: number) => string} */
export function powerOfTen(exponent) {
  return exponent === 0 ? "1" : exponent === 1 ? "10" : `10${superscript(exponent)}`;
}

/**
 * "Nice" tick values within [low, high], at most `count` steps apart.
 * @type {(low: number, high: number, count?: number) => number[]}
 */
export function niceTicks(low, high, count = 5) {
  const span = high - low;
  if (!(span > 0)) return [low];
  const power = 10 ** Math.floor(Math.log10(span / count));
  const step = [1, 2, 5, 10].map((m) => m * power).find((s) => span / s <= count) || 10 * power;
  return multiples(low, high, step);
}

/**
 * The multiples of a step within [low, high].
 * @type {(low: number, high: number, step: number) => number[]}
 */
export function multiples(low, high, step) {
  const found = [];
  for (let k = Math.ceil(low / step - 1e-6); k <= high / step + 1e-6; k++) found.push(k * step || 0);
  return found;
}

/**
 * Which piece between neighbouring places holds x, or is nearest to it.
 * @type {(places: ArrayLike<number>, x: number) => number}
 */
export function pieceOf(places, x) {
  let low = 0;
  let high = places.length - 1;
  while (high - low > 1) {
    const middle = (low + high) >> 1;
    if (places[middle] <= x) low = middle;
    else high = middle;
  }
  return low;
}
