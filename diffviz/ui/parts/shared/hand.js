// The hand: a pointer on a drawing, the keys that stand in for it, and taking back what it did.

/** The way of each arrow key on the screen, downwards positive. @type {Record<string, [number, number]>} */
export const ARROWS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };

/** @type {(event: KeyboardEvent) => boolean} */
export function isUndo(event) {
  return (event.ctrlKey || event.metaKey) && !event.altKey && event.key.toLowerCase() === "z";
}

/**
 * Where a pointer event is, relative to an element, in CSS pixels.
 * @type {(element: Element, event: MouseEvent) => {x: number, y: number}}
 */
export function pointIn(element, event) {
  const box = element.getBoundingClientRect();
  return { x: event.clientX - box.left, y: event.clientY - box.top };
}

/**
 * The same in shares of the element's sides.
 * @type {(element: Element, event: MouseEvent) => [number, number]}
 */
export function shareIn(element, event) {
  const { x, y } = pointIn(element, event);
  const { width, height } = element.getBoundingClientRect();
  return [x / width, y / height];
}

/**
 * Listen to strokes; `up` is told the number of a pointer that is let go or lost.
 * @param {HTMLElement} element
 * @param {{down: (event: PointerEvent) => void, move: (event: PointerEvent) => void,
 *   up: (pointer: number) => void}} hand
 */
export function listenToStrokes(element, { down, move, up }) {
  element.addEventListener("pointerdown", down);
  element.addEventListener("pointermove", move);
  for (const name of /** @type {const} */ (["pointerup", "pointercancel", "lostpointercapture"])) {
    element.addEventListener(name, (event) => up(event.pointerId));
  }
}

/**
 * Every place that a pointer passed, of which the browser tells at once.
 * @type {(event: PointerEvent) => PointerEvent[]}
 */
export function passed(event) {
  const events = event.getCoalescedEvents ? event.getCoalescedEvents() : [];
  return events.length ? events : [event];
}

/** @type {(element: Element, pointer: number) => void} */
export function capture(element, pointer) {
  try {
    element.setPointerCapture(pointer);
  } catch {
    // the pointer is gone already, or was made by a script: drawing goes on without capture
  }
}

/** What there was before, the latest last. @template T */
export class Undo {
  /** @param {T[]} states @param {number} most that are kept */
  constructor(states = [], most = 100) {
    this.states = states;
    this.most = most;
  }

  get empty() {
    return this.states.length === 0;
  }

  /** @param {T} state */
  push(state) {
    this.states = [...this.states, state].slice(-this.most);
  }

  /** @returns {T | undefined} */
  pop() {
    const last = this.states[this.states.length - 1];
    this.states = this.states.slice(0, -1);
    return last;
  }
}
