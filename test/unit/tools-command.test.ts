import assert from "node:assert/strict";
import { test } from "node:test";
import type { Terminal } from "../../runner/cli/terminal.ts";
import { tools } from "../../runner/cli/tools.ts";
import { fakeFetch } from "../support/fake-fetch.ts";

/** Runs `tools` against a worker that gives `results` in turn. */
async function run(results: readonly object[], ...args: string[]) {
  const left = [...results];
  const out: string[] = [];
  const notes: string[] = [];
  using _ = fakeFetch(() => Response.json({ id: 1, result: left.shift() }));
  const terminal: Terminal = {
    env: {},
    interactive: false,
    stopped: new AbortController().signal,
    onReload: () => {},
    out: (line) => out.push(line),
    note: (line) => notes.push(line),
    ask: () => Promise.reject(new Error("It asked")),
    askHidden: () => Promise.reject(new Error("It asked")),
  };
  const where = ["--url", "https://worker.example/mcp", "--token", "mcpr_client_x"];
  const code = await tools([...args, ...where], terminal);
  return { code, out, notes };
}

const FAILED = { content: [{ type: "text", text: "no such zone" }], isError: true };

test("a tool that answers with an error makes one document, with the error and the result", async () => {
  const { code, out } = await run([{ tools: [] }, FAILED], "call", "time__now", "--json");
  assert.equal(code, 1);
  assert.equal(out.length, 1);
  assert.deepEqual(JSON.parse(out[0] ?? ""), {
    ok: false,
    error: { code: "server_failed", message: 'The tool "time__now" answered with an error' },
    result: FAILED,
  });
});

test("for people it is what the tool said, and on stderr that it is an error", async () => {
  const { code, out, notes } = await run([{ tools: [] }, FAILED], "call", "time__now");
  assert.equal(code, 1);
  assert.deepEqual(out, ["no such zone"]);
  assert.deepEqual(notes, ['mcp-runner: The tool "time__now" answered with an error']);
});

test("tools ls says that there is none, on stderr", async () => {
  const { code, out, notes } = await run([{ tools: [] }], "ls");
  assert.equal(code, 0);
  assert.deepEqual(out, []);
  assert.equal(notes.length, 1);
  assert.match(notes[0] ?? "", /None is allowed here/);
});
