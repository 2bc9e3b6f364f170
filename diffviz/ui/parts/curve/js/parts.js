// What the plot gets from the data route to follow a hand: drawings of the same schedules with one
// number at each of its values, and one of every schedule.

/**
 * @typedef {{name: string, label: string, t: number[], columns: number[][], levels: number[][]}} Line
 * @typedef {{view: object, lines: Line[], stops: object[]}} Part what changes in the plot
 */

const MOST = 12; // answers that are kept

export class Parts {
  constructor() {
    /** @type {Map<string, any>} by address: what came, null while it is on its way */
    this.known = new Map();
  }

  /**
   * Get an answer, unless it is there or on its way; what fails is asked for again another time.
   * @param {string} url
   * @param {() => void} [then] called when it is there
   */
  async foresee(url, then) {
    if (this.known.has(url)) return;
    if (this.known.size === MOST) this.known.delete([...this.known.keys()][0]);
    this.known.set(url, null);
    try {
      const answer = await fetch(url);
      if (!answer.ok) throw new Error(String(answer.status));
      this.known.set(url, await answer.json());
      if (then) then();
    } catch {
      this.known.delete(url);
    }
  }

  /** What a value of a knob changes, if it is there. @type {(url: string, value: number) => Part | null} */
  at(url, value) {
    const found = (this.known.get(url) || []).find((/** @type {[number, Part]} */ [at]) => at === value);
    return found ? found[1] : null;
  }

  /** The line with a label among those of an address. @type {(url: string, label: string) => Line | null} */
  line(url, label) {
    const found = this.known.get(url);
    return (found && found.lines.find((/** @type {Line} */ line) => line.label === label)) || null;
  }
}
