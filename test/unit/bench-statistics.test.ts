import assert from "node:assert/strict";
import { test } from "node:test";
import { figure, median, percentile, ratio, rotated } from "../../bench/statistics.ts";

test("percentile() is a value that was measured: the nearest rank", () => {
  const hundred = Array.from({ length: 100 }, (_, index) => 100 - index);
  assert.equal(percentile(hundred, 0.5), 50);
  assert.equal(percentile(hundred, 0.99), 99);
  assert.equal(percentile(hundred, 1), 100);
  assert.equal(percentile([7], 0.01), 7);
});

test("percentile() orders numbers as numbers and leaves its input alone", () => {
  const values = [10, 9, 2];
  assert.equal(percentile(values, 0.5), 9);
  assert.deepEqual(values, [10, 9, 2]);
});

test("median() is the middle value, or the mean of the two in the middle", () => {
  assert.equal(median([3, 100, 1]), 3);
  assert.equal(median([4, 1, 100, 2]), 3);
});

test("a figure of nothing is an error, not NaN", () => {
  assert.throws(() => median([]), RangeError);
  assert.throws(() => percentile([], 0.5), RangeError);
});

test("figure() says how far the rounds lie apart", () => {
  assert.deepEqual(figure([5, 2, 3]), { value: 3, min: 2, max: 5 });
});

test("ratio() compares pair by pair, so that a slow minute falls on both", () => {
  // Everything took ten times as long in the second round: medians alone would say 20 / 10.
  assert.deepEqual(ratio([4, 20, 2], [2, 10, 1]), { value: 2, min: 2, max: 2 });
  assert.throws(() => ratio([1, 2], [1]), RangeError);
});

test("rotated() lets each item come first once in as many rounds as there are items", () => {
  const items = ["a", "b", "c"];
  const orders = [0, 1, 2, 3].map((round) => rotated(items, round).join(""));
  assert.deepEqual(orders, ["abc", "bca", "cab", "abc"]);
  assert.deepEqual(rotated([], 5), []);
});
