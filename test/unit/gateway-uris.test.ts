import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { readRewritten, rewriteUri } from "../../runner/gateway/rewritten-uri.ts";
import { DENY_ALL } from "../../src/policy/allowlist.ts";
import { errorOf } from "../support/gateway.ts";
import { openScripted, type ScriptedGateway } from "../support/scripted-gateway.ts";

const NOT_FOUND = '{"code":-32602,"message":"Resource not found","data":{"uri":"x"}}';

/** Two servers with one URI and one template between them. */
function colliding(): ScriptedGateway {
  return openScripted({
    a: { resources: ["file:///x", "ui://page"], resourceTemplates: ["note:///{id}"] },
    b: {
      resources: ["file:///x", "file:///y", "ui://page"],
      resourceTemplates: ["note:///{id}", "log:///{day}"],
      tools: [{
        name: "show",
        _meta: { ui: { resourceUri: "ui://page" }, "ui/resourceUri": "ui://page" },
      }],
      prompts: ["sum"],
    },
  });
}

test("URIs stay as they are, and are read at the server that lists them", async () => {
  const bench = openScripted({ a: { resources: ["file:///x"] }, b: { resources: ["file:///y"] } });
  const events = await bench.ask("resources/read", { uri: "file:///y" });
  assert.equal(bench.server("b").last.params, '{"uri":"file:///y"}');
  bench.server("b").last.result('{ "contents":[{"uri":"file:///y","text":"1.0"}] }');
  assert.match(events[1] ?? "", /"contents":\[\{"uri":"file:\/\/\/y","text":"1\.0"\}\] \}$/);
  assert.deepEqual(bench.gateway.problems("b"), []);
});

test("of a URI that two servers have, the later one's is offered in another form, with the reason", () => {
  const bench = colliding();
  const [a, b] = bench.gateway.offer().servers;
  assert.deepEqual(a?.resources.map(({ key }) => key), ["file:///x", "ui://page"]);
  assert.deepEqual(b?.resources.map(({ key, raw }) => [key, raw]), [
    ["mcpr.b+file:///x", '{"uri":"mcpr.b+file:///x"}'],
    ["file:///y", '{"uri":"file:///y"}'],
    ["ui://mcpr.b/page", '{"uri":"ui://mcpr.b/page"}'],
  ]);
  assert.deepEqual(b.resourceTemplates.map(({ key }) => key), [
    "mcpr.b+note:///{id}",
    "log:///{day}",
  ]);
  assert.deepEqual(
    bench.gateway.problems("b").map(({ kind, key, exposed }) => [kind, key, exposed]),
    [
      ["rewritten", "file:///x", "mcpr.b+file:///x"],
      ["rewritten", "ui://page", "ui://mcpr.b/page"],
      ["rewritten", "note:///{id}", "mcpr.b+note:///{id}"],
    ],
  );
  assert.deepEqual(bench.gateway.problems("a"), []);
});

test("a tool's page is rewritten with the URI, in both spellings", () => {
  const [, b] = colliding().gateway.offer().servers;
  assert.deepEqual((JSON.parse(b?.tools[0]?.raw ?? "") as { _meta: unknown })._meta, {
    ui: { resourceUri: "ui://mcpr.b/page" },
    "ui/resourceUri": "ui://mcpr.b/page",
  });
});

test("requests reach each server under its own URI, and results speak of the exposed ones", async () => {
  const bench = colliding();
  await bench.ask("resources/read", { uri: "file:///x" });
  assert.equal(bench.server("a").last.params, '{"uri":"file:///x"}');
  const events = await bench.ask("resources/read", { uri: "mcpr.b+file:///x" });
  const { params, result } = bench.server("b").last;
  assert.equal(params, '{"uri":"file:///x"}');
  result('{"contents":[{"text":"file:///x","uri":"file:///x"},{"uri":"file:///y"}]}');
  assert.match(
    events[1] ?? "",
    /"contents":\[\{"text":"file:\/\/\/x","uri":"mcpr\.b\+file:\/\/\/x"\},\{"uri":"file:\/\/\/y"\}\]/,
  );
  await bench.ask("resources/read", { uri: "ui://mcpr.b/page" });
  assert.equal(bench.server("b").last.params, '{"uri":"ui://page"}');
});

test("a rewritten template takes what it expands to, and completes under its own text", async () => {
  const bench = colliding();
  const events = await bench.ask("resources/read", { uri: "mcpr.b+note:///7" });
  assert.equal(bench.server("b").last.params, '{"uri":"note:///7"}');
  bench.server("b").last.result('{"contents":[{"uri":"note:///7"}]}');
  assert.match(events[1] ?? "", /"uri":"mcpr\.b\+note:\/\/\/7"/);
  await bench.ask("resources/read", { uri: "note:///7" });
  assert.equal(bench.server("a").last.params, '{"uri":"note:///7"}');
  assert.equal(bench.server("b").exchanges.length, 1);
  await bench.ask("completion/complete", {
    ref: { type: "ref/resource", uri: "mcpr.b+note:///{id}" },
  });
  assert.deepEqual(JSON.parse(bench.server("b").last.params), {
    ref: { type: "ref/resource", uri: "note:///{id}" },
  });
});

test("links and embedded resources of results are rewritten wherever they may stand", async () => {
  const bench = colliding();
  const call = await bench.ask("tools/call", { name: "b__show" });
  bench.server("b").last.result(JSON.stringify({
    content: [
      { type: "resource_link", uri: "file:///x", name: "file:///x" },
      { type: "resource", resource: { uri: "note:///1", text: "file:///x" } },
      { type: "text", text: "file:///x" },
    ],
  }));
  assert.match(call[1] ?? "", /"uri":"mcpr\.b\+file:\/\/\/x","name":"file:\/\/\/x"/);
  assert.match(call[1] ?? "", /"uri":"mcpr\.b\+note:\/\/\/1","text":"file:\/\/\/x"/);
  const prompt = await bench.ask("prompts/get", { name: "b__sum" });
  bench.server("b").last.result(JSON.stringify({
    messages: [
      { role: "user", content: { type: "resource", resource: { uri: "file:///x" } } },
      { role: "user", content: [{ type: "resource_link", uri: "ui://page" }] },
    ],
  }));
  assert.match(prompt[1] ?? "", /"resource":\{"uri":"mcpr\.b\+file:\/\/\/x"\}/);
  assert.match(prompt[1] ?? "", /"uri":"ui:\/\/mcpr\.b\/page"/);
});

test("a denied URI collides with nothing", () => {
  const bench = openScripted({
    a: { resources: ["file:///x"], rules: { resources: DENY_ALL } },
    b: { resources: ["file:///x"] },
  });
  assert.deepEqual(
    bench.gateway.offer().servers.map(({ resources }) => resources.map(({ key }) => key)),
    [[], ["file:///x"]],
  );
});

test("no server can pass for another by listing a URI in our form", async () => {
  const bench = openScripted({
    evil: { resources: ["mcpr.b+file:///x"] },
    a: { resources: ["file:///x"] },
    b: { resources: ["file:///x"] },
  });
  await bench.ask("resources/read", { uri: "mcpr.b+file:///x" });
  assert.equal(bench.server("evil").exchanges.length, 0);
  assert.equal(bench.server("b").exchanges.length, 1);
  await bench.ask("resources/read", { uri: "mcpr.evil+mcpr.b+file:///x" });
  assert.equal(bench.server("evil").last.params, '{"uri":"mcpr.b+file:///x"}');
});

test("a rewritten form of what is not rewritten names nothing", async () => {
  const bench = colliding();
  for (const uri of ["mcpr.b+file:///y", "mcpr.a+file:///x", "mcpr.z+file:///x", "mcpr.b+"]) {
    const events = await bench.ask("resources/read", { uri });
    assert.equal(errorOf(events).data.code, "unknown_resource", uri);
  }
});

test("what nobody lists is asked for at servers with a matching template, then at all that read", async () => {
  const bench = openScripted({
    a: { reads: true },
    b: { resourceTemplates: ["file:///{path}"] },
    c: { resources: ["other:///x"], reads: false },
    d: { reads: true },
  });
  const events = await bench.ask("resources/read", { uri: "file:///z" });
  assert.equal(bench.server("a").exchanges.length, 0);
  bench.server("b").last.listener.accepted();
  bench.server("b").last.listener.error(NOT_FOUND);
  bench.server("a").last.listener.error(NOT_FOUND);
  assert.equal(bench.server("c").exchanges.length, 0);
  bench.server("d").last.result('{"contents":[]}');
  assert.equal(events.length, 2);
  assert.equal(events[0], "accepted");
});

test("when none has it, it is unknown, with the URI that was asked for", async () => {
  const bench = openScripted({ a: { reads: true }, b: { reads: true } });
  const events = await bench.ask("resources/read", { uri: "file:///z" });
  bench.server("a").last.listener.error(NOT_FOUND);
  bench.server("b").last.listener.error('{"code":-32601,"message":"Method not found"}');
  const { code, data } = errorOf(events);
  assert.deepEqual([code, (data as { uri?: string }).uri], [-32602, "file:///z"]);
});

test("the one server that lists it says itself that it is gone", async () => {
  const bench = openScripted({ a: { resources: ["file:///x"] }, b: { reads: true } });
  const events = await bench.ask("resources/read", { uri: "file:///x" });
  bench.server("a").last.listener.error(NOT_FOUND);
  assert.deepEqual(events, [`error ${NOT_FOUND}`]);
  assert.equal(bench.server("b").exchanges.length, 0);
});

test("but not under a URI that the caller does not know", async () => {
  const bench = colliding();
  const events = await bench.ask("resources/read", { uri: "mcpr.b+file:///x" });
  bench.server("b").last.listener.error(NOT_FOUND.replace('"x"', '"file:///x"'));
  assert.equal((errorOf(events).data as { uri?: string }).uri, "mcpr.b+file:///x");
});

test("another error than not found is the answer, and nobody else is asked", async () => {
  const bench = openScripted({ a: { reads: true }, b: { reads: true } });
  const events = await bench.ask("resources/read", { uri: "file:///z" });
  bench.server("a").last.listener.error('{"code":-32603,"message":"disk"}');
  assert.deepEqual(events, ['error {"code":-32603,"message":"disk"}']);
  assert.equal(bench.server("b").exchanges.length, 0);
});

test("a call that is withdrawn between two servers is not made at the second", async () => {
  const bench = openScripted({ a: { reads: true }, b: { reads: true } });
  await bench.ask("resources/read", { uri: "file:///z" }, { id: "x" });
  bench.gateway.cancel("x", "The client has left");
  assert.equal(bench.server("a").last.withdrawn, "The client has left");
  bench.server("a").last.listener.error(NOT_FOUND);
  assert.equal(bench.server("b").exchanges.length, 0);
});

const tricks: Array<[what: string, uri: string]> = [
  ["is denied", "file:///data/secret"],
  ["is outside of what is allowed", "file:///etc/passwd"],
  ["leaves the allowed folder", "file:///data/../etc/passwd"],
  ["leaves it in percent-encoding", "file:///data/%2e%2e/etc/passwd"],
  ["leaves it by encoded slashes", "file:///data/..%2fetc/passwd"],
  ["leaves it by backslashes", "file:///data/..\\etc\\passwd"],
  ["reaches what is denied by a detour", "file:///data/a/../secret"],
  ["reaches it by an encoded letter", "file:///data/%73ecret"],
  ["reaches it by two slashes", "file:///data//secret"],
  ["reaches it by a dot", "file:///data/./secret"],
  ["reaches it with a query", "file:///data/secret?x"],
  ["reaches it with a fragment", "file:///data/secret#x"],
  ["has a line break in it", "file:///data/sec\nret"],
  ["has a tab in it", "file:///data/\tsecret"],
];

for (const [what, uri] of tricks) {
  test(`a URI that ${what} is unknown, and reaches no server`, async () => {
    const bench = openScripted({
      a: {
        reads: true,
        resourceTemplates: ["file:///data/{name}"],
        rules: { resources: { allow: ["file:///data/*"], deny: ["file:///data/secret"] } },
      },
    });
    const events = await bench.ask("resources/read", { uri });
    assert.equal(errorOf(events).data.code, "unknown_resource");
    assert.equal(bench.server("a").exchanges.length, 0);
    await bench.ask("resources/read", { uri: "file:///data/plain%20name" });
    assert.equal(bench.server("a").exchanges.length, 1);
  });
}

test("a scheme in capitals is the same scheme", async () => {
  const rules = { resources: { allow: ["*"], deny: ["file:///secret"] } };
  const bench = openScripted({ a: { reads: true, rules } });
  const events = await bench.ask("resources/read", { uri: "FILE:///secret" });
  assert.equal(errorOf(events).data.code, "unknown_resource");
});

test("a rewritten URI can be turned back, whatever it was", () => {
  const uri = fc.oneof(fc.string(), fc.string().map((text) => `ui://${text}`), fc.webUrl());
  fc.assert(
    fc.property(fc.stringMatching(/^[a-z0-9-]{1,32}$/), uri, (server, own) => {
      assert.deepEqual(readRewritten(rewriteUri(server, own)), { server, own });
    }),
  );
});

test("a server that lists thousands of templates of another does not hold up the rest", async () => {
  const shared = Array.from({ length: 3_000 }, (_, n) => `note:///${"{a}-".repeat(20)}${n}`);
  const resources = Array.from({ length: 3_000 }, (_, n) => `note:///${"a-".repeat(100)}${n}x`);
  const started = performance.now();
  const bench = openScripted({
    a: { resourceTemplates: shared },
    b: { resourceTemplates: shared, resources, tools: ["show"] },
  });
  assert.equal(bench.gateway.offer().servers[1]?.resources.length, 3_000);
  const events = await bench.ask("tools/call", { name: "b__show" });
  bench.server("b").last.result(JSON.stringify({ content: resources.map((uri) => ({ uri })) }));
  assert.equal(events.length, 2);
  await bench.ask("resources/read", { uri: `note:///${"a-".repeat(4_000)}` });
  assert.ok(performance.now() - started < 5_000);
});

test("of the servers that may have a resource, those are asked that the caller may reach", async () => {
  const bench = openScripted({ a: { reads: true }, b: { reads: true }, c: { reads: true } });
  const events = await bench.ask("resources/read", { uri: "file:///z" }, { servers: ["b"] });
  assert.equal(bench.server("a").exchanges.length, 0);
  bench.server("b").last.listener.error(NOT_FOUND);
  assert.equal(bench.server("c").exchanges.length, 0);
  assert.equal(errorOf(events).data.code, "unknown_resource");
});

test("a resource or template of a server that the caller may not reach is unknown, and starts nothing", async () => {
  const bench = openScripted({
    a: { resources: ["file:///x"], resourceTemplates: ["note:///{id}"] },
    b: { reads: true },
    cold: { reads: true, cold: true },
  });
  const asked: ReadonlyArray<readonly [method: string, params: object]> = [
    ["resources/read", { uri: "file:///x" }],
    ["resources/read", { uri: "file:///other" }],
    ["completion/complete", { ref: { type: "ref/resource", uri: "note:///{id}" }, argument: {} }],
    ["completion/complete", { ref: { type: "ref/resource", uri: "file:///x" }, argument: {} }],
    ["completion/complete", { ref: { type: "ref/resource", uri: "none:///" }, argument: {} }],
  ];
  for (const servers of [[], ["secret"]]) {
    for (const [method, params] of asked) {
      const events = await bench.ask(method, params, { servers });
      assert.equal(errorOf(events).data.code, "unknown_resource", JSON.stringify(params));
    }
  }
  for (const name of ["a", "b", "cold"]) assert.equal(bench.server(name).exchanges.length, 0);
  assert.equal(bench.server("cold").starts, 0);
});
