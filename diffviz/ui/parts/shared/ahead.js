// Answers of the app that are had before a hand needs them.

const MOST = 12;

/** @template Answer what an answer is once it is read */
export class Ahead {
  /**
   * @param {(answer: Response) => Promise<Answer>} read
   * @param {AbortSignal} signal ends it
   */
  constructor(read, signal) {
    this.read = read;
    this.signal = signal;
    /** @type {Map<string, Answer | null>} by address: null while it is on its way */
    this.known = new Map();
  }

  /** @type {(url: string) => Answer | null} */
  get(url) {
    return this.known.get(url) || null;
  }

  /** Keep an answer that came another way. @type {(url: string, answer: Answer) => void} */
  keep(url, answer) {
    this.known.set(url, answer);
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
      const answer = await fetch(url, { signal: this.signal });
      if (!answer.ok) throw new Error(String(answer.status));
      this.known.set(url, await this.read(answer));
    } catch {
      this.known.delete(url);
      return;
    }
    if (then) then();
  }
}
