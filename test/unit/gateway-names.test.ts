import assert from "node:assert/strict";
import { test } from "node:test";
import { GatewayError } from "../../src/errors.ts";
import { expose } from "../../src/mcp/name.ts";
import { DENY_ALL } from "../../src/policy/allowlist.ts";
import { errorOf } from "../support/gateway.ts";
import { openScripted } from "../support/scripted-gateway.ts";

/** What each server offers of a list. */
function offered(
  { gateway }: ReturnType<typeof openScripted>,
  list: "tools" | "prompts",
): readonly (readonly string[])[] {
  return gateway.offer().servers.map((server) => server[list].map(({ key }) => key));
}

test("tools and prompts are seen under the server's prefix, and reached under their own names", async () => {
  const bench = openScripted({
    a: { tools: ["echo"], prompts: ["greet"] },
    b: { prefix: "", tools: ["add"] },
    c: { prefix: "see__", prompts: ["greet"] },
  });
  assert.deepEqual(offered(bench, "tools"), [["a__echo"], ["add"], []]);
  assert.deepEqual(offered(bench, "prompts"), [["a__greet"], [], ["see__greet"]]);
  await bench.ask("tools/call", { name: "a__echo", arguments: { n: 1 } });
  await bench.ask("tools/call", { name: "add" });
  await bench.ask("prompts/get", { name: "see__greet" });
  assert.equal(bench.server("a").last.params, '{"name":"echo","arguments":{"n":1}}');
  assert.equal(bench.server("b").last.params, '{"name":"add"}');
  assert.equal(bench.server("c").last.params, '{"name":"greet"}');
  assert.equal(bench.server("c").last.exchange.method, "prompts/get");
});

test("a tool and a prompt may have the same name; each is found by its own method", async () => {
  const bench = openScripted({ a: { tools: ["x"], prompts: ["y"] } });
  const events = await bench.ask("prompts/get", { name: "a__x" });
  assert.equal(errorOf(events).message, "Unknown prompt: a__x");
  assert.equal(bench.server("a").exchanges.length, 0);
});

test("of two entries with one name the first server's is offered and reached, and the other explained", async () => {
  const bench = openScripted({
    first: { prefix: "", tools: ["echo", "one"] },
    second: { prefix: "", tools: ["echo", "two"] },
  });
  assert.deepEqual(offered(bench, "tools"), [["echo", "one"], ["two"]]);
  await bench.ask("tools/call", { name: "echo" });
  assert.equal(bench.server("first").exchanges.length, 1);
  assert.equal(bench.server("second").exchanges.length, 0);
  assert.deepEqual(bench.gateway.problems("first"), []);
  assert.deepEqual(
    bench.gateway.problems("second").map(({ kind, key, why }) => [kind, key, why]),
    [["collision", "echo", 'has the name "echo" of "first"']],
  );
});

test("a denied entry takes no name from another server", () => {
  const bench = openScripted({
    first: { prefix: "", tools: ["echo"], rules: { tools: DENY_ALL } },
    second: { prefix: "", tools: ["echo"] },
  });
  assert.deepEqual(offered(bench, "tools"), [[], ["echo"]]);
  assert.deepEqual(bench.gateway.problems("second"), []);
});

test("a name that is too long is shortened, reached, and explained", async () => {
  const long = "x".repeat(100);
  const bench = openScripted({ a: { tools: [long] } });
  const exposed = expose("a__", long);
  assert.equal(exposed.length, 64);
  assert.deepEqual(offered(bench, "tools"), [[exposed]]);
  await bench.ask("tools/call", { name: exposed });
  assert.equal(bench.server("a").last.params, `{"name":"${long}"}`);
  const [problem] = bench.gateway.problems("a");
  assert.deepEqual([problem?.kind, problem?.key, problem?.exposed], ["shortened", long, exposed]);
  const whole = await bench.ask("tools/call", { name: `a__${long}` });
  assert.equal(errorOf(whole).data.code, "unknown_tool");
});

test("a server that is not known yet is started for a name that may be its own", async () => {
  const long = "x".repeat(100);
  const bench = openScripted({ a: { cold: true, tools: ["echo", long] }, b: { cold: true } });
  await bench.ask("tools/call", { name: "a__echo" });
  assert.deepEqual([bench.server("a").starts, bench.server("b").starts], [1, 0]);
  assert.equal(bench.server("a").exchanges.length, 1);
});

test("so it is for a name that was shortened", async () => {
  const long = "x".repeat(100);
  const bench = openScripted({
    a: { cold: true, tools: [long], rules: { tools: { allow: ["xxx*"], deny: [] } } },
  });
  await bench.ask("tools/call", { name: expose("a__", long) });
  assert.equal(bench.server("a").exchanges.length, 1);
});

test("it is not started for what is denied, nor for another server's name", async () => {
  const rules = { tools: { allow: ["*"], deny: ["secret"] }, prompts: DENY_ALL };
  const bench = openScripted({ a: { cold: true, tools: ["echo"], rules } });
  for (
    const [method, name] of [
      ["tools/call", "a__secret"],
      ["tools/call", "b__echo"],
      ["prompts/get", "a__greet"],
    ] as const
  ) {
    const events = await bench.ask(method, { name });
    assert.equal(errorOf(events).data.code, "unknown_tool");
  }
  assert.equal(bench.server("a").starts, 0);
});

test("why a server cannot be started is the answer to calls of its names alone", async () => {
  const cold = new GatewayError("server_failed", "Cannot start server: broken");
  const bench = openScripted({ a: { cold }, b: { tools: ["echo"] } });
  const failed = await bench.ask("tools/call", { name: "a__echo" });
  const fine = await bench.ask("tools/call", { name: "b__nosuch" });
  assert.equal(errorOf(failed).data.code, "server_failed");
  assert.equal(errorOf(fine).data.code, "unknown_tool");
});

test("lists that have changed count from the next call on", async () => {
  const bench = openScripted({ a: { tools: ["old"] } });
  assert.deepEqual(offered(bench, "tools"), [["a__old"]]);
  bench.server("a").relist({ tools: ["new"] });
  assert.deepEqual(offered(bench, "tools"), [["a__new"]]);
  assert.equal(
    errorOf(await bench.ask("tools/call", { name: "a__old" })).data.code,
    "unknown_tool",
  );
  await bench.ask("tools/call", { name: "a__new" });
  assert.equal(bench.server("a").last.params, '{"name":"new"}');
});

test("completion is for what its reference may be used for, under the server's own names", async () => {
  const bench = openScripted({
    a: { prompts: ["greet", "hidden"], rules: { prompts: { allow: ["greet"], deny: [] } } },
  });
  const argument = { name: "who", value: "a" };
  const ref = (name: string) => ({ argument, ref: { type: "ref/prompt", name } });
  await bench.ask("completion/complete", ref("a__greet"));
  assert.deepEqual(JSON.parse(bench.server("a").last.params), ref("greet"));
  for (const name of ["a__hidden", "a__nosuch"]) {
    const events = await bench.ask("completion/complete", ref(name));
    assert.equal(errorOf(events).message, `Unknown prompt: ${name}`);
  }
  const wrong = await bench.ask("completion/complete", { argument, ref: { type: "ref/tool" } });
  assert.equal(errorOf(wrong).data.code, "invalid_params");
  assert.equal(bench.server("a").exchanges.length, 1);
});
