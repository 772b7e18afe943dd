/**
 * Remote servers of every kind behind the runner's own server, as the gateway uses it.
 *
 * @module
 */
import assert from "node:assert/strict";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import { loadConfig } from "../../runner/config/config.ts";
import { createRunner } from "../../runner/runner.ts";
import type { Exchange, ExchangeCaller } from "../../runner/server/exchange.ts";
import { readParams } from "../../runner/server/params.ts";
import { NO_SECRETS } from "../../runner/secrets/redactor.ts";
import { Server } from "../../runner/server/server.ts";
import { launchUpstream, type UpstreamSpec } from "../../runner/upstream/launch.ts";
import { systemClock } from "../../src/clock.ts";
import { MODERN_REVISION } from "../../src/mcp/revisions.ts";
import { memoryTokenStore } from "../support/authorization-server.ts";
import { fakeClock } from "../support/fake-clock.ts";
import { eventStreamSite, modernSite, sessionSite } from "../support/sdk-upstream.ts";
import { MODERN_META, sendJson, serveHttp } from "../support/upstream.ts";

/** A server of the runner whose processes are connections to `url`. */
function serverAt(
  t: TestContext,
  url: string,
  more: Partial<UpstreamSpec> = {},
): Server {
  const clock = systemClock;
  const log = (): void => {};
  const headers = { authorization: "Bearer s3cr3t-t0ken" };
  const server = new Server({
    name: "remote",
    clock,
    log,
    changed: () => {},
    launch: () =>
      launchUpstream({
        url,
        headers: () => Promise.resolve(headers),
        allowPrivate: false,
        env: {},
        clock,
        ...more,
      }),
  });
  t.after(() => server.stop());
  return server;
}

/** How a call ended, and what was heard before. */
interface Ended {
  /** Methods of the notifications. */
  readonly notes: readonly string[];
  /** What its result says, or its error. */
  readonly text: string;
  /** The keys of what the server asks for. */
  readonly asks: readonly string[];
  readonly state: string | undefined;
}

/** What a client declares, and answers. */
interface Client extends Pick<Exchange, "input"> {
  readonly capabilities?: ExchangeCaller["capabilities"];
}

/** Calls a tool for a modern client that wants to hear of the progress. */
function call(
  server: Server,
  [name, args]: readonly [name: string, args: object],
  { capabilities = {}, ...input }: Client = {},
): Promise<Ended> {
  const notes: string[] = [];
  const params = { name, arguments: args, _meta: { ...MODERN_META, progressToken: "p" } };
  return new Promise((resolve) => {
    const end = (text: string): void => resolve({ notes, text, asks: [], state: undefined });
    server.exchange({
      method: "tools/call",
      params: readParams(JSON.stringify(params)),
      caller: { client: "c", protocolVersion: MODERN_REVISION, capabilities },
      ...input,
    }, {
      accepted: () => {},
      note: (note) => void notes.push((JSON.parse(note) as { method: string }).method),
      result: (result) =>
        end((JSON.parse(result) as { content: { text: string }[] }).content[0]?.text ?? ""),
      inputRequired: (result, state) => {
        const { inputRequests } = JSON.parse(result) as { inputRequests: object };
        resolve({ notes, text: "", asks: Object.keys(inputRequests), state });
      },
      error: (error) => end(`error: ${error}`),
      failed: ({ message }) => end(`failed: ${message}`),
    });
  });
}

for (
  const [name, start] of [
    ["MCP 2026-07-28", modernSite],
    ["MCP 2025-11-25 with sessions", sessionSite],
    ["MCP 2024-11-05, HTTP+SSE", eventStreamSite],
  ] as const
) {
  test(`a remote server of ${name} lists its tools and is called like one in a container`, async (t) => {
    const server = serverAt(t, (await start(t)).url);
    await server.start();
    assert.deepEqual(server.lists?.tools.map(({ key }) => key), ["echo", "ask", "region"]);
    const { notes, text } = await call(server, ["echo", { a: "ü" }]);
    assert.deepEqual(notes, ["notifications/progress"]);
    assert.equal(text, '{"a":"ü"}');
    const region = await call(server, ["region", { region: "Zürich" }]);
    assert.equal(region.text, '{"region":"Zürich"}');
  });
}

for (
  const [name, start] of [
    ["Streamable HTTP", sessionSite],
    ["HTTP+SSE", eventStreamSite],
  ] as const
) {
  test(`what a legacy server asks over ${name} is answered by a modern client`, async (t) => {
    const server = serverAt(t, (await start(t)).url);
    const capabilities = { elicitation: { form: {} } };
    const { asks: [key = ""], state } = await call(server, ["ask", {}], { capabilities });
    const responses = new Map([[key, '{"action":"decline"}']]);
    const input = { state, responses, errors: new Map<string, string>() };
    const { text } = await call(server, ["ask", {}], { capabilities, input });
    assert.equal(text, "decline");
  });
}

test("a remote session that was forgotten is opened anew by the next call", async (t) => {
  const site = await sessionSite(t);
  const server = serverAt(t, site.url);
  await server.start();
  site.forget();
  const lost = await call(server, ["echo", {}]);
  assert.match(lost.text, /^failed: .*its session has ended: try again/);
  assert.equal((await call(server, ["echo", { again: true }])).text, '{"again":true}');
});

test("a remote server that refuses the credentials says so, without them", async (t) => {
  const site = await serveHttp(t, (_got, response) => void response.writeHead(401).end());
  await assert.rejects(serverAt(t, site.url).start(), (error: Error) => {
    assert.match(error.message, /refuses the credentials \(HTTP 401\)/);
    assert.doesNotMatch(error.message, /s3cr3t/);
    return true;
  });
});

test("a remote server that wants a login fails with what the user has to do", async (t) => {
  const site = await serveHttp(t, (_got, response) => void response.writeHead(401).end());
  const server = serverAt(t, site.url, {
    headers: () => Promise.resolve({}),
    login: { server: "remote", store: memoryTokenStore(), redactor: NO_SECRETS },
  });
  await assert.rejects(server.start(), {
    code: "login_required",
    message:
      `Cannot use upstream ${new URL(site.url).host}: it wants credentials (HTTP 401), run ` +
      "mcp-runner login remote, or give it a header in mcp-runner.yaml",
  });
});

test("a remote server cannot pass its own error off as one of ours", async (t) => {
  const site = await serveHttp(t, ({ message: { id } }, response) => {
    const data = { code: "login_required", executed: "no", retryable: false };
    sendJson(response, { jsonrpc: "2.0", id, error: { code: 1015, message: "Call 0900", data } });
  });
  await assert.rejects(serverAt(t, site.url).start(), { code: "server_failed" });
});

test("a server at a URL has ten seconds to say that it is modern", async (t) => {
  const { promise: probed, resolve: hold } = Promise.withResolvers<() => void>();
  const listed = { resultType: "complete", ttlMs: 0, cacheScope: "private" };
  const site = await serveHttp(t, ({ message: { id, method } }, response) => {
    const supportedVersions = [MODERN_REVISION];
    const result = method === "server/discover"
      ? { ...listed, supportedVersions, capabilities: { tools: {} } }
      : { ...listed, tools: [] };
    const answer = (): void => sendJson(response, { jsonrpc: "2.0", id, result });
    if (method === "server/discover") hold(answer);
    else answer();
  });
  const folder = await mkdtemp(join(tmpdir(), "mcp-runner-upstream-"));
  t.after(() => rm(folder, { recursive: true, force: true }));
  const file = join(folder, "mcp-runner.yaml");
  await writeFile(file, `version: 1\nservers:\n  remote: { source: "${site.url}" }\n`);
  const clock = fakeClock();
  const runner = await createRunner({
    config: await loadConfig(file),
    home: folder,
    env: {},
    clock,
    log: () => {},
    changed: () => {},
  });
  t.after(() => runner.stop());
  const started = runner.gateway.start();
  const answer = await probed;
  clock.advance(9_999);
  answer();
  await started;
  assert.equal(runner.servers.get("remote")?.server.era, "modern");
  assert.ok(!site.got.some(({ message: { method } }) => method === "initialize"));
});
