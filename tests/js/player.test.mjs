// The player: the clock, the buffer, colours, symbols and what is worked out from a run.
import assert from "node:assert/strict";
import test from "node:test";

import { Run, readSheaf } from "../../diffviz/ui/parts/player/js/buffer.js";
import { around, logSnr, noiseShare, sampleAt, TimeAxis } from "../../diffviz/ui/parts/player/js/clock.js";
import { bestArrangement, snapped, valuesToImage } from "../../diffviz/ui/parts/player/js/images.js";
import { inkOf, packRgb, scaleTable } from "../../diffviz/ui/parts/player/js/palette.js";
import { blend, topIndices } from "../../diffviz/ui/parts/player/js/points.js";
import { Samples, StepValues } from "../../diffviz/ui/parts/player/js/rail.js";
import { describeFrame } from "../../diffviz/ui/parts/player/js/scrubber.js";
import { addressAt, addressOf, caughtUp } from "../../diffviz/ui/parts/shared/turns.js";
import { parseSymbol } from "../../diffviz/ui/parts/player/js/symbols.js";
import { luminance } from "../../diffviz/ui/parts/shared/color.js";

const near = (a, b, tolerance = 1e-12) => assert.ok(Math.abs(a - b) <= tolerance, `${a} is not ${b}`);
const all = (a, b, tolerance) => { assert.equal(a.length, b.length); a.forEach((v, k) => near(v, b[k], tolerance)); };

// A block as format.py writes it: a mark, the length of its JSON, the JSON.
function block(mark, value) {
  const text = new TextEncoder().encode(JSON.stringify(value));
  const bytes = new Uint8Array(8 + text.length);
  bytes.set(new TextEncoder().encode(mark));
  new DataView(bytes.buffer).setUint32(4, text.length, true);
  bytes.set(text, 8);
  return bytes;
}

const joined = (...parts) => Uint8Array.from(parts.flatMap((part) => [...part]));

const HEADER = {
  id: "a", panels: [], clock: { frames: 2, start: "noise", arrays: { t: "t" } },
  arrays: {
    t: { dtype: "f32", shape: [2], offset: 0, lo: 0, hi: 1 },
    grey: { dtype: "u8", shape: [3], offset: 8, lo: -1, hi: 1 },
    plane: { dtype: "u16", shape: [1, 2], offset: 12, lo: [0, -10], hi: [1, 10] },
  },
};
const DATA = joined(new Uint8Array(Float32Array.of(1, 0.25).buffer), [0, 255, 51, 0],
  new Uint8Array(Uint16Array.of(65535, 0).buffer));

test("a run is read from its bytes, wherever they lie", () => {
  const run = new Run(joined([7], block("DVZ1", HEADER), DATA).subarray(1));
  assert.equal(run.frames, 2);
  assert.equal(run.clock.start, "noise");
  all([...run.clock.t], [1, 0.25]);
  all([0, 1, 2].map(run.array("grey").value), [-1, 1, -0.6]);
  all([0, 1].map(run.array("plane").value), [1, -10]);
  assert.equal(run.array("grey"), run.array("grey"));
  assert.equal(run.role({ arrays: { x_t: "plane" } }, "x_t"), run.array("plane"));
  assert.equal(run.role({ arrays: {} }, "x_t"), null);
  assert.throws(() => run.array("none"), /no array called none/);
});

// A run of two points in the plane over some frames that it noises itself.
function noisedRun({ kept, added, walk, noise = [[0.5, -0.5, 1, 2]], held = "a" }) {
  const floats = { t: kept.map(() => 1), start: [1, 2, 3, 4], noise: noise.flat(), kept, added };
  const entry = { t: [kept.length], start: [2, 2], noise: [noise.length, 2, 2], kept: [kept.length], added: [added.length] };
  const arrays = {};
  const data = [];
  for (const [name, values] of Object.entries(floats)) {
    arrays[name] = { dtype: "f32", shape: entry[name], offset: data.length };
    data.push(...new Uint8Array(Float32Array.from(values).buffer));
  }
  const names = { start: "start", noise: "noise", kept: "kept", added: "added" };
  const frames = kept.length + (walk ? 1 : 0);
  const header = { held, arrays, clock: { frames, arrays: { t: "t" } }, panels: [{ walk, arrays: names }] };
  return (without = []) => {
    for (const name of without) delete arrays[name];
    header.hollow = without.length > 0;
    return joined(block("DVZ1", header), data);
  };
}

test("a run noises its samples in a jump, or step by step", () => {
  const jump = new Run(noisedRun({ kept: [1, 0.5], added: [0, 2], walk: false })());
  const x = jump.role(jump.panels[0], "x_t");
  assert.deepEqual(x.shape, [2, 2, 2]);
  all([...x.data], [1, 2, 3, 4, 1.5, 0, 3.5, 6]);
  assert.equal(x.value(4), 1.5);
  const walk = new Run(noisedRun({ kept: [0.5, 2], added: [1, 0.5], walk: true, noise: [[1, 1, 1, 1], [2, 0, -2, 4]] })());
  all([...walk.role(walk.panels[0], "x_t").data], [1, 2, 3, 4, 1.5, 2, 2.5, 3, 4, 4, 4, 8]);
});

test("levels and the samples of another run are a run", () => {
  const made = noisedRun({ kept: [1, 0.5], added: [0, 2], walk: false });
  const whole = new Run(made());
  const other = noisedRun({ kept: [1, 0.25, 0], added: [0, 1, 3], walk: false })(["start", "noise"]);
  const run = Run.of(other, whole);
  all([...run.role(run.panels[0], "x_t").data], [1, 2, 3, 4, 0.75, 0, 1.75, 3, 1.5, -1.5, 3, 6]);
  assert.equal(Run.of(noisedRun({ kept: [1], added: [0], walk: false, held: "b" })(["start", "noise"]), whole), null);
  const walk = new Run(noisedRun({ kept: [1], added: [1], walk: true, noise: [[1, 1, 1, 1]] })());
  const longer = noisedRun({ kept: [1, 1], added: [1, 1], walk: true })(["start", "noise"]);
  assert.equal(Run.of(longer, walk), null, "there is too little noise for so many steps");
});

test("rows of changes are added up", () => {
  const header = { panels: [], clock: { frames: 1, arrays: {} },
    arrays: { d: { dtype: "u8", shape: [3, 2], offset: 0, lo: 0, hi: 255, changes: true } } };
  const run = new Run(joined(block("DVZ1", header), [5, 250, 1, 10, 255, 0]));
  all([...run.array("d").data], [5, 250, 6, 4, 5, 4]);
});

test("a sheaf is taken apart", () => {
  const sheaf = readSheaf(joined(block("DVZN", { values: [0.5, 2], lengths: [3, 1] }), [1, 2, 3, 9]));
  assert.deepEqual([...sheaf.keys()], [0.5, 2]);
  assert.deepEqual([...sheaf.get(0.5)], [1, 2, 3]);
  assert.deepEqual([...sheaf.get(2)], [9]);
});

test("what is no run is refused in words", () => {
  const bytes = block("DVZ1", HEADER);
  assert.throws(() => new Run(block("DVZ2", {})), /start with the mark DVZ1/);
  assert.throws(() => new Run(bytes.subarray(0, 20)), /cut short/);
  assert.throws(() => new Run(bytes.subarray(0, 3)), /start with the mark/);
});

test("levels of noise", () => {
  near(logSnr(Math.sqrt(0.5), Math.sqrt(0.5)), 0);
  near(logSnr(0.8, 0.6), Math.log(0.64 / 0.36));
  assert.deepEqual([logSnr(1, 0), logSnr(0, 1)], [Infinity, -Infinity]);
  near(noiseShare(0.8, 0.6), 0.36);
  near(noiseShare(1, 3), 0.9);
  assert.equal(noiseShare(0, 0), 0);
});

test("between two frames", () => {
  assert.deepEqual(around(2.25, 5), { low: 2, high: 3, share: 0.25 });
  assert.deepEqual(around(4, 5), { low: 4, high: 4, share: 0 });
  near(sampleAt([0, 10, 30], 1.5), 20);
  assert.equal(sampleAt([0, 10, 30], 2), 30);
  assert.deepEqual([0.4, 0.6].map((at) => sampleAt([Infinity, 3], at)), [Infinity, 3]);
});

test("frames lie by time on the track, and come back from it", () => {
  const axis = new TimeAxis({ frames: 4, direction: "reverse", t: [1, 0.9, 0.5, 0] });
  all([0, 1, 2, 3].map((k) => axis.position(k)), [0, 0.1, 0.5, 1]);
  near(axis.position(1.5), 0.3);
  for (const frame of [0, 0.5, 1, 2.75, 3]) near(axis.frameAt(axis.position(frame)), frame);
  assert.deepEqual([axis.frameAt(-1), axis.frameAt(2)], [0, 3]);
  near(axis.ofTime(0.25), 0.75);
});

test("frames that stay at one time lie evenly", () => {
  const axis = new TimeAxis({ frames: 3, direction: "forward", t: [0, 0.2, 0.2] });
  assert.equal(axis.byTime, false);
  all([...axis.u], [0, 0.5, 1]);
  assert.equal(new TimeAxis({ frames: 1, direction: "forward", t: [0] }).frameAt(0.7), 0);
});

test("a frame in words", () => {
  const clock = { unit: "step", t: [0.76], alpha: [0.6], sigma: [0.8] };
  assert.equal(describeFrame({ clock, frames: 51 }, 0).words, "step 0 of 50, t = 0.760, log-SNR −0.58");
  const told = describeFrame({ clock: { unit: "step", notes: ["", "loss 0.3"], names: ["", "now"] }, frames: 2 }, 1);
  assert.equal(told.words, "now, loss 0.3");
});

test("pixels and scales of colours", () => {
  assert.equal(packRgb([1, 2, 3]), 0x030201);
  assert.equal(packRgb([1, 2, 3], 255), 0xff030201);
  const table = scaleTable(["#000000", "#ff0000", "#ffff00"]);
  assert.deepEqual([table[0], table[51], table[255]], [[0, 0, 0], [102, 0, 0], [255, 255, 0]]);
  assert.equal(table.length, 256);
  assert.equal(blend(0x000000, 0xffffff, 256), 0xffffff);
  assert.equal(blend(0x204060, 0x204060, 100), 0x204060);
  assert.equal(blend(0x000000, 0x804020, 128), 0x402010);
});

test("colours of words read on their ground", () => {
  for (const [ground, text] of [[[255, 255, 255], [0, 0, 0]], [[18, 23, 30], [231, 235, 240]]]) {
    for (const color of [[86, 180, 233], [213, 94, 0], [127, 127, 127]]) {
      const [a, b] = [inkOf(color, ground, text), ground].map((c) => luminance(c) + 0.05);
      assert.ok(Math.max(a / b, b / a) >= 5);
    }
  }
  assert.deepEqual(inkOf([0, 0, 0], [255, 255, 255], [9, 9, 9]), [0, 0, 0]);
});

test("symbols", () => {
  assert.deepEqual(parseSymbol("x^_0"), { letter: "x", hat: true, sub: "0", italic: true });
  assert.deepEqual(parseSymbol("alpha_t"), { letter: "α", hat: false, sub: "t", italic: true });
  assert.deepEqual(parseSymbol("SNR"), { letter: "SNR", hat: false, sub: "", italic: false });
  assert.equal(parseSymbol("sigma_{max}").sub, "max");
});

test("the largest values, largest first", () => {
  assert.deepEqual(topIndices([3, 9, 1, 7, 9], 3), [1, 4, 3]);
  assert.deepEqual(topIndices([1], 5), [0]);
});

test("values become pixels of a range, of every so manieth pixel", () => {
  const image = { data: new Uint8ClampedArray(4) };
  valuesToImage([0.5, 9, 9, 9, -1, 9, 9, 9, 3, 9, 9, 9], [3, 2, 2], [-1, 1], image, 2);
  assert.deepEqual([...image.data], [191, 0, 255, 255]);
  valuesToImage([0], [1, 1, 1], [-3, 3], image);
  assert.deepEqual([...image.data], [128, 128, 128, 255]);
});

test("images fit their stage", () => {
  for (const [width, height, figures, thumbs] of [[900, 500, 3, 16], [340, 340, 2, 0], [700, 400, 1, 100]]) {
    const { side, columns, thumb, beside } = bestArrangement(width, height, figures, thumbs, 1);
    assert.ok(side > 40 && side <= height);
    const rows = thumbs ? Math.ceil(thumbs / columns) : 0;
    assert.ok(columns * (thumb + 6) - 6 + (beside ? side : 0) <= width);
    assert.ok(rows * (thumb + 6) - 6 + (beside ? 0 : side) <= height);
  }
  assert.equal(snapped(300, 28, 1), 280);
  assert.equal(snapped(300, 28, 2), 294);
  assert.equal(snapped(300.7, 64, 2), 300);
});

// A run of one point over two frames: x_t = (2, 4), then (1, 1); x_0 = (1, 2); alpha 0.5, sigma 0.5.
const values = (shape, list) => ({ shape, data: list, value: (i) => list[i] });
const RUN = {
  frames: 2, clock: { alpha: [0.5, 1], sigma: [0.5, 0] },
  role: (_, role) => ({ x_t: values([2, 1, 2], [2, 4, 1, 1]), x_0: values([1, 1, 2], [1, 2]) })[role] || null,
  array: (name) => ({ a: { data: [0.25] }, b: { data: [0.5] }, c: { data: [0.1] } })[name],
};

test("the quantities of a step, and the noise that the others leave over", () => {
  const terms = [{ role: "x_0", coefficients: "a" }, { role: "eps", coefficients: "b" }, { role: "z", coefficients: "c" }];
  const step = new StepValues(RUN, { kind: "points" }, { steps: 1, terms });
  all(step.of(terms[0], 0, 0), [1, 2]);
  all(step.of(terms[1], 0, 0), [3, 6]);
  all(step.left(0, 0), [1, 1]);
  all(step.of(terms[2], 0, 0), [(1 - 0.25 - 1.5) / 0.1, (1 - 0.5 - 3) / 0.1], 1e-9);
  assert.equal(step.eps(1, 0), null);
});

test("a histogram counts what lies within its limits, the upper end with them", () => {
  const run = { role: () => values([1, 5, 2], [-1, 0, 0, 0, 0.9, 0, 1, 0, 5, 0]) };
  const { counts, total } = new Samples(run, { kind: "points", count: 5 }).histogram(0, 0, [-1, 1], 4);
  assert.deepEqual([...counts], [1, 0, 1, 2]);
  assert.equal(total, 5);
});

test("a turned knob leads to the address of a run", () => {
  const of = { before: "/run/a%7B%22n%22%3A", after: "%7D?v=1", special: { 500: "/run/a%7B%7D?v=1" } };
  assert.equal(addressAt(of, 20), "/run/a%7B%22n%22%3A20%7D?v=1");
  assert.equal(addressAt(of, 500), "/run/a%7B%7D?v=1");
  assert.equal(addressAt(of, 1e21), "/run/a%7B%22n%22%3A1e%2B21%7D?v=1");
  assert.equal(addressOf("/lab/run/a%7B%22n%22%3A20%7D?v=1", 'a{"n":2}'), "/lab/run/a%7B%22n%22%3A2%7D?v=1");
});

test("what knobs have said is waited for until Python has heard it", () => {
  const said = { n: { name: "n", value: 3, phase: "done", key: "n", count: 2 } };
  const turns = (heard, key = "n") => ({ n: { key, heard, few: null, all: null } });
  assert.equal(caughtUp(said, turns(1)), false);
  assert.equal(caughtUp(said, turns(2)), true);
  assert.equal(caughtUp(said, turns(1), "n"), true, "a knob need not wait for itself");
  assert.equal(caughtUp(said, turns(0, "n#1")), true, "one that was replaced speaks no more");
  assert.equal(caughtUp(said, {}), true);
  assert.equal(caughtUp({}, turns(0)), true);
});
