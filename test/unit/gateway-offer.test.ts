import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { decodeOffer, encodeOffer, unlistedServer } from "../../src/mcp/offer.ts";
import { DENY_ALL, type ServerRules } from "../../src/policy/allowlist.ts";
import { openGateway } from "../support/gateway.ts";
import { openScripted, type Script } from "../support/scripted-gateway.ts";
import { type Behaviour, wellBehaved } from "../support/pipe.ts";

/** A server that lists these raw tools. */
function listing(...raw: readonly string[]): () => Behaviour {
  return () =>
    wellBehaved([], {
      "tools/list": ({ id }, pipe) =>
        pipe.say(`{"jsonrpc":"2.0","id":${id},"result":{"tools":[${raw.join(",")}]}}`),
    });
}

test("the offer has the servers in the order of the config, and their tools in their own", async () => {
  const { gateway } = openGateway({
    zebra: { behave: () => wellBehaved(["z", "a", "m"]) },
    ant: { behave: () => wellBehaved(["b"]) },
  });
  await gateway.start();
  assert.deepEqual(
    gateway.offer().servers.map(({ name, tools }) => [name, ...tools.map(({ key }) => key)]),
    [["zebra", "zebra__z", "zebra__a", "zebra__m"], ["ant", "ant__b"]],
  );
});

test("a server that has not started yet is offered without tools, as not listed", () => {
  const { gateway } = openGateway();
  assert.deepEqual(gateway.offer(), { servers: [unlistedServer("a", "a__")] });
});

test("one that has failed does not keep the others from being offered", async () => {
  const { gateway } = openGateway({
    a: { behave: () => (_, pipe) => pipe.end({ code: 1 }) },
    b: {},
  });
  await gateway.start();
  assert.deepEqual(gateway.offer().servers.map(({ listed }) => listed), [false, true]);
});

test("denied tools are not offered", async () => {
  const { gateway } = openGateway({ a: { rules: { allow: ["e*"], deny: ["echo"] } } });
  await gateway.start();
  assert.deepEqual(gateway.offer().servers, [{ ...unlistedServer("a", "a__"), listed: true }]);
});

test("a tool is offered byte for byte, but for its name", async () => {
  const { gateway } = openGateway({
    a: {
      behave: listing(
        '{ "title":"E" , "name" : "ech\\u006f", "inputSchema":{ "type":"object","n":1.0 },"x":"\\u0041" }',
      ),
    },
  });
  await gateway.start();
  assert.deepEqual(gateway.offer().servers[0]?.tools, [{
    key: "a__echo",
    raw: '{"title":"E","name":"a__echo","inputSchema":{ "type":"object","n":1.0 },"x":"\\u0041"}',
  }]);
});

test("a worker reads from the offer what the servers have listed, whatever they list", async () => {
  const extra = fc.dictionary(fc.string(), fc.jsonValue({ maxDepth: 8 }));
  await fc.assert(
    fc.asyncProperty(fc.array(extra, { maxLength: 4 }), async (extras) => {
      const tools = extras.map((members, n) => ({ ...members, name: `t${n}`, inputSchema: {} }));
      const { gateway } = openGateway({
        a: { behave: listing(...tools.map((tool) => JSON.stringify(tool))) },
      });
      await gateway.start();
      const offer = gateway.offer();
      assert.deepEqual(decodeOffer(encodeOffer(offer)), offer);
      assert.deepEqual(
        offer.servers[0]?.tools.map(({ raw }) => JSON.parse(raw) as unknown),
        tools.map((tool): unknown =>
          JSON.parse(JSON.stringify({ ...tool, name: `a__${tool.name}` }))
        ),
      );
    }),
    { numRuns: 50 },
  );
});

test("no list of a server makes an offer that a worker refuses as a whole", async () => {
  const nested = (levels: number): string => `${"[".repeat(levels)}${"]".repeat(levels)}`;
  const { gateway } = openGateway({
    a: {
      behave: listing(
        `{"name":"deep","inputSchema":{"a":${nested(505)}}}`,
        '{"name":"twice","inputSchema":{},"inputSchema":{}}',
        `{"name":"long${"x".repeat(10_000)}","inputSchema":{}}`,
        '{"name":"good","inputSchema":{}}',
      ),
    },
  });
  await gateway.start();
  const { servers } = decodeOffer(encodeOffer(gateway.offer()));
  assert.ok(servers[0]?.tools.some(({ key }) => key === "a__good"));
  assert.ok(!servers[0]?.tools.some(({ key }) => key === "a__deep"));
});

test("prompts, resources, templates and instructions are offered where they are allowed", () => {
  const script: Script = {
    prompts: ["greet", "hidden"],
    resources: ["file:///x", "file:///secret"],
    resourceTemplates: ["file:///{name}", "other:///{name}"],
    instructions: "Be brief",
  };
  const rules: ServerRules = {
    tools: DENY_ALL,
    prompts: { allow: ["*"], deny: ["hidden"] },
    resources: { allow: ["file:///*"], deny: ["file:///secret"] },
  };
  const { gateway } = openScripted({ a: { ...script, rules } });
  assert.deepEqual(gateway.offer().servers, [{
    name: "a",
    prefix: "a__",
    listed: true,
    reads: true,
    instructions: "Be brief",
    tools: [],
    prompts: [{ key: "a__greet", raw: '{"name":"a__greet"}' }],
    resources: [{ key: "file:///x", raw: '{"uri":"file:///x"}' }],
    resourceTemplates: [{ key: "file:///{name}", raw: '{"uriTemplate":"file:///{name}"}' }],
  }]);
});

test("a server of which no resource is allowed reads nothing, as far as clients know", () => {
  const rules = { resources: DENY_ALL };
  const { gateway } = openScripted({ a: { resources: ["file:///x"], reads: true, rules } });
  const [server] = gateway.offer().servers;
  assert.deepEqual([server?.reads, server?.resources], [false, []]);
});

test("what a server lists and nobody can use is explained", () => {
  const broken = [{ list: "tools", key: "x", why: "has no inputSchema" }] as const;
  const { gateway } = openScripted({ a: { tools: ["echo"], broken } });
  const [problem] = gateway.problems("a");
  assert.deepEqual([problem?.kind, problem?.key, problem?.why], [
    "broken",
    "x",
    "has no inputSchema",
  ]);
  assert.deepEqual(gateway.problems("nosuch"), []);
});
