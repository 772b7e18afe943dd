import assert from "node:assert/strict";
import { test } from "node:test";
import { DEFAULT_LIMITS, readLimits } from "../../worker/platform/limits.ts";
import { SocketCap } from "../../worker/platform/socket-cap.ts";

test("without settings, headers have 10 s, bodies 30 s, and sockets are not counted", () => {
  const limits = { headersMs: 10_000, bodyMs: 30_000, maxSockets: 0 };
  assert.deepEqual(readLimits({}, "node"), limits);
  const empty = { MCP_RUNNER_HEADERS_MS: "", MCP_RUNNER_BODY_MS: "", MCP_RUNNER_MAX_SOCKETS: "" };
  assert.deepEqual(readLimits(empty, "node"), limits);
  assert.deepEqual(readLimits(empty, "deno"), limits);
  assert.deepEqual(DEFAULT_LIMITS, limits);
});

test("each limit is a variable of its own", () => {
  const env = {
    MCP_RUNNER_HEADERS_MS: "100",
    MCP_RUNNER_BODY_MS: "600000",
    MCP_RUNNER_MAX_SOCKETS: "1",
  };
  assert.deepEqual(readLimits(env, "node"), { headersMs: 100, bodyMs: 600_000, maxSockets: 1 });
  assert.equal(readLimits({ MCP_RUNNER_BODY_MS: "250" }, "deno").bodyMs, 250);
});

const bad: ReadonlyArray<readonly [name: string, value: string]> = [
  ["MCP_RUNNER_HEADERS_MS", "0"],
  ["MCP_RUNNER_HEADERS_MS", "99"],
  ["MCP_RUNNER_HEADERS_MS", "600001"],
  ["MCP_RUNNER_BODY_MS", "-1"],
  ["MCP_RUNNER_BODY_MS", "1e3"],
  ["MCP_RUNNER_BODY_MS", "30s"],
  ["MCP_RUNNER_BODY_MS", " 500"],
  ["MCP_RUNNER_BODY_MS", "Infinity"],
  ["MCP_RUNNER_MAX_SOCKETS", "0.5"],
  ["MCP_RUNNER_MAX_SOCKETS", "1000001"],
  ["MCP_RUNNER_MAX_SOCKETS", "99999999999999999999"],
];

for (const [name, value] of bad) {
  test(`${name}="${value}" is refused at the start, with what it must be`, () => {
    assert.throws(() => readLimits({ [name]: value }, "node"), {
      code: "usage",
      message: new RegExp(`^Cannot use ${name}: it is "[^"]*", it must be a whole number from `),
    });
  });
}

for (const name of ["MCP_RUNNER_HEADERS_MS", "MCP_RUNNER_MAX_SOCKETS"]) {
  test(`${name} is refused on Deno, which would not hold it`, () => {
    assert.throws(() => readLimits({ [name]: "1000" }, "deno"), {
      code: "usage",
      message: new RegExp(`^Cannot use ${name}: Deno has no such limit`),
    });
  });
}

test("a cap counts each address for itself, and gives places back", () => {
  const cap = new SocketCap(2);
  assert.deepEqual([cap.enter("a"), cap.enter("a"), cap.enter("a")], [true, true, false]);
  assert.equal(cap.enter("b"), true);
  cap.leave("a");
  assert.deepEqual([cap.enter("a"), cap.enter("a")], [true, false]);
  cap.leave("b");
  assert.deepEqual([cap.enter("b"), cap.enter("b"), cap.enter("b")], [true, true, false]);
});

test("a cap of 0 is none", () => {
  const cap = new SocketCap(0);
  for (let n = 0; n < 10_000; n++) assert.equal(cap.enter("a"), true);
});
