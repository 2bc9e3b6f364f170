// Lines of equal value in a grid.

/**
 * The line of one level through a grid of values, row by row, as pieces in units of its cells
 * (marching squares); `line` is told the two ends of each.
 * @type {(values: ArrayLike<number>, rows: number, columns: number, level: number,
 *   line: (x0: number, y0: number, x1: number, y1: number) => void) => void}
 */
export function traceContour(values, rows, columns, level, line) {
  for (let y = 0; y < rows - 1; y++) {
    for (let x = 0; x < columns - 1; x++) {
      const at = y * columns + x;
      const a = values[at] - level;
      const b = values[at + 1] - level;
      const c = values[at + columns + 1] - level;
      const d = values[at + columns] - level;
      const kind = (a > 0 ? 1 : 0) | (b > 0 ? 2 : 0) | (c > 0 ? 4 : 0) | (d > 0 ? 8 : 0);
      if (kind === 0 || kind === 15) continue;
      const bottom = x + a / (a - b); // where the line crosses each side
      const right = y + b / (b - c);
      const top = x + d / (d - c);
      const left = y + a / (a - d);
      if (kind === 1 || kind === 14 || kind === 10) line(x, left, bottom, y);
      if (kind === 2 || kind === 13 || kind === 5) line(bottom, y, x + 1, right);
      if (kind === 3 || kind === 12) line(x, left, x + 1, right);
      if (kind === 4 || kind === 11 || kind === 10) line(x + 1, right, top, y + 1);
      if (kind === 6 || kind === 9) line(bottom, y, top, y + 1);
      if (kind === 7 || kind === 8 || kind === 5) line(x, left, top, y + 1);
    }
  }
}
