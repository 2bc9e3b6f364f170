// Reading what Python sends: options, and a run as a header and typed arrays (see ../format.py).

/**
 * @typedef {{dtype: "u16" | "u8" | "f32" | "i32", shape: number[], offset: number,
 *   lo?: number | number[] | null, hi?: number | number[] | null}} Entry an array in a header
 * @typedef {{data: Uint16Array | Uint8Array | Float32Array | Int32Array, shape: number[],
 *   lo: any, hi: any, dtype: string, value: (i: number) => number}} Values a named array; value(i) is
 *   the real number at flat index i; lo and hi are numbers, or arrays with one entry per entry of
 *   the last axis
 * @typedef {Record<string, any> & {kind?: string, arrays?: Record<string, string>}} Panel
 */

const BUFFER_MAGIC = "DVZ1";
const OPTIONS_MAGIC = "DVZO";
/** @type {Record<string, number>} */
const LEVELS = { u16: 65535, u8: 255 };
const TYPED = { u16: Uint16Array, u8: Uint8Array, f32: Float32Array, i32: Int32Array };

/** @type {(bytes: Uint8Array, at: number) => string} */
function magicAt(bytes, at) {
  return String.fromCharCode(...bytes.subarray(at, at + 4));
}

/**
 * The JSON block that starts at `at`: {value, next}, next being where what follows it starts.
 * @type {(bytes: Uint8Array, at: number, magic: string) => {value: any, next: number}}
 */
function readBlock(bytes, at, magic) {
  if (bytes.length < at + 8 || magicAt(bytes, at) !== magic) {
    throw new Error(`Its data do not start with the mark ${BUFFER_MAGIC}.`);
  }
  const length = new DataView(bytes.buffer, bytes.byteOffset + at + 4, 4).getUint32(0, true);
  const next = at + 8 + length;
  if (next > bytes.length) throw new Error("Its data are cut short.");
  const text = new TextDecoder().decode(bytes.subarray(at + 8, next));
  return { value: JSON.parse(text), next };
}

/**
 * What Streamlit hands over (a Uint8Array at any offset, or an ArrayBuffer) as a Uint8Array.
 * @type {(data: unknown) => Uint8Array}
 */
export function asBytes(data) {
  if (ArrayBuffer.isView(data)) return new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
  if (data instanceof ArrayBuffer) return new Uint8Array(data);
  throw new Error("Its data did not arrive as bytes.");
}

/**
 * Options in front of the buffer, and where the buffer starts.  Cheap: no array is touched.
 * @type {(bytes: Uint8Array) => {options: Record<string, any>, start: number}}
 */
export function readOptions(bytes) {
  if (bytes.length >= 4 && magicAt(bytes, 0) === BUFFER_MAGIC) return { options: {}, start: 0 };
  const { value, next } = readBlock(bytes, 0, OPTIONS_MAGIC);
  return { options: value, start: next };
}

// One run: its header, its clock and its arrays.  Frames are numbered from 0 to frames - 1.
export class Run {
  /**
   * The data block is copied once, to an aligned place, so that typed arrays can be laid over it.
   * @param {Uint8Array} bytes
   * @param {number} start where the buffer begins in them
   */
  constructor(bytes, start = 0) {
    const { value, next } = readBlock(bytes, start, BUFFER_MAGIC);
    this.header = value;
    this.id = value.id;
    this.block = /** @type {ArrayBuffer} */ (bytes.slice(next).buffer);
    /** @type {Map<string, Values>} */
    this.cache = new Map();
    this.clock = this.readClock(value.clock);
    /** @type {number} */
    this.frames = value.clock.frames;
    /** @type {Panel[]} */
    this.panels = value.panels;
    this.rail = value.rail || null;
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
