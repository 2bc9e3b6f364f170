// What a knob asks a player for: the address of the run at its value.

/**
 * @typedef {{before: string, after: string, special: Record<string, string>}} Addresses those of
 *   runs that differ in one number, or name: it stands between `before` and `after`, unless it is special
 * @typedef {{key: string, heard: number, few: Addresses | null,
 *   all: Addresses, levels: string | null}} Turn what Python says of
 *   a knob: its key, how many of its reports Python has heard, and where the runs are, with few
 *   samples (null where even they do not follow a hand) and with all of them; and where their levels
 *   are, if the samples are the same
 * @typedef {{name: string, value: number, phase: "near" | "move" | "rest" | "done", key: string,
 *   count: number}} Turned what a knob says: count is the number of its last report
 */

/** @type {(of: Addresses, value: number | string) => string} */
export function addressAt(of, value) {
  const word = JSON.stringify(value);
  return of.special[word] || of.before + encodeURIComponent(word) + of.after;
}

/**
 * The address of the run that the app offers instead of one that it refuses.
 * @type {(address: string, word: string) => string}
 */
export function addressOf(address, word) {
  return address.replace(/(.*\/run\/)[^?]*/, (_, start) => start + encodeURIComponent(word));
}

/**
 * Whether Python has heard what the knobs have said, but for one of them; a knob that was replaced
 * is waited for no longer.
 * @type {(said: Record<string, Turned>, turns: Record<string, Turn>, but?: string) => boolean}
 */
export function caughtUp(said, turns, but) {
  return Object.values(said).every(({ name, key, count }) =>
    name === but || !turns[name] || turns[name].key !== key || turns[name].heard >= count);
}
