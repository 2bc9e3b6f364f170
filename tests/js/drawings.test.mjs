// What is drawn and dragged: strokes, a region, the custom schedule, and the map of codes.
import assert from "node:assert/strict";
import test from "node:test";

import { times } from "../../diffviz/ui/parts/atlas/atlas.js";
import { Chart } from "../../diffviz/ui/parts/atlas/chart.js";
import { alphaThrough, clampPoint, HANDLES, MonotoneCubic, widestGap, withoutPoint, withPoint } from "../../diffviz/ui/parts/curve/js/cubic.js";
import { Axis, interpolate, plainNumber, spread } from "../../diffviz/ui/parts/curve/js/draw.js";
import { along, fromWord, lineLength, resample, toWord } from "../../diffviz/ui/parts/pad/pad.js";
import { textOf } from "../../diffviz/ui/parts/shared/base64.js";
import { distance } from "../../diffviz/ui/parts/sheet/sheet.js";

const near = (a, b, tolerance = 1e-12) => assert.ok(Math.abs(a - b) <= tolerance, `${a} is not ${b}`);
const all = (a, b, tolerance) => { assert.equal(a.length, b.length); a.forEach((v, k) => near(v, b[k], tolerance)); };

test("points lie evenly along a stroke", () => {
  const corner = [[0, 0], [0.3, 0], [0.3, 0.4]];
  near(lineLength(corner), 0.7);
  const points = along(corner, 0.7, 8);
  all(points.map((p) => p[0]), [0, 0.1, 0.2, 0.3, 0.3, 0.3, 0.3, 0.3]);
  all(points.map((p) => p[1]), [0, 0, 0, 0, 0.1, 0.2, 0.3, 0.4]);
  assert.deepEqual(along([[0.5, 0.5]], 0, 1), [[0.5, 0.5]]);
});

test("strokes leave no more points than are kept, and loose dots stay where they are", () => {
  const dots = { dots: true, samples: [[0.1, 0.2], [0.3, 0.4]] };
  assert.deepEqual(resample([dots]), dots.samples);
  const line = (length) => ({ dots: false, samples: [[0, 0], [length, 0]] });
  assert.equal(resample([line(0.9)]).length, 31);
  const many = resample(Array.from({ length: 40 }, () => line(2)));
  assert.ok(many.length > 350 && many.length <= 400);
});

test("words bring points back to half a level", () => {
  const points = [[-1, 1], [0.25, -0.75], [0, 1]];
  assert.equal(toWord([[-1, 1]]), "AP8");
  all(fromWord(toWord(points)).flat(), points.flat(), 1 / 255);
  assert.deepEqual([toWord([]), fromWord("")], ["", []]);
});

test("the distance to a piece of a line", () => {
  near(distance([0, 3], [-1, 0], [1, 0]), 3);
  near(distance([4, 4], [-1, 0], [1, 0]), 5);
  near(distance([3, 4], [0, 0], [0, 0]), 5);
});

test("the cubic goes through its points, keeps a line straight, and does not overshoot", () => {
  const straight = new MonotoneCubic([0, 0.2, 1], [1, 0.8, 0]);
  all([0, 0.1, 0.2, 0.7, 1].map((x) => straight.at(x)), [1, 0.9, 0.8, 0.3, 0]);
  const [x, y] = [[0, 0.1, 0.5, 0.6, 1], [0, 0.7, 0.7, 0.1, 1]];
  const bent = new MonotoneCubic(x, y);
  all(x.map((v) => bent.at(v)), y);
  near(bent.at(0.3), 0.7); // flat between equal neighbours
  for (let t = 0; t <= 1; t += 0.01) assert.ok(bent.at(t) >= 0 && bent.at(t) <= 1);
});

const POINTS = [[0, 1], [0.25, 0.85], [0.5, 0.45], [0.75, 0.1], [1, 0.0001]];

test("alpha is the root of alpha-bar at the points", () => {
  const alpha = alphaThrough(POINTS);
  all(POINTS.map(([t]) => alpha(t) ** 2), POINTS.map((p) => p[1]));
});

test("points keep their order, their ends and their distance", () => {
  assert.deepEqual(clampPoint(POINTS, 0, 0.4, 0.4), [0, 1]);
  assert.deepEqual(clampPoint(POINTS, 2, 0.6, 0.5), [0.6, 0.5]);
  assert.deepEqual(clampPoint(POINTS, 2, 0.9, 2), [0.74, 0.8498]);
  assert.deepEqual(clampPoint(POINTS, 2, -1, -1), [0.26, 0.1002]);
  assert.deepEqual(clampPoint(POINTS, 4, 0.3, -1), [1, 0]);
});

test("points are added on the curve where there is room, and inner ones removed", () => {
  const added = withPoint(POINTS, 0.6);
  assert.equal(added.length, 6);
  assert.equal(added[3][0], 0.6);
  near(added[3][1], alphaThrough(POINTS)(0.6) ** 2, 5e-5);
  assert.deepEqual([0.2501, 0, 1].map((t) => withPoint(POINTS, t)), [null, null, null]);
  const full = Array.from({ length: 12 }, (_, k) => [k / 11, 1 - k / 11]);
  assert.equal(withPoint(full, 0.5), null);
  assert.deepEqual(withoutPoint(POINTS, 2), [POINTS[0], POINTS[1], POINTS[3], POINTS[4]]);
  assert.deepEqual([0, 4].map((k) => withoutPoint(POINTS, k)), [null, null]);
  assert.equal(withoutPoint([[0, 1], [1, 0]], 1), null);
  assert.equal(widestGap([[0, 1], [0.2, 0.9], [0.8, 0.2], [1, 0]]), 0.5);
});

test("handles come back from where they stand", () => {
  for (const { up, down } of Object.values(HANDLES)) for (const bar of [0.01, 0.5, 0.99]) near(down(up(bar)), bar);
});

test("the axis gives back its values, and its ticks are round", () => {
  const axis = new Axis({ log: false, low: 0, high: 1 }, 12, 440);
  assert.deepEqual([axis.y(0), axis.y(1)], [452, 12]);
  near(axis.value(axis.y(0.3)), 0.3);
  assert.deepEqual(axis.ticks().map((tick) => tick.label).slice(0, 3), ["0", "0.1", "0.2"]);
  const log = new Axis({ log: true, low: 1e-4, high: 1 }, 0, 440);
  near(log.y(0.01), 220, 1e-9);
  assert.deepEqual(log.ticks().map((tick) => tick.label), ["10⁻⁴", "10⁻³", "10⁻²", "10⁻¹", "1"]);
  assert.ok(Number.isFinite(log.y(0)));
  assert.equal(plainNumber(-0.1 - 0.2), "−0.3");
});

test("labels are pushed apart no farther than they must", () => {
  all(spread([10, 50, 90], 20, 0, 100), [10, 50, 90]);
  all(spread([50, 50, 50], 20, 0, 100), [30, 50, 70]);
  all(spread([99, 100], 20, 0, 100), [80, 100]);
  all(spread([60, 10, 55], 20, 0, 100), [67.5, 10, 47.5]);
});

test("a polyline between its points, and nothing beyond its ends", () => {
  const [xs, ys] = [[0, 0.5, 1], [0, 10, 0]];
  all([0, 0.25, 0.5, 0.75, 1].map((x) => interpolate(xs, ys, x)), [0, 5, 10, 5, 0]);
  assert.deepEqual([interpolate(xs, ys, -0.1), interpolate(xs, ys, 1.1), interpolate([], [], 0)], [null, null, null]);
  assert.equal(interpolate([0.5], [7], 0.5), 7);
});

// Four pictures of one pixel at the corners of [-1, 1]^2; three codes, two classes.
const CHART = new Chart({
  limits: [-1, 1], count: 3, side: 2, size: [1, 1], cells: 2, sheet: "", names: ["a", "b"], levels: [],
  codes: textOf(new Uint8Array(Uint16Array.of(0, 0, 65535, 65535, 65535, 0).buffer)),
  labels: textOf([0, 1, 0]),
  log_density: textOf(new Uint8Array(Float32Array.of(0, 2, 4, 6).buffer)),
});

test("a map mixes the pictures and the density of the nearest four codes", () => {
  const out = new Float32Array(1);
  assert.equal(CHART.picture([0, 0], out)[0], 0); // not there yet
  CHART.pixels = Uint8Array.of(0, 100, 200, 40);
  assert.equal(CHART.picture([-1, -1], out)[0], 0);
  assert.equal(CHART.picture([1, -1], out)[0], 100);
  assert.equal(CHART.picture([0, 0], out)[0], 85);
  near(CHART.logDensity([0, 0]), 3);
  near(CHART.logDensity([1, 0.5]), 5);
});

test("a map knows its nearest code and its contours", () => {
  const { label, distance: away } = CHART.nearest([0.9, 1]);
  assert.equal(label, 1);
  near(away, 0.1, 1e-6);
  assert.deepEqual(CHART.contour(3), [[-1, 0.5, 1, -0.5]]);
  assert.deepEqual([...CHART.order].sort(), [0, 1, 2]);
});

test("factors in words", () => {
  assert.deepEqual([1, 4.23, 30.4, 2e6].map(times), ["1.0", "4.2", "30", "over a million"]);
});
