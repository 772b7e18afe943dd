import assert from "node:assert/strict";
import { test } from "node:test";
import { ALL_AUTO, NO_TASKS, taskPolicy } from "../../runner/task/policy.ts";

test("no tool makes tasks unless the config says so", () => {
  assert.equal(taskPolicy(NO_TASKS, "render"), "never");
});

test("`tasks: auto` is for every tool", () => {
  assert.equal(taskPolicy(ALL_AUTO, "render"), "auto");
});

test("patterns say which tools make tasks, and required goes before auto", () => {
  const rules = { auto: ["render-*", "export"], required: ["render-film"] };
  assert.equal(taskPolicy(rules, "render-film"), "required");
  assert.equal(taskPolicy(rules, "render-still"), "auto");
  assert.equal(taskPolicy(rules, "greet"), "never");
});
