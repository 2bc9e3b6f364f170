// What every view of a panel is: it draws one part of a run, frame by frame, on an element of its own.
// One that can be followed in has pick(event), too: the item nearest to the pointer, or null.

/**
 * @typedef {import("./buffer.js").Run} Run
 * @typedef {import("./buffer.js").Panel} Panel
 * @typedef {{follow: number | null, hover: number | null, layers: Record<string, boolean>,
 *   palette: import("./palette.js").Palette, reduced: boolean, playing: boolean,
 *   dragging: boolean}} State what the reader has chosen; `follow` is an item
 * @typedef {{index: number, x: number, y: number}} Moved an item and where it was dragged to
 */

export class View {
  width = 0;
  height = 0;

  /** @param {HTMLElement} host @param {Panel} panel the header's entry @param {Run} run */
  constructor(host, panel, run) {
    this.host = host;
    this.panel = panel;
    this.run = run;
  }

  /**
   * The toggles to offer.
   * @returns {{key: string, label: string, on: boolean, glyph: string, color: string}[]}
   */
  layers() {
    return [];
  }

  /** @param {number} _width in CSS pixels @param {number} _height */
  resize(_width, _height) {}

  /** @param {number} _frame fractional, from 0 to run.frames - 1 @param {State} _state */
  draw(_frame, _state) {}

  /**
   * Whether the pointer would take hold of something.
   * @param {PointerEvent} _event
   * @param {number} _frame
   * @param {State} _state
   */
  canGrab(_event, _frame, _state) {
    return false;
  }

  /**
   * What the pointer takes hold of, or null.
   * @param {PointerEvent} _event
   * @param {number} _frame
   * @param {State} _state
   * @returns {{move(event: PointerEvent): void, release(event: PointerEvent | null): Moved | null} | null}
   */
  grab(_event, _frame, _state) {
    return null;
  }

  dispose() {
    this.host.replaceChildren();
  }
}
