import assert from "node:assert/strict";
import { test } from "node:test";
import { failureTable, GatewayError, toGatewayError, toRpcError } from "../../src/errors.ts";

test("every code of ours lies outside the range that JSON-RPC and MCP keep", () => {
  const ofMcp = new Set([-32700, -32600, -32601, -32602, -32603, -32020, -32021, -32022]);
  for (const [code, { rpc }] of Object.entries(failureTable)) {
    assert.ok(rpc > 0 || ofMcp.has(rpc), `${code}: ${rpc}`);
  }
});

test("every call-level failure is answered in band, at HTTP 200", () => {
  for (const [code, { rpc, status }] of Object.entries(failureTable)) {
    if (rpc > 0) assert.equal(status, 200, code);
  }
});

test("toGatewayError() tells nothing of an error that is not ours", () => {
  const error = toGatewayError(new TypeError("ENOENT /home/ada/.ssh/id_ed25519"));
  assert.equal(error.code, "internal");
  assert.doesNotMatch(JSON.stringify(toRpcError(error)), /ada|ENOENT/);
});

test("toRpcError() says of a failed call what it was and whether it ran", () => {
  assert.deepEqual(toRpcError(new GatewayError("runner_lost", "Lost")), {
    code: 1002,
    message: "Lost",
    data: { code: "runner_lost", executed: "unknown", retryable: false },
  });
});

test("toRpcError() says it too where a place knows better than the table, whatever the code", () => {
  const begun = new GatewayError("state_invalid", "Expired", { executed: "unknown" });
  assert.deepEqual(toRpcError(begun).data, {
    code: "state_invalid",
    executed: "unknown",
    retryable: false,
  });
  assert.deepEqual(toRpcError(new GatewayError("state_invalid", "Forged")).data, {
    code: "state_invalid",
  });
});
