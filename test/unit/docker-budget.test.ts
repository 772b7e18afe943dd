import assert from "node:assert/strict";
import { test } from "node:test";
import { ByteBudget } from "../../runner/docker/budget.ts";

test("ByteBudget lets its bytes pass in each second, and says once when they are used up", () => {
  let now = 5_000;
  const budget = new ByteBudget(100, () => now);
  const takes = (...bytes: number[]) => bytes.map((count) => budget.take(count));
  assert.deepEqual(takes(60, 40), ["pass", "pass"]);
  now += 999;
  assert.deepEqual(takes(1, 1), ["full", "drop"]);
  now += 1;
  assert.deepEqual(takes(60, 41, 1), ["pass", "full", "drop"]);
  now += 60_000;
  assert.deepEqual(takes(100), ["pass"]);
});
