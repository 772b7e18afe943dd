import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { errorOf, openGateway } from "../support/gateway.ts";
import { settled } from "../support/settled.ts";

const methods = [
  "tools/list",
  "initialize",
  "prompts/list",
  "resources/templates/list",
  "resources/subscribe",
  "logging/setLevel",
  "tasks/list",
  "TOOLS/CALL",
  "tools/call ",
  "notifications/cancelled",
  "constructor",
  "",
];

for (const method of methods) {
  test(`the method "${method}" does not exist, and reaches no server`, async () => {
    const { gateway, call, received } = openGateway();
    await gateway.start();
    const events = call({ method, params: '{"name":"a__echo"}' });
    await settled();
    const { code, data } = errorOf(events);
    assert.deepEqual([code, data.code], [-32601, "unknown_method"]);
    assert.match(events[0] ?? "", / 404$/);
    assert.deepEqual(received(), []);
  });
}

test("ping is answered by the gateway itself, also when its servers are down", () => {
  const { call, servers } = openGateway();
  assert.deepEqual(call({ method: "ping", params: "nonsense" }), ["result {}"]);
  assert.equal(servers["a"]?.pipes.length, 0);
});

const deep = (levels: number): string => "[".repeat(levels) + "]".repeat(levels);

const broken: Array<[why: string, params: string, code: string]> = [
  ["are absent", "", "invalid_params"],
  ["are null", "null", "invalid_params"],
  ["are a list", '["a__echo"]', "invalid_params"],
  ["are text", '"a__echo"', "invalid_params"],
  ["have no name", '{"arguments":{}}', "invalid_params"],
  ["have a name that is a number", '{"name":7}', "invalid_params"],
  ["have a name that is a list", '{"name":["a__echo"]}', "invalid_params"],
  ["are no JSON", '{"name":"a__echo"', "malformed_json"],
  ["have text after them", '{"name":"a__echo"}}', "malformed_json"],
  ["have a raw line break in a string", '{"name":"a__echo","x":"\n"}', "malformed_json"],
  ["are two texts", '{"name":"a__echo"}\n{"name":"a__secret"}', "malformed_json"],
  ["are too deep", `{"name":"a__echo","arguments":${deep(600)}}`, "too_deep"],
  ["are far too deep", `{"name":"a__echo","arguments":${deep(1_000_000)}}`, "too_deep"],
  [
    "have more arguments than anybody reads",
    `{"name":"a__echo","arguments":{${
      Array.from({ length: 100_001 }, (_, n) => `"${n}":0`).join()
    }}}`,
    "invalid_request",
  ],
  ["have a key twice in _meta", '{"name":"a__echo","_meta":{"a":1,"a":2}}', "invalid_request"],
];

for (const [why, params, code] of broken) {
  test(`params that ${why} are refused, and reach no server`, async () => {
    const { gateway, call, received } = openGateway();
    await gateway.start();
    const events = call({ params });
    await settled();
    assert.equal(errorOf(events).data.code, code);
    assert.equal(events.length, 1);
    assert.deepEqual(received(), []);
  });
}

test("params on several lines reach the server as one line, with the same meaning", async () => {
  const { gateway, call, received } = openGateway();
  await gateway.start();
  const params = { name: "a__echo", arguments: { text: "one\ntwo\r\nthree", n: [1, 2] } };
  const events = call({ params: JSON.stringify(params, null, 2).replaceAll("\n", "\r\n") });
  await settled();
  assert.equal(events.length, 2);
  const [line = ""] = received();
  assert.doesNotMatch(line, /[\r\n]/);
  const sent = JSON.parse(line) as { readonly params: unknown };
  assert.deepEqual(sent.params, { ...params, name: "echo" });
});

test("no text of params makes the gateway fail in an undescribed way", async () => {
  const text = fc.oneof(
    fc.string({ unit: "binary" }),
    fc.json(),
    fc.record({ name: fc.constantFrom("a__echo", "a__secret", 1), _meta: fc.jsonValue() })
      .map((value) => JSON.stringify(value)),
  );
  await fc.assert(
    fc.asyncProperty(text, async (params) => {
      const { gateway, call, log } = openGateway();
      await gateway.start();
      const events = call({ params });
      await settled();
      assert.match(events.at(-1) ?? "", /^(result|error) /);
      assert.deepEqual(log, []);
    }),
    { numRuns: 100 },
  );
});
