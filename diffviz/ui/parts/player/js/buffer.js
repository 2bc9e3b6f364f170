// Reading a run: a header and typed arrays (see diffviz/scenes/buffer/format.py).

/**
 * @typedef {{dtype: "u16" | "u8" | "f32" | "i32", shape: number[], offset: number,
 *   lo?: number | number[] | null, hi?: number | number[] | null, changes?: boolean}} Entry an array
 *   in a header; with changes, its rows are what they differ by from the row before
 * @typedef {{data: Uint16Array | Uint8Array | Float32Array | Int32Array, shape: number[],
 *   lo: any, hi: any, dtype: string, value: (i: number) => number,
 *   real?: Float32Array}} Values a named array; value(i) is
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
 * @type {(bytes: Uint8Array, magic?: string) => {header: any, start: number}}
 */
function readHeader(bytes, magic = MAGIC) {
  if (bytes.length < 8 || String.fromCharCode(...bytes.subarray(0, 4)) !== magic) {
    throw new Error(`Its data do not start with the mark ${magic}.`);
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
   * @param {Run | null} whole the run that has the arrays that these bytes leave out, if they do
   */
  constructor(bytes, whole = null) {
    const { header, start } = readHeader(bytes);
    this.header = header;
    this.whole = whole;
    /** @type {Float32Array | null} where x_t is formed */
    this.room = null;
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

  /**
   * The run of these bytes, with the samples of another one where it lacks its own; null where those
   * are of something else, or too few.
   * @param {Uint8Array} bytes @param {Run} whole
   */
  static of(bytes, whole) {
    const run = new Run(bytes, whole);
    if (!run.header.hollow) return run;
    const enough = run.panels.every((panel) => !panel.walk || run.frames <= whole.draws(panel) + 1);
    return run.header.held === whole.header.held && enough ? run : null;
  }

  /** How many draws of fresh noise a walk has. @param {Panel} panel */
  draws(panel) {
    const noise = this.role(panel, "noise");
    return noise ? noise.shape[0] : 0;
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
    if (!entry && this.whole) return this.whole.array(name);
    if (!entry) throw new Error(`Its data have no array called ${name}.`);
    const { dtype, shape, offset, lo, hi } = entry;
    const data = new TYPED[dtype](this.block, offset, shape.reduce((a, b) => a * b, 1));
    if (entry.changes) {
      const row = data.length / shape[0];
      for (let i = row; i < data.length; i++) data[i] += data[i - row];
    }
    return { data, shape, lo, hi, dtype, value: valueOf(data, LEVELS[dtype], lo, hi) };
  }

  /**
   * The array behind a panel's role ("x_t", "density", ...), or null when the panel has none.
   * @param {Panel} panel
   * @param {string} role
   */
  role(panel, role) {
    const name = panel.arrays && panel.arrays[role];
    if (!name && role === "x_t" && panel.arrays && panel.arrays.noise) return this.noised(panel);
    return name ? this.array(name) : null;
  }

  /**
   * x_t of a panel that says what it is made of: at every frame
   * x = kept start + added noise, or of a walk x = kept (x before) + added (fresh noise), as drawn.
   * Runs that share samples form it in the same place: only the newest of them can be drawn.
   * @param {Panel} panel @returns {Values}
   */
  noised(panel) {
    const name = `${panel.arrays && panel.arrays.noise}, noised`;
    const known = this.cache.get(name);
    if (known) return known;
    const of = (/** @type {string} */ role) => /** @type {Values} */ (this.role(panel, role));
    const [start, noise] = [this.real(of("start")), this.real(of("noise"))];
    const [kept, added, scale] = [of("kept").data, of("added").data, this.role(panel, "scale")];
    const size = start.length;
    const holder = this.whole || this;
    holder.cache.delete(name); // it is overwritten
    const length = this.frames * size;
    if (!holder.room || holder.room.length < length) holder.room = new Float32Array(length);
    const data = holder.room.subarray(0, length);
    (panel.walk ? walk : jump)(data, start, noise, kept, added);
    if (scale) for (let i = 0; i < length; i++) data[i] *= scale.data[(i / size) | 0];
    const values = { data, shape: [this.frames, ...of("start").shape], lo: null, hi: null, dtype: "f32",
      value: (/** @type {number} */ i) => data[i] };
    this.cache.set(name, values);
    return values;
  }

  /** The numbers of an array, once. @param {Values} values */
  real(values) {
    if (values.real) return values.real;
    const real = new Float32Array(values.data.length);
    for (let i = 0; i < real.length; i++) real[i] = values.value(i);
    return (values.real = real);
  }
}

/**
 * @typedef {ArrayLike<number>} Floats
 * @typedef {(x: Float32Array, start: Floats, noise: Floats, kept: Floats, added: Floats) => void} Way
 */

/** @type {Way} */
function jump(x, start, noise, kept, added) {
  const size = start.length;
  for (let k = 0, at = 0; k < kept.length; k++) {
    const [a, b] = [kept[k], added[k]];
    for (let i = 0; i < size; i++, at++) x[at] = a * start[i] + b * noise[i];
  }
}

/** @type {Way} */
function walk(x, start, noise, kept, added) {
  const size = start.length;
  for (let i = 0; i < size; i++) x[i] = start[i];
  for (let k = 0, at = size; k < kept.length; k++) {
    const [a, b] = [kept[k], added[k]];
    for (let i = 0; i < size; i++, at++) x[at] = a * x[at - size] + b * noise[at - size];
  }
}

/**
 * Several runs in one answer, by the number that they differ in (see diffviz/scenes/buffer/sheaf.py).
 * @type {(bytes: Uint8Array) => Map<number, Uint8Array>}
 */
export function readSheaf(bytes) {
  const { header, start } = readHeader(bytes, "DVZN");
  let at = start;
  return new Map(header.values.map((/** @type {number} */ value, /** @type {number} */ k) => {
    const own = bytes.subarray(at, at + header.lengths[k]);
    at += header.lengths[k];
    return [value, own];
  }));
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
