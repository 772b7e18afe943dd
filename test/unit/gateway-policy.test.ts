import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { expose } from "../../src/mcp/name.ts";
import { isAllowed, type Rules } from "../../src/policy/allowlist.ts";
import { errorOf, openGateway } from "../support/gateway.ts";
import { wellBehaved } from "../support/pipe.ts";
import { settled } from "../support/settled.ts";

/** Two servers: of "a", `echo` is allowed and `secret` denied; of "b", nothing is allowed. */
async function ready() {
  const bench = openGateway({
    a: {},
    b: { rules: { allow: [], deny: [] } },
    c: {
      rules: { allow: ["get-*"], deny: ["*-env"] },
      behave: () => wellBehaved(["get-env", "get-x"]),
    },
  });
  await bench.gateway.start();
  return bench;
}

test("an allowed tool is called by its own name", async () => {
  const { callTool, received } = await ready();
  const events = callTool("a__echo", ',"arguments":{"n":1.0}');
  await settled();
  assert.deepEqual(events, ["accepted", 'result {"content":[{"type":"text","text":"echo"}]}']);
  assert.deepEqual(received(), [
    '{"jsonrpc":"2.0","id":3,"method":"tools/call","params":{"name":"echo","arguments":{"n":1.0}}}',
  ]);
});

const refused: Array<[why: string, name: string]> = [
  ["is denied", "a__secret"],
  ["does not exist", "a__nosuch"],
  ["belongs to a server without rules", "b__echo"],
  ["is denied by a pattern", "c__get-env"],
  ["is matched by no pattern", "c__set-x"],
  ["belongs to no server", "z__echo"],
  ["has no server's name", "echo"],
  ["has an empty server's name", "__echo"],
  ["has an empty tool's name", "a__"],
  ["is nothing", ""],
  ["is only the separator", "__"],
  ["has its server's name in capitals", "A__echo"],
  ["has its own name in capitals", "a__ECHO"],
  ["has a space in front", " a__echo"],
  ["has a space at its end", "a__echo "],
  ["has a line break at its end", "a__echo\n"],
  ["has a null character at its end", "a__echo\u0000"],
  ["has one underscore", "a_echo"],
  ["has three", "a___echo"],
  ["is qualified twice", "a__a__echo"],
  ["reaches for another server", "a__b__echo"],
  ["looks like another in Cyrillic", "а__echo"],
  ["is a path", "../a__echo"],
  ["is a pattern", "a__*"],
  ["is a pattern for one character", "a__ech?"],
  ["is a property of every object", "constructor__toString"],
  ["is the prototype", "__proto__"],
  ["is the prototype of a server", "a____proto__"],
  ["is in another Unicode form", "a__e\u0301cho"],
  ["is long", `a__${"x".repeat(100_000)}`],
];

for (const [why, name] of refused) {
  test(`a tool that ${why} is unknown, in the same words, and nothing reaches a server`, async () => {
    const { callTool, received } = await ready();
    const events = callTool(name, ',"arguments":{"canary":1}');
    await settled();
    const shown = name.replace(/[^\x20-\x7e]/g, "?");
    assert.deepEqual(errorOf(events), {
      code: -32602,
      message: `Unknown tool: ${shown.length > 128 ? `${shown.slice(0, 128)}…` : shown}`,
      data: { code: "unknown_tool" },
    });
    assert.equal(events.length, 1);
    assert.deepEqual(received(), []);
  });
}

test("a denied tool does not start its server", async () => {
  const { callTool, servers } = openGateway();
  const events = callTool("a__secret");
  await settled();
  assert.equal(errorOf(events).code, -32602);
  assert.equal(servers["a"]?.pipes.length, 0);
});

test("the name that counts is the one that reaches the server, however it is written", async () => {
  const { call, received } = await ready();
  const escaped = call({ params: '{"n\\u0061me":"a__\\u0065cho"}' });
  const twice = call({ params: '{"name":"a__echo","name":"a__secret"}' });
  const disguised = call({ params: '{"name":"a__echo","n\\u0061me":"a__secret"}' });
  const inside = call({ params: '{"arguments":{"name":"a__secret"},"name":"a__echo"}' });
  await settled();
  assert.equal(escaped.length, 2);
  for (const events of [twice, disguised]) {
    assert.equal(errorOf(events).data.code, "invalid_request");
  }
  assert.equal(inside.length, 2);
  assert.deepEqual(received().map((line) => /"params":(.*)\}$/.exec(line)?.[1]), [
    '{"name":"echo"}',
    '{"arguments":{"name":"a__secret"},"name":"echo"}',
  ]);
});

test("whatever the rules and the tools, exactly the allowed ones are offered and reached", async () => {
  // A name that leads out of a folder is no tool's (entry-fault.ts).
  const name = fc.stringMatching(/^[a-z_.-]{1,6}$/).filter((it) => it !== "..");
  const pattern = fc.stringMatching(/^[a-z*?_.-]{1,5}$/);
  const rules = fc.record({ allow: fc.array(pattern), deny: fc.array(pattern) });
  const tools = fc.uniqueArray(name, { maxLength: 6 });
  await fc.assert(
    fc.asyncProperty(tools, rules, async (names, given: Rules) => {
      const { gateway, callTool, received } = openGateway({
        s: { rules: given, behave: () => wellBehaved(names) },
      });
      await gateway.start();
      const allowed = names.filter((tool) => isAllowed(given, tool));
      const exposed = allowed.map((tool) => expose("s__", tool));
      assert.deepEqual(gateway.offer().servers[0]?.tools.map(({ key }) => key), exposed);
      for (const tool of names) callTool(expose("s__", tool));
      await settled();
      assert.equal(received().length, allowed.length);
    }),
    { numRuns: 50 },
  );
});
