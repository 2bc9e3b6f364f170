// What all components share.
import assert from "node:assert/strict";
import test from "node:test";

import { bytesOf, bytesOfWord, textOf, wordOf } from "../../diffviz/ui/parts/shared/base64.js";
import { css, luminance, mixColors, parseColor } from "../../diffviz/ui/parts/shared/color.js";
import { traceContour } from "../../diffviz/ui/parts/shared/contours.js";
import { isUndo, passed, pointIn, shareIn, Undo } from "../../diffviz/ui/parts/shared/hand.js";
import { clamp, compact, fixed, multiples, niceTicks, pieceOf, powerOfTen, superscript } from "../../diffviz/ui/parts/shared/numbers.js";

const near = (a, b, tolerance = 1e-12) => assert.ok(Math.abs(a - b) <= tolerance, `${a} is not ${b}`);
const all = (a, b) => { assert.equal(a.length, b.length); a.forEach((v, k) => near(v, b[k])); };

test("numbers keep to their limits", () => {
  assert.deepEqual([-3, -0.5, 3].map((v) => clamp(v)), [-1, -0.5, 1]);
  assert.deepEqual([-3, 5, 30].map((v) => clamp(v, 0, 10)), [0, 5, 10]);
});

test("fixed numbers have a true minus sign, and zero has none", () => {
  assert.equal(fixed(-1.005), "−1.00");
  assert.equal(fixed(-0.001), "0.00");
  assert.equal(fixed(2.5, 0), "3");
  assert.deepEqual([Infinity, -Infinity, NaN].map((v) => fixed(v)), ["∞", "−∞", "–"]);
});

test("compact numbers keep their significant digits", () => {
  assert.deepEqual([0, 1, 0.0123, 123.4, 12345.6].map((v) => compact(v)), ["0", "1.00", "0.0123", "123", "12346"]);
  assert.equal(compact(-0.00012345), "−1.23×10⁻⁴");
  assert.equal(compact(2.5e7, 2), "2.5×10⁷");
  assert.equal(compact(-Infinity), "−∞");
});

test("powers are written as on paper", () => {
  assert.equal(superscript(-1203), "⁻¹²⁰³");
  assert.deepEqual([0, 1, 2, -6].map(powerOfTen), ["1", "10", "10²", "10⁻⁶"]);
});

test("ticks are round, within the limits, and few", () => {
  all(niceTicks(-1, 1, 4), [-1, -0.5, 0, 0.5, 1]);
  all(niceTicks(0.3, 0.7, 4), [0.3, 0.4, 0.5, 0.6, 0.7]);
  all(niceTicks(-4, 4, 5), [-4, -2, 0, 2, 4]);
  assert.deepEqual(niceTicks(2, 2), [2]);
  all(multiples(-0.25, 0.25, 0.1), [-0.2, -0.1, 0, 0.1, 0.2]);
  assert.ok(multiples(-0.1, 0.1, 0.1).every((v) => !Object.is(v, -0)));
});

test("the piece that holds a place", () => {
  const places = [0, 1, 3, 7];
  assert.deepEqual([-1, 0, 0.5, 1, 2.9, 3, 6, 7, 9].map((x) => pieceOf(places, x)), [0, 0, 0, 1, 1, 2, 2, 2, 2]);
  assert.equal(pieceOf([5], 5), 0);
});

test("colours", () => {
  assert.deepEqual(parseColor(" #0072b2 "), [0, 114, 178]);
  assert.deepEqual(mixColors([0, 100, 200], [100, 100, 0], 0.25), [25, 100, 150]);
  assert.equal(css([1, 2, 3]), "rgb(1,2,3)");
  assert.equal(css([1, 2, 3], 0.5), "rgba(1,2,3,0.5)");
  near(luminance([255, 255, 255]), 1);
  assert.equal(luminance([0, 0, 0]), 0);
  near(luminance([119, 119, 119]), 0.1845, 1e-4); // the middle grey of the contrast rules
});

test("bytes come back from text, and words suit an address", () => {
  const bytes = Uint8Array.from({ length: 256 }, (_, i) => i);
  for (const count of [0, 1, 2, 3, 256]) {
    const some = bytes.slice(256 - count);
    assert.deepEqual(bytesOf(textOf(some)), some);
    assert.deepEqual(bytesOfWord(wordOf(some)), some);
  }
  assert.equal(textOf([251, 255, 191, 1]), "+/+/AQ==");
  assert.equal(wordOf([251, 255, 191, 1]), "-_-_AQ");
});

test("what was is taken back, the latest first, and no more than was kept", () => {
  const undo = new Undo([], 3);
  assert.ok(undo.empty);
  for (const state of "abcde") undo.push(state);
  assert.deepEqual([1, 2, 3, 4].map(() => undo.pop()), ["e", "d", "c", undefined]);
  assert.ok(undo.empty);
});

test("the keys that undo", () => {
  const key = (more) => isUndo({ key: "z", ctrlKey: false, metaKey: false, altKey: false, ...more });
  assert.deepEqual([{}, { ctrlKey: true }, { metaKey: true, key: "Z" }, { ctrlKey: true, altKey: true },
    { ctrlKey: true, key: "y" }].map(key), [false, true, true, false, false]);
});

test("where the hand is", () => {
  const element = { getBoundingClientRect: () => ({ left: 10, top: 20, width: 200, height: 50 }) };
  assert.deepEqual(pointIn(element, { clientX: 60, clientY: 30 }), { x: 50, y: 10 });
  assert.deepEqual(shareIn(element, { clientX: 60, clientY: 30 }), [0.25, 0.2]);
  const event = { getCoalescedEvents: () => [] };
  assert.deepEqual(passed(event), [event]);
  assert.deepEqual(passed({ getCoalescedEvents: () => [1, 2] }), [1, 2]);
});

const pieces = (values, rows, columns, level) => {
  const found = [];
  traceContour(values, rows, columns, level, (...ends) => found.push(ends));
  return found;
};

test("a contour crosses the sides where the values say", () => {
  assert.deepEqual(pieces([0, 4, 0, 4], 2, 2, 1), [[0.25, 0, 0.25, 1]]);
  assert.deepEqual(pieces([4, 0, 0, 0], 2, 2, 1), [[0, 0.75, 0.75, 0]]);
  assert.deepEqual(pieces([2, 2, 2, 2], 2, 2, 1), []);
  assert.equal(pieces([2, 0, 0, 2], 2, 2, 1).length, 2);
  assert.equal(pieces([0, 2, 2, 0], 2, 2, 1).length, 2);
});

test("the contour of a cone is a circle", () => {
  const n = 41;
  const values = Array.from({ length: n * n }, (_, i) => 30 - Math.hypot((i % n) - 20, Math.floor(i / n) - 20));
  const ends = pieces(values, n, n, 18).flatMap(([x0, y0, x1, y1]) => [[x0, y0], [x1, y1]]);
  assert.ok(ends.length > 100);
  for (const [x, y] of ends) near(Math.hypot(x - 20, y - 20), 12, 0.02);
});
