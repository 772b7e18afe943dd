import assert from "node:assert/strict";
import { test } from "node:test";
import { heard } from "../support/peer.ts";
import { tool, wellBehaved } from "../support/pipe.ts";
import { openServer } from "../support/server.ts";
import { settled } from "../support/settled.ts";

test("a server is cold until somebody needs it", async () => {
  const { server, pipes } = openServer();
  await settled();
  assert.equal(pipes.length, 0);
  assert.equal(server.tools, undefined);
  assert.equal(server.containerId, undefined);
});

test("many who need it wait for the same start", async () => {
  const { server, pipes, changes } = openServer();
  const running = await Promise.all([server.running(), server.running(), server.running()]);
  assert.equal(pipes.length, 1);
  assert.equal(new Set(running).size, 1);
  assert.equal(await server.running(), running[0]);
  assert.equal(pipes.length, 1);
  assert.equal(changes(), 1);
  assert.deepEqual(pipes[0]?.received("initialize").length, 1);
});

test("a server that has started has a container, its tools, and answers", async () => {
  const { server, pipes } = openServer({ behave: () => wellBehaved(["a", "b"]) });
  const { peer } = await server.running();
  assert.deepEqual(server.tools?.map(({ name }) => name), ["a", "b"]);
  assert.equal(server.containerId, pipes[0]?.id);
  const { listener, events } = heard();
  peer.send("tools/call", () => '{"name":"a"}', listener);
  await settled();
  assert.deepEqual(events, ['result {"content":[{"type":"text","text":"a"}]}']);
});

test("the order of the handshake is initialize, initialized, tools/list", async () => {
  const { server, pipes } = openServer();
  await server.running();
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
  await server.running();
  assert.deepEqual(server.tools, []);
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
  await server.running();
  assert.deepEqual(server.tools?.map(({ name }) => name), ["y"]);
  assert.match(log[0]?.message ?? "", /^Server "probe" lists 2 tools .*left out$/);
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
  const { peer } = await server.running();
  assert.equal(peer.garbageLines, 2);
  assert.deepEqual(server.tools?.map(({ name }) => name), ["echo"]);
});
