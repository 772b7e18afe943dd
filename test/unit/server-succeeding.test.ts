import assert from "node:assert/strict";
import { test } from "node:test";
import type { ServerLists } from "../../runner/server/listed.ts";
import type { ManagedServer } from "../../runner/server/managed-server.ts";
import { succeeding } from "../../runner/server/succeeding.ts";
import { GatewayError } from "../../src/errors.ts";
import { toolsOf } from "../support/pins.ts";

const listsOf = (...tools: readonly string[]): ServerLists =>
  toolsOf(...tools.map((key) => ({ key, raw: JSON.stringify({ name: key }) })));

/** A server that has not started, and whose lists and failure the test sets. */
function coldServer() {
  const state: { lists?: ServerLists; failure?: GatewayError } = {};
  const server = {
    name: "notes",
    get lists() {
      return state.lists;
    },
    get failure() {
      return state.failure;
    },
  } as unknown as ManagedServer;
  return { state, server };
}

test("a server that takes over lists what the one before did, until it has listed itself", () => {
  const { state, server } = coldServer();
  const shown = succeeding(server, listsOf("old"));
  assert.deepEqual(shown.lists?.tools.map(({ key }) => key), ["old"]);
  state.lists = listsOf("new");
  assert.deepEqual(shown.lists?.tools.map(({ key }) => key), ["new"]);
});

test("a server that takes over and cannot be started lists nothing", () => {
  const { state, server } = coldServer();
  const shown = succeeding(server, listsOf("old"));
  state.failure = new GatewayError("server_failed", "It does not start");
  assert.equal(shown.lists, undefined);
});
