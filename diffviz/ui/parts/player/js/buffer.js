// Reading a run: a header and typed arrays (see diffviz/scenes/buffer/format.py).

/**
 * @typedef {{dtype: "u16" | "u8" | "f32" | "i32", shape: number[], offset: number,
 *   lo?: number | number[] | null, hi?: number | number[] | null}} Entry an array in a header
 * @typedef {{data: Uint16Array | Uint8Array | Float32Array | Int32Array, shape: number[],
 *   lo: any, hi: any, dtype: string, value: (i: number) => number}} Values a named array; value(i) is
 *   the real number at flat index i; lo and hi are numbers, or arrays with one entry per entry of
 *   the last axis
 * @typedef {Record<string, any> & {kind?: string, arrays?: Record<string, string>}} Panel
 */

const MAGIC = "DVZ1";
/** @type {Record<string, number>} */
const LEVELS = { u16: 65535, u8: 255 };
const TYPED = { u16: Uint16Array, u8: Uint8Array, f32: Float32Array, i32: Int32Array };

/**
 * The header of a run and where the block of its data starts.
 * @type {(bytes: Uint8Array) => {header: any, start: number}}
 */
function readHeader(bytes) {
  if (bytes.length < 8 || String.fromCharCode(...bytes.subarray(0, 4)) !== MAGIC) {
    throw new Error(`Its data do not start with the mark ${MAGIC}.`);
  }
  const start = 8 + new DataView(bytes.buffer, bytes.byteOffset + 4, 4).getUint32(0, true);
  if (start > bytes.length) throw new Error("Its data are cut short.");
  return { header: JSON.parse(new TextDecoder().decode(bytes.subarray(8, start))), start };
}

// One run: its header, its clock and its arrays.  Frames are numbered from 0 to frames - 1.
export class Run {
  /**
   * The data block is copied once, to an aligned place, so that typed arrays can be laid over it.
   * @param {Uint8Array} bytes
   */
  constructor(bytes) {
    const { header, start } = readHeader(bytes);
    this.header = header;
    this.block = /** @type {ArrayBuffer} */ (bytes.slice(start).buffer);
    /** @type {Map<string, Values>} */
    this.cache = new Map();
    this.clock = this.readClock(header.clock);
    /** @type {number} */
    this.frames = header.clock.frames;
    /** @type {Panel[]} */
    this.panels = header.panels;
    this.rail = header.rail || null;
  }

  /** @param {any} entry @returns {any} */
  readClock(entry) {
    const clock = { ...entry };
    for (const [role, name] of Object.entries(entry.arrays)) clock[role] = this.array(name).data;
    return clock;
  }

  /** @param {string} name @returns {Values} */
  array(name) {
    const known = this.cache.get(name) || this.readArray(name);
    this.cache.set(name, known);
    return known;
  }

  /** @param {string} name @returns {Values} */
  readArray(name) {
    /** @type {Entry} */
    const entry = this.header.arrays[name];
    if (!entry) throw new Error(`Its data have no array called ${name}.`);
    const { dtype, shape, offset, lo, hi } = entry;
    const data = new TYPED[dtype](this.block, offset, shape.reduce((a, b) => a * b, 1));
    return { data, shape, lo, hi, dtype, value: valueOf(data, LEVELS[dtype], lo, hi) };
  }

  /**
   * The array behind a panel's role ("x_t", "density", ...), or null when the panel has none.
   * @param {Panel} panel
   * @param {string} role
   */
  role(panel, role) {
    const name = panel.arrays && panel.arrays[role];
    return name ? this.array(name) : null;
  }
}

/** @type {(data: ArrayLike<number>, top: number, lo: any, hi: any) => (i: number) => number} */
function valueOf(data, top, lo, hi) {
  if (!top) return (i) => data[i];
  if (!Array.isArray(lo)) {
    const gain = (hi - lo) / top;
    return (i) => lo + gain * data[i];
  }
  const size = lo.length;
  const gains = lo.map((low, k) => (hi[k] - low) / top);
  return (i) => lo[i % size] + gains[i % size] * data[i];
}
