import assert from "node:assert/strict";
import { test } from "node:test";
import { eventually } from "../support/eventually.ts";
import { eventStreamSite, modernSite, sessionSite } from "../support/sdk-upstream.ts";
import { connectTo, type Far, initialize, modern, type RpcMessage } from "../support/upstream.ts";

async function openSession(far: Far): Promise<RpcMessage> {
  const answer = await far.ask({
    ...initialize(1),
    params: { ...initialize(1).params, capabilities: { elicitation: {} } },
  });
  far.write({ method: "notifications/initialized" });
  return answer;
}

/** The names of the tools in a list. */
function namesIn(list: RpcMessage["result"]): readonly string[] {
  return (list?.["tools"] as { name: string }[] | undefined ?? []).map(({ name }) => name);
}

/** A call of a tool that wants to hear of its progress. */
function call(id: number, name: string, args: object): RpcMessage {
  return {
    id,
    method: "tools/call",
    params: { name, arguments: args, _meta: { progressToken: id } },
  };
}

test("a server of 2026-07-28 is discovered, lists its tools, and is called", async (t) => {
  const site = await modernSite(t);
  const far = await connectTo(t, site.url);
  const { result: discovered } = await far.ask(modern(1, "server/discover"));
  assert.deepEqual(discovered?.["supportedVersions"], ["2026-07-28"]);
  const { result: list } = await far.ask(modern(2, "tools/list"));
  assert.deepEqual(namesIn(list), ["echo", "ask", "region"]);
  const asked = modern(3, "tools/call", { name: "echo", arguments: { a: "ü" } });
  const { result } = await far.ask({
    ...asked,
    params: { ...asked.params, _meta: { ...asked.params?.["_meta"] as object, progressToken: 3 } },
  });
  assert.deepEqual(result?.["content"], [{ type: "text", text: '{"a":"ü"}' }]);
  await far.heard("progress", ({ method }) => method === "notifications/progress");
});

test("a parameter that must be in a header is, once the tools were listed", async (t) => {
  const site = await modernSite(t);
  const far = await connectTo(t, site.url);
  const params = { name: "region", arguments: { region: "Zürich" } };
  assert.equal((await far.ask(modern(1, "tools/call", params))).error?.code, -32020);
  await far.ask(modern(2, "tools/list"));
  const { result } = await far.ask(modern(3, "tools/call", params));
  assert.deepEqual(result?.["content"], [{ type: "text", text: '{"region":"Zürich"}' }]);
});

test("a server of 2026-07-28 tells of changes while it is listened to", async (t) => {
  const site = await modernSite(t);
  const far = await connectTo(t, site.url);
  far.write(modern(1, "subscriptions/listen", { notifications: { toolsListChanged: true } }));
  await far.heard("it is open", ({ method }) => method?.endsWith("acknowledged") === true);
  site.handler.notify.toolsChanged();
  await far.heard("news", ({ method }) => method === "notifications/tools/list_changed");
  far.write({ method: "notifications/cancelled", params: { requestId: 1 } });
});

test("a server of 2026-07-28 refuses a handshake with its own error", async (t) => {
  const far = await connectTo(t, (await modernSite(t)).url);
  const { error } = await far.ask(initialize(1));
  assert.equal(error?.code, -32022);
});

for (
  const [name, start] of [
    ["Streamable HTTP with sessions", sessionSite],
    ["HTTP+SSE", eventStreamSite],
  ] as const
) {
  test(`over ${name}, a server that knows no discovery is initialized and called`, async (t) => {
    const far = await connectTo(t, (await start(t)).url);
    assert.notEqual((await far.ask(modern(0, "server/discover"))).error, undefined);
    const { result: opened } = await openSession(far);
    assert.equal(opened?.["protocolVersion"], "2025-11-25");
    const { result: list } = await far.ask({ id: 2, method: "tools/list" });
    assert.deepEqual(namesIn(list), ["echo", "ask", "region"]);
    const { result } = await far.ask(call(3, "echo", { a: "ü" }));
    assert.deepEqual(result?.["content"], [{ type: "text", text: '{"a":"ü"}' }]);
    await far.heard("progress", ({ method }) => method === "notifications/progress");
    assert.deepEqual(far.stderr, []);
  });

  test(`over ${name}, a server's question is answered`, async (t) => {
    const far = await connectTo(t, (await start(t)).url);
    await openSession(far);
    far.write(call(2, "ask", {}));
    const { id } = await far.heard("a question", ({ method }) => method === "elicitation/create");
    assert.ok(id !== undefined);
    far.write({ id, result: { action: "decline" } });
    const { result } = await far.heard(
      "the result",
      (message) => message.id === 2 && message.method === undefined,
    );
    assert.deepEqual(result?.["content"], [{ type: "text", text: "decline" }]);
  });

  test(`over ${name}, a change that belongs to no call is heard of`, async (t) => {
    const far = await connectTo(t, (await start(t)).url);
    await openSession(far);
    // Its stream opens at the same time as the first call is made: what it says before is not heard.
    let id = 1;
    await eventually("news", async () => {
      await far.ask(call(++id, "echo", { change: true }));
      return far.lines.find((line) => line.includes("notifications/tools/list_changed"));
    });
  });

  test(`over ${name}, the end of a session ends the process`, async (t) => {
    const site = await start(t);
    const far = await connectTo(t, site.url);
    await openSession(far);
    await far.ask({ id: 2, method: "tools/list" });
    for (const session of site.sessions.values()) await session.close();
    site.forget();
    if (name !== "HTTP+SSE") {
      const { error } = await far.ask({ id: 3, method: "tools/list" });
      assert.match(error?.message ?? "", /its session has ended/);
    }
    assert.equal((await far.process.exited).reason, "exit");
  });
}

test("a server that ends the stream of a call is asked for the result there", async (t) => {
  const far = await connectTo(t, (await sessionSite(t)).url);
  await openSession(far);
  const { result } = await far.ask(call(2, "echo", { leave: true }));
  assert.deepEqual(result?.["content"], [{ type: "text", text: '{"leave":true}' }]);
});

test("stopping deletes the session", async (t) => {
  const site = await sessionSite(t);
  const far = await connectTo(t, site.url);
  await openSession(far);
  assert.equal(site.sessions.size, 1);
  await far.process.stop(1_000);
  assert.equal(site.sessions.size, 0);
});
