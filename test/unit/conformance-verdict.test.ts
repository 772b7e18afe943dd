import assert from "node:assert/strict";
import { test } from "node:test";
import { type Check, parseChecks, type Results } from "../conformance/results.ts";
import { judge, NOT_RUN, NOTHING_HELD } from "../conformance/verdict.ts";

/** Results of scenarios, each with the statuses of its checks `a`, `b` and so on. */
function ran(scenarios: Readonly<Record<string, readonly Check["status"][]>>): Results {
  return new Map(
    Object.entries(scenarios).map(([name, statuses]) => [
      name,
      statuses.map((status, index) => ({ id: "abc"[index] ?? "z", status })),
    ]),
  );
}

function listed(scenario: string, ...checks: readonly string[]) {
  return new Map([[scenario, new Set(checks)]]);
}

test("scenarios of which everything held pass, whatever else they tell", () => {
  const results = ran({ ping: ["SUCCESS", "INFO"], caching: ["SUCCESS", "SUCCESS"] });
  assert.deepEqual(judge(results, { scenarios: ["ping", "caching"] }), {
    ok: true,
    passed: 2,
    required: 2,
    checks: { passed: 3, failed: 0 },
    faults: [],
  });
});

for (const status of ["FAILURE", "WARNING", "SKIPPED"] as const) {
  test(`a ${status} that nobody expects is a regression`, () => {
    const verdict = judge(ran({ ping: ["SUCCESS", status] }), { scenarios: ["ping"] });
    assert.equal(verdict.ok, false);
    assert.equal(verdict.passed, 0);
    assert.deepEqual(verdict.checks, { passed: 1, failed: 1 });
    assert.deepEqual(verdict.faults, [`ping: b: ${status}`]);
  });

  test(`a ${status} that is listed is no fault, and no pass`, () => {
    const results = ran({ ping: ["SUCCESS", status], caching: ["SUCCESS"] });
    const rules = { scenarios: ["ping", "caching"], expected: listed("ping", "b") };
    const { ok, passed, required } = judge(results, rules);
    assert.deepEqual({ ok, passed, required }, { ok: true, passed: 1, required: 1 });
  });
}

test("a listed check that holds must be taken off the list", () => {
  const rules = { scenarios: ["ping"], expected: listed("ping", "a") };
  const verdict = judge(ran({ ping: ["SUCCESS"] }), rules);
  assert.equal(verdict.ok, false);
  assert.match(verdict.faults.join(), /ping: a: holds now/);
});

test("a scenario that is listed for one check may not fail another", () => {
  const rules = { scenarios: ["ping"], expected: listed("ping", "a") };
  const verdict = judge(ran({ ping: ["FAILURE", "FAILURE"] }), rules);
  assert.deepEqual(verdict.faults, ["ping: b: FAILURE"]);
});

test("a scenario that did not run is a fault", () => {
  const verdict = judge(ran({ ping: ["SUCCESS"] }), { scenarios: ["ping", "caching"] });
  assert.equal(verdict.ok, false);
  assert.equal(verdict.passed, 1);
  assert.match(verdict.faults.join(), new RegExp(`caching: ${NOT_RUN}`));
});

test("a suite that wrote nothing fails in every scenario", () => {
  const verdict = judge(new Map(), { scenarios: ["ping", "caching"] });
  assert.equal(verdict.ok, false);
  assert.equal(verdict.passed, 0);
  assert.equal(verdict.faults.length, 2);
});

test("a scenario that checked nothing does not pass", () => {
  for (const results of [ran({ ping: [] }), ran({ ping: ["INFO"] })]) {
    const verdict = judge(results, { scenarios: ["ping"] });
    assert.equal(verdict.passed, 0);
    assert.match(verdict.faults.join(), new RegExp(`ping: ${NOTHING_HELD}`));
  }
});

test("a set without scenarios is refused, as it would pass", () => {
  assert.throws(() => judge(new Map(), { scenarios: [] }), RangeError);
});

test("a scenario that does not belong to the set is a fault, run or listed", () => {
  const scenarios = ["ping"];
  const run = judge(ran({ ping: ["SUCCESS"], "brand-new": ["SUCCESS"] }), { scenarios });
  assert.match(run.faults.join(), /brand-new: is no scenario/);
  const expected = listed("renamed", "a");
  const named = judge(ran({ ping: ["SUCCESS"] }), { scenarios, expected });
  assert.match(named.faults.join(), /renamed: is no scenario/);
});

test("a check that ran twice and failed once has failed", () => {
  const results = new Map([[
    "ping",
    parseChecks(
      '[{"id":"a","status":"FAILURE","errorMessage":"no\\n  answer"},{"id":"a","status":"SUCCESS"}]',
    ),
  ]]);
  assert.deepEqual(judge(results, { scenarios: ["ping"] }).faults, ["ping: a: FAILURE no answer"]);
});
