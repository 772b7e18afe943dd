import assert from "node:assert/strict";
import { test } from "node:test";
import { initialize } from "../../runner/server/handshake.ts";
import { openPeer } from "../support/peer.ts";

/** Answers initialize with `result` and tells what came of it. */
async function answered(result: unknown) {
  const { peer, pipe } = openPeer();
  const outcome = initialize(peer);
  pipe.say({ id: 1, result });
  return { pipe, hasTools: (await outcome).tools };
}

test("initialize() offers 2025-11-25 without capabilities, and then says that it is done", async () => {
  const { pipe } = await answered({ protocolVersion: "2025-11-25", capabilities: {} });
  const [request, notification] = pipe.received();
  assert.equal(request?.method, "initialize");
  assert.equal(request?.params?.["protocolVersion"], "2025-11-25");
  assert.deepEqual(request?.params?.["capabilities"], {});
  assert.deepEqual(notification, {
    jsonrpc: "2.0",
    method: "notifications/initialized",
    params: {},
  });
});

for (const version of ["2025-11-25", "2025-06-18", "2025-03-26", "2024-11-05"]) {
  test(`initialize() takes a server that speaks ${version}`, async () => {
    const { hasTools } = await answered({ protocolVersion: version, capabilities: { tools: {} } });
    assert.equal(hasTools, true);
  });
}

const withoutTools: Array<[why: string, capabilities: unknown]> = [
  ["has no capabilities", {}],
  ["has others only", { prompts: {}, logging: {} }],
  ["says null, as servers with optional fields do", { tools: null }],
];

for (const [why, capabilities] of withoutTools) {
  test(`initialize() knows a server without tools when it ${why}`, async () => {
    const { hasTools } = await answered({ protocolVersion: "2025-11-25", capabilities });
    assert.equal(hasTools, false);
  });
}

const refused: Array<[why: string, result: unknown, message: RegExp]> = [
  ["no capabilities", { protocolVersion: "2025-11-25" }, /no InitializeResult/],
  ["no protocol version", { capabilities: {} }, /no InitializeResult/],
  ["nothing", {}, /no InitializeResult/],
  ["a version that is a number", { protocolVersion: 2025, capabilities: {} }, /no InitializeRes/],
  ["a stateless revision", { protocolVersion: "2026-07-28", capabilities: {} }, /"2026-07-28"/],
  [
    "an unknown version",
    { protocolVersion: "1.0\n\u001b[2J", capabilities: {} },
    /"1\.0\\n\\u001b/,
  ],
  ["an endless version", { protocolVersion: "9".repeat(1e6), capabilities: {} }, /"9{9}/],
];

for (const [why, result, message] of refused) {
  test(`initialize() refuses ${why}, with the server's name and in bounded words`, async () => {
    const { peer, pipe } = openPeer();
    const outcome = initialize(peer);
    pipe.say({ id: 1, result });
    await assert.rejects(outcome, (error: { code?: string; message: string }) => {
      assert.equal(error.code, "server_failed");
      assert.match(error.message, /^Cannot use server "probe": it /);
      assert.match(error.message, message);
      assert.ok(error.message.length < 1_000);
      return true;
    });
    assert.deepEqual(pipe.received("notifications/initialized"), []);
  });
}
