/**
 * A real worker under attack: raw requests at the one side, a runner that counts at the other, and a
 * control call that must be answered whatever else is going on.
 *
 * @module
 */
import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { type AnsweringRunner, joinAnsweringRunner } from "./answering-runner.ts";
import { eventually } from "./eventually.ts";
import { MODERN_META, postModern } from "./mcp.ts";
import { ROOT } from "./program.ts";
import { exchange, type RawAnswer, type RawHeaders, requestBytes } from "./raw-http.ts";
import { type Runtime, startWorker, type Worker } from "./worker.ts";

/** A worker, its runner, and a client's token. */
export interface HostileBench extends AsyncDisposable {
  readonly runtime: Runtime;
  readonly worker: Worker;
  readonly runner: AnsweringRunner;
  /** A token for all tools of the runner but `probe__secret`. */
  readonly token: string;
  /** The bytes of a request to the MCP endpoint. */
  request(options?: HostileRequest): Uint8Array;
  /** Sends such a request beside a control call, and checks that the reply tells nothing of the inside. */
  send(options?: HostileRequest): Promise<RawAnswer>;
  /** Sends any bytes, checked alike. */
  sendBytes(bytes: Uint8Array, options?: { readonly bodiless?: boolean }): Promise<RawAnswer>;
  /** Makes a call that must succeed. */
  control(): Promise<void>;
  /** Fails if a call other than the control calls has reached the runner. */
  nothingElseRan(): void;
}

/** A request to the MCP endpoint: a good tool call, but for what is given. */
export interface HostileRequest {
  /** Method and target. */
  readonly line?: string;
  readonly body?: string | Uint8Array;
  readonly headers?: RawHeaders;
}

/** The good tool call. */
export const GOOD_CALL = callOf({ name: "probe__echo", arguments: { from: "hostile" } });

/** Arguments of the control call, by which the runner knows it. */
const CONTROL = { from: "control" };

/** The body of a modern tool call with these params. */
export function callOf(params: object): string {
  return JSON.stringify({
    jsonrpc: "2.0",
    id: 1,
    method: "tools/call",
    params: { _meta: MODERN_META, ...params },
  });
}

/** Starts the built worker on `runtime` with a runner that answers. */
export async function startHostileBench(
  runtime: Runtime,
  env: Readonly<Record<string, string>> = {},
): Promise<HostileBench> {
  const worker = await startWorker(runtime, { env });
  const runner = await joinAnsweringRunner(worker);
  const token = await runner.createToken("probe__echo", "probe__flood", "probe__wait");
  await eventually("the tools are offered", async () => {
    const response = await postModern({ origin: worker.origin, token }, "tools/list");
    return (await response.text()).includes("probe__echo") ? true : undefined;
  });

  const bench: HostileBench = {
    runtime,
    worker,
    runner,
    token,
    request: ({ line = "POST /mcp", body = GOOD_CALL, headers = {} } = {}) =>
      requestBytes(line, { ...goodHeaders(worker.origin, token, body), ...headers }, body),
    send: (options) => bench.sendBytes(bench.request(options)),
    sendBytes: async (bytes, options) => {
      const [answer] = await Promise.all([
        exchange(worker.origin, bytes, options),
        bench.control(),
      ]);
      assertNoLeak(answer, token);
      return answer;
    },
    control: async () => {
      const params = { name: "probe__echo", arguments: CONTROL };
      const response = await postModern({ origin: worker.origin, token }, "tools/call", { params });
      const text = await response.text();
      assert.equal(response.status, 200, text);
      assert.match(text, /control/);
    },
    nothingElseRan: () => {
      const others = runner.calls.filter(({ params }) => !params.includes(JSON.stringify(CONTROL)));
      assert.deepEqual(others, []);
    },
    [Symbol.asyncDispose]: async () => {
      await runner[Symbol.asyncDispose]();
      await worker.stop();
    },
  };
  return bench;
}

function goodHeaders(origin: string, token: string, body: string | Uint8Array): RawHeaders {
  return {
    "Host": new URL(origin).host,
    "Authorization": `Bearer ${token}`,
    "Content-Type": "application/json",
    "Accept": "application/json, text/event-stream",
    "MCP-Protocol-Version": "2026-07-28",
    "Mcp-Method": "tools/call",
    "Mcp-Name": "probe__echo",
    "Content-Length": String(Buffer.byteLength(body)),
  };
}

/** Stack frames, files of ours and of the runtimes, tokens. */
const INSIDE = /\n\s+at |\bat \S+:\d+:\d+|node:|file:\/\/|ext:|worker\.js|mcpr_|[A-Z]\w*Error\b/;

/** Fails if `answer` says anything of the inside. */
export function assertNoLeak({ headers, body }: RawAnswer, token: string): void {
  const said = `${[...headers].flat().join("\n")}\n${body}`;
  assert.ok(!said.includes(token) && !said.includes(ROOT), said);
  assert.doesNotMatch(said, INSIDE);
}
