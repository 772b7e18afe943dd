/**
 * The fixture of the conformance harness, without the product: each build speaks what it should and nothing
 * else, so that a scenario that fails tells something about us.
 *
 * @module
 */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { createInterface } from "node:readline";
import { test } from "node:test";
import type { Build } from "../conformance/sets.ts";
import { MODERN_META } from "../support/mcp.ts";
import { NODE, ROOT } from "../support/program.ts";

interface Message {
  readonly id?: number;
  readonly method?: string;
  readonly params?: Readonly<Record<string, unknown>>;
  readonly result?: Readonly<Record<string, unknown>>;
  readonly error?: { readonly code: number };
}

/** A build of the fixture as a process, which is ended when the test is over. */
function startFixture(build: Build) {
  const child = spawn(NODE, ["test/conformance/fixture/main.ts", build], {
    cwd: ROOT,
    stdio: ["pipe", "pipe", "inherit"],
  });
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const send = (message: object): void => {
    child.stdin.write(`${JSON.stringify({ jsonrpc: "2.0", ...message })}\n`);
  };
  const next = async (): Promise<Message> => {
    const { value } = await lines.next() as { value?: string };
    if (value === undefined) throw new Error(`The fixture "${build}" has ended`);
    return JSON.parse(value) as Message;
  };
  return {
    send,
    next,
    ask: async (method: string, params: object = {}): Promise<Message> => {
      send({ id: 1, method, params });
      return await next();
    },
    [Symbol.asyncDispose]: async () => {
      const ended = new Promise((resolve) => child.once("close", resolve));
      child.stdin.end();
      await ended;
    },
  };
}

const INITIALIZE = {
  protocolVersion: "2025-11-25",
  capabilities: { elicitation: {} },
  clientInfo: { name: "test", version: "1" },
};

const speaks: Array<[build: Build, modern: boolean, legacy: boolean]> = [
  ["dual", true, true],
  ["modern", true, false],
  ["legacy", false, true],
];

for (const [build, modern, legacy] of speaks) {
  test(`the ${build} build ${modern ? "speaks" : "does not know"} MCP 2026-07-28`, async () => {
    await using fixture = startFixture(build);
    const { result } = await fixture.ask("server/discover", { _meta: MODERN_META });
    assert.deepEqual(result?.["supportedVersions"], modern ? ["2026-07-28"] : undefined);
  });

  test(`the ${build} build ${legacy ? "speaks" : "refuses"} MCP 2025-11-25`, async () => {
    await using fixture = startFixture(build);
    const { result } = await fixture.ask("initialize", INITIALIZE);
    assert.equal(result?.["protocolVersion"], legacy ? "2025-11-25" : undefined);
  });
}

test("the legacy build asks the client with a request of its own", async () => {
  await using fixture = startFixture("legacy");
  await fixture.ask("initialize", INITIALIZE);
  fixture.send({ method: "notifications/initialized" });

  const question = await fixture.ask("tools/call", {
    name: "test_input_required_result_elicitation",
    arguments: {},
  });
  assert.equal(question.method, "elicitation/create");
  assert.equal(question.params?.["message"], "What is your name?");

  fixture.send({ id: question.id, result: { action: "accept", content: { name: "Ada" } } });
  const { result } = await fixture.next();
  assert.deepEqual(result?.["content"], [{ type: "text", text: "Hello, Ada!" }]);
});

test("the legacy build asks only what the client said at the start that it can answer", async () => {
  await using fixture = startFixture("legacy");
  await fixture.ask("initialize", INITIALIZE);
  const name = "test_input_required_result_capabilities";
  const question = await fixture.ask("tools/call", { name, arguments: {} });
  assert.equal(question.method, "elicitation/create");
  fixture.send({ id: question.id, result: { action: "cancel" } });
  const { result } = await fixture.next();
  assert.deepEqual(result?.["content"], [{ type: "text", text: "Asked 1 questions" }]);
});

test("the modern build asks in its result, under the key that the suite looks for", async () => {
  await using fixture = startFixture("modern");
  const capabilities = { "io.modelcontextprotocol/clientCapabilities": { elicitation: {} } };
  const { result } = await fixture.ask("tools/call", {
    name: "test_input_required_result_elicitation",
    arguments: {},
    _meta: { ...MODERN_META, ...capabilities },
  });
  assert.equal(result?.["resultType"], "input_required");
  assert.deepEqual(Object.keys(result["inputRequests"] ?? {}), ["user_name"]);
});

test("the first tool of the list takes no arguments", async () => {
  await using fixture = startFixture("modern");
  const { result } = await fixture.ask("tools/list", { _meta: MODERN_META });
  const [first] = (result?.["tools"] ?? []) as readonly { name: string }[];
  assert.equal(first?.name, "test_simple_text");
});
