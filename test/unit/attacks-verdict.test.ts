import assert from "node:assert/strict";
import { test } from "node:test";
import { report, table } from "../attacks/report.ts";
import {
  blocked,
  both,
  contained,
  failed,
  judgeControl,
  REFUSALS,
  UNREACHABLE,
} from "../attacks/verdict.ts";

const refused = { what: "mount a tmpfs", got: "EPERM" };
const figure = { what: "memory", value: 64, unit: "MiB", bound: 64 };

/** So many calls of one millisecond, and one of `slowest`. */
const calls = (slowest: number, failures: readonly string[] = []) => ({
  ms: [...Array.from({ length: 99 }, () => 1), slowest, slowest],
  failures,
});

test("an attack is blocked when each attempt met a refusal that is known", () => {
  const found = blocked([refused, refused, { what: "write", got: "EROFS" }], REFUSALS);
  assert.deepEqual(found, { outcome: "blocked", evidence: "EPERM ×2, EROFS", figures: [] });
});

const successes: readonly (readonly [why: string, got: string])[] = [
  ["worked", "done"],
  ["met an answer that nobody has looked at", "EINVAL"],
  ["could not be carried out", "mounts is broken: Error: spawn perl ENOENT"],
];
for (const [why, got] of successes) {
  test(`an attack has FAILED to be blocked when one attempt ${why}`, () => {
    const found = blocked([refused, { what: "the other", got }], REFUSALS);
    assert.equal(found.outcome, "FAILED");
    assert.ok(found.evidence.includes(`the other: ${got}`));
  });
}

test("an attack that tried nothing was not blocked", () => {
  assert.equal(blocked([], REFUSALS).outcome, "FAILED");
});

test("a refused connection means that somebody was reached", () => {
  assert.equal(blocked([{ what: "host", got: "ECONNREFUSED" }], UNREACHABLE).outcome, "FAILED");
  assert.equal(blocked([{ what: "host", got: "ENETUNREACH" }], UNREACHABLE).outcome, "blocked");
});

test("an attack is contained up to its bound, and not beyond, nor when nothing was measured", () => {
  assert.equal(contained("held", [figure]).outcome, "contained");
  assert.equal(contained("held", [{ ...figure, value: 64.1 }]).outcome, "FAILED");
  assert.equal(contained("held", [{ ...figure, value: Number.NaN }]).outcome, "FAILED");
});

test("of two findings both must hold", () => {
  const [held, lost] = [blocked([refused], REFUSALS), failed("it got out")];
  assert.equal(both(held, held).outcome, "blocked");
  assert.equal(both(held, lost).outcome, "FAILED");
  assert.equal(both(lost, held).evidence, "it got out");
});

test("the control server may be twice as slow as idle at p99, and no call may be lost", () => {
  assert.deepEqual(judgeControl(calls(5), calls(10)), {
    ok: true,
    p99Ms: 10,
    boundMs: 10,
    calls: 101,
  });
  assert.equal(judgeControl(calls(5), calls(10.1)).ok, false);
  assert.equal(judgeControl(calls(5), calls(1, ["server_crashed"])).ok, false);
  assert.equal(judgeControl(calls(5), { ms: [], failures: [] }).ok, false);
});

test("a report is not ok when the attack worked, or when the control server was too slow", () => {
  const control = judgeControl(calls(5), calls(6));
  const finding = blocked([refused], REFUSALS);
  const result = { name: "mounts", finding, control, repeated: false, seconds: 1 };
  assert.equal(report(result).ok, true);
  assert.equal(report({ ...result, finding: failed("it got out") }).ok, false);
  assert.equal(report({ ...result, control: { ...control, ok: false } }).ok, false);
  assert.equal(report({ ...result, control: undefined }).ok, false);
  assert.match(table([report(result)]).join("\n"), /ok +mounts +blocked +6 of 10 ms +EPERM/);
});
