import assert from "node:assert/strict";
import { test } from "node:test";
import { begin } from "../support/exchange.ts";
import { tool, wellBehaved } from "../support/pipe.ts";
import { openServer } from "../support/server.ts";
import { settled } from "../support/settled.ts";

test("a server is cold until somebody needs it", async () => {
  const { server, pipes } = openServer();
  await settled();
  assert.equal(pipes.length, 0);
  assert.equal(server.lists, undefined);
  assert.equal(server.containerId, undefined);
});

test("many who need it wait for the same start", async () => {
  const { server, pipes, changes } = openServer();
  await Promise.all([server.start(), server.start(), server.start()]);
  const begun = [begin(server), begin(server)];
  await settled();
  assert.deepEqual(pipes.map((pipe) => pipe.received("initialize").length), [1, 1]);
  assert.deepEqual(begun.map(({ events }) => events.length), [2, 2]);
  assert.equal(changes(), 1);
});

test("a server that has started has a container, its tools, and answers", async () => {
  const { server, pipes } = openServer({ behave: () => wellBehaved(["a", "b"]) });
  await server.start();
  assert.deepEqual(server.lists?.tools.map(({ key }) => key), ["a", "b"]);
  assert.equal(server.containerId, pipes[0]?.id);
  const { events } = begin(server, { params: '{"name":"a"}' });
  await settled();
  assert.deepEqual(events, ["accepted", 'result {"content":[{"type":"text","text":"a"}]}']);
});

test("the order of the handshake is initialize, initialized, tools/list", async () => {
  const { server, pipes } = openServer();
  await server.start();
  assert.deepEqual(pipes[0]?.received().map(({ method }) => method), [
    "initialize",
    "notifications/initialized",
    "tools/list",
  ]);
});

test("a server without tools is ready, and is not asked for any", async () => {
  const { server, pipes } = openServer({
    behave: () =>
      wellBehaved([], {
        initialize: ({ id }, pipe) =>
          pipe.say({ id, result: { protocolVersion: "2025-06-18", capabilities: {} } }),
      }),
  });
  await server.start();
  assert.deepEqual(server.lists?.tools, []);
  assert.deepEqual(pipes[0]?.received("tools/list"), []);
});

test("tools that are left out are told to the operator", async () => {
  const { server, log } = openServer({
    behave: () =>
      wellBehaved([], {
        "tools/list": ({ id }, pipe) =>
          pipe.say({ id, result: { tools: [{ name: "x" }, tool("y"), tool("y")] } }),
      }),
  });
  await server.start();
  assert.deepEqual(server.lists?.tools.map(({ key }) => key), ["y"]);
  assert.match(log[0]?.message ?? "", /^Server "probe" lists 2 entries .*left out$/);
  assert.equal(log[0]?.fields["first"], 'tools "x" has no inputSchema');
  assert.deepEqual(server.lists?.broken.map(({ why }) => why), [
    "has no inputSchema",
    "is listed twice",
  ]);
});

test("what a server prints beside messages does not disturb its start", async () => {
  const { server } = openServer({
    behave: () =>
      wellBehaved(["echo"], {
        initialize: ({ id }, pipe) => {
          pipe.say("Listening on stdio …");
          pipe.printBytes(12);
          pipe.complain("warming up");
          pipe.say({ id: 99, method: "ping" });
          pipe.say({ method: "notifications/message", params: {} });
          pipe.say({ id, result: { protocolVersion: "2025-11-25", capabilities: { tools: {} } } });
        },
      }),
  });
  await server.start();
  assert.deepEqual(server.lists?.tools.map(({ key }) => key), ["echo"]);
});
