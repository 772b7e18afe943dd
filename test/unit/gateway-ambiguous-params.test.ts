import assert from "node:assert/strict";
import { test } from "node:test";
import { errorOf } from "../support/gateway.ts";
import { openScripted, type ScriptedGateway } from "../support/scripted-gateway.ts";

/** A server with something denied of each kind. */
function open(): ScriptedGateway {
  const rules = { allow: ["*"], deny: ["*secret*"] };
  return openScripted({
    a: {
      prefix: "",
      rules: { tools: rules, prompts: rules, resources: rules },
      tools: ["echo", "secret"],
      prompts: ["greet", "secret"],
      resources: ["file:///x", "file:///secret"],
      resourceTemplates: ["file:///{x}", "file:///secret/{x}"],
    },
  });
}

const twins: Array<[method: string, params: string]> = [
  ["tools/call", '{"name":"echo","Name":"secret"}'],
  ["tools/call", '{"NAME":"secret","name":"echo"}'],
  ["tools/call", '{"name":"echo","n\\u0041me":"secret"}'],
  ["tools/call", '{"name":"echo","arguments":{},"argument\u017f":{"x":1}}'],
  ["prompts/get", '{"name":"greet","Name":"secret"}'],
  ["resources/read", '{"uri":"file:///x","URI":"file:///secret"}'],
  ["completion/complete", '{"ref":{"type":"ref/prompt","name":"greet","Name":"secret"}}'],
  [
    "completion/complete",
    '{"ref":{"type":"ref/prompt","name":"greet"},"Ref":{"type":"ref/prompt","name":"secret"}}',
  ],
  [
    "completion/complete",
    '{"ref":{"type":"ref/resource","uri":"file:///{x}","Uri":"file:///secret/{x}"}}',
  ],
];

for (const [method, params] of twins) {
  test(`${method} with ${params} is refused: some servers do not tell such names apart`, async () => {
    const { ask, server } = open();
    const events = await ask(method, params);
    assert.equal(errorOf(events).data.code, "invalid_params");
    assert.match(errorOf(events).message, /differ only in case/);
    assert.equal(server("a").exchanges.length, 0);
  });
}

test("arguments are the tool's own, and may differ in case", async () => {
  const { ask, server } = open();
  await ask("tools/call", '{"name":"echo","arguments":{"a":1,"A":2}}');
  assert.equal(server("a").last.params, '{"name":"echo","arguments":{"a":1,"A":2}}');
});

test("a text for completion that is no URI of anybody costs nothing to refuse", async () => {
  const { ask } = openScripted({
    a: { cold: true, rules: { resources: { allow: [`*${"a".repeat(120)}b`], deny: [] } } },
  });
  const started = performance.now();
  const uri = `file:///${"a".repeat(2_000_000)}`;
  const events = await ask("completion/complete", { ref: { type: "ref/resource", uri } });
  assert.equal(errorOf(events).data.code, "unknown_resource");
  assert.ok(performance.now() - started < 1_000);
});
