import assert from "node:assert/strict";
import { test } from "node:test";
import type { Exchange } from "../../runner/server/exchange.ts";
import { readParams, toLegacyParams, toModernParams } from "../../runner/server/params.ts";
import { traceOf } from "../../runner/server/trace-context.ts";

const ID = "4bf92f3577b34da6a3ce929d0e0e4736";
const SPAN = "00f067aa0ba902b7";
const NEW = /^00-[0-9a-f]{32}-[0-9a-f]{16}-03$/;

/** The trace of a call with this `_meta`. */
function trace(meta: Readonly<Record<string, unknown>> | undefined) {
  return traceOf(readParams(JSON.stringify({ name: "echo", _meta: meta })));
}

test("a call with a trace goes on in it, under a span of ours", () => {
  const { id, traceparent, continued } = trace({ traceparent: `00-${ID}-${SPAN}-01` });
  assert.equal(id, ID);
  assert.equal(continued, true);
  assert.match(traceparent, new RegExp(`^00-${ID}-[0-9a-f]{16}-01$`));
  assert.ok(!traceparent.includes(SPAN));
});

const flags: Array<[given: string, expected: string]> = [
  ["00", "00"],
  ["01", "01"],
  ["02", "02"],
  ["03", "03"],
  ["ff", "03"],
  ["f8", "00"],
];

for (const [given, expected] of flags) {
  test(`of the flags ${given} those are passed on whose meaning is known`, () => {
    const { traceparent } = trace({ traceparent: `00-${ID}-${SPAN}-${given}` });
    assert.equal(traceparent.slice(-2), expected);
  });
}

test("a later version is read as far as it is known, and answered in ours", () => {
  for (const more of ["", "-later"]) {
    const { traceparent } = trace({ traceparent: `cc-${ID}-${SPAN}-01${more}` });
    assert.match(traceparent, new RegExp(`^00-${ID}-[0-9a-f]{16}-01$`));
  }
});

const invalid: Array<[why: string, traceparent: unknown]> = [
  ["there is none", undefined],
  ["it is no string", 5],
  ["it is empty", ""],
  ["the trace id is all zeros", `00-${"0".repeat(32)}-${SPAN}-01`],
  ["the span id is all zeros", `00-${ID}-${"0".repeat(16)}-01`],
  ["it is in upper case", `00-${ID.toUpperCase()}-${SPAN}-01`],
  ["the version is ff", `ff-${ID}-${SPAN}-01`],
  ["version 00 has more than it may", `00-${ID}-${SPAN}-01-x`],
  ["an id is too short", `00-${ID.slice(1)}-${SPAN}-01`],
  ["something stands before it", ` 00-${ID}-${SPAN}-01`],
];

for (const [why, traceparent] of invalid) {
  test(`a new trace begins when ${why}`, () => {
    const begun = trace({ traceparent });
    assert.equal(begun.continued, false);
    assert.match(begun.traceparent, NEW);
    assert.equal(begun.traceparent.slice(3, 35), begun.id);
    assert.notEqual(begun.id, ID);
  });
}

test("no two calls have the same trace or span", () => {
  const traces = Array.from({ length: 1_000 }, () => trace(undefined));
  assert.equal(new Set(traces.map(({ id }) => id)).size, 1_000);
  assert.equal(new Set(traces.map(({ traceparent }) => traceparent.slice(36, 52))).size, 1_000);
});

/** What servers of both eras get in `_meta` for a call with this one. */
function served(
  meta: Readonly<Record<string, unknown>> | undefined,
): readonly Record<string, unknown>[] {
  const params = readParams(JSON.stringify({ _meta: meta, name: "echo" }));
  const exchange: Exchange = {
    method: "tools/call",
    params,
    caller: { client: "c", protocolVersion: "2026-07-28", capabilities: {} },
    trace: traceOf(params),
  };
  return [toLegacyParams(params, 7, traceOf(params)), toModernParams(exchange, 7)].map((text) =>
    (JSON.parse(text) as { _meta: Record<string, unknown> })._meta
  );
}

test("servers of both eras get the trace, whether the call had a _meta or not", () => {
  for (const meta of [undefined, {}, { progressToken: 1 }, { "x.test/k": 1 }]) {
    for (const got of served(meta)) assert.match(String(got["traceparent"]), NEW);
  }
});

test("tracestate goes on with the trace that it belongs to, and baggage always", () => {
  const passed = { tracestate: "a=1,b=2", baggage: "user=ada" };
  for (const got of served({ traceparent: `00-${ID}-${SPAN}-01`, ...passed })) {
    assert.equal(got["tracestate"], "a=1,b=2");
    assert.equal(got["baggage"], "user=ada");
  }
  for (const got of served({ traceparent: "nonsense", ...passed })) {
    assert.equal("tracestate" in got, false);
    assert.equal(got["baggage"], "user=ada");
  }
});

test("tracestate and baggage that are too long or no strings stay behind", () => {
  const traceparent = `00-${ID}-${SPAN}-01`;
  for (const value of ["x".repeat(9_000), { a: 1 }, 5, null]) {
    for (const got of served({ traceparent, tracestate: value, baggage: value })) {
      assert.equal("tracestate" in got, false);
      assert.equal("baggage" in got, false);
    }
  }
});

test("a legacy server gets the arguments as they are, in front of the trace", () => {
  const text = ' { "name" : "echo" , "arguments":{ "n": 1.0 } } ';
  const params = readParams(text);
  const { traceparent } = traceOf(params);
  assert.equal(
    toLegacyParams(params, 7, { id: "", traceparent, continued: false }),
    ` { "name" : "echo" , "arguments":{ "n": 1.0 } ,"_meta":{"traceparent":"${traceparent}"}}`,
  );
  assert.equal(
    toLegacyParams(readParams("{}"), 7, { id: "", traceparent: "x", continued: false }),
    '{"_meta":{"traceparent":"x"}}',
  );
});
