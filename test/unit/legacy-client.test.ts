import assert from "node:assert/strict";
import { test } from "node:test";
import { Client } from "@modelcontextprotocol/sdk/client/index.js";
import { StreamableHTTPClientTransport } from "@modelcontextprotocol/sdk/client/streamableHttp.js";
import {
  ElicitRequestSchema,
  ResourceUpdatedNotificationSchema,
  ToolListChangedNotificationSchema,
} from "@modelcontextprotocol/sdk/types.js";
import { eventually } from "../support/eventually.ts";
import { type FakeRunner, startWorkerInMemory, type TestWorker } from "../support/home.ts";
import { NOTE } from "../support/session.ts";
import { settled } from "../support/settled.ts";

const NOTES = { name: "notes", tools: ["notes__read"], resources: ["notes:///a"] };

/** An unmodified client of the SDK that speaks up to 2025-11-25, and what it sends. */
async function connect(): Promise<{
  worker: TestWorker;
  runner: FakeRunner;
  client: Client;
  requests: Array<{ method: string; status: number; lastId: string | null; cut: () => void }>;
}> {
  const worker = startWorkerInMemory();
  const runner = await worker.runner({ servers: [NOTES] });
  const { token } = await worker.client();
  const requests: Array<
    { method: string; status: number; lastId: string | null; cut: () => void }
  > = [];
  const transport = new StreamableHTTPClientTransport(new URL("http://localhost:8787/mcp"), {
    requestInit: { headers: { authorization: `Bearer ${token}` } },
    fetch: async (_, init = {}) => {
      const response = await worker.request("/mcp", init);
      const { readable, writable } = new TransformStream<Uint8Array, Uint8Array>();
      const cut = new AbortController();
      response.body?.pipeTo(writable, { signal: cut.signal }).catch(() => {});
      requests.push({
        method: init.method ?? "GET",
        status: response.status,
        lastId: new Headers(init.headers).get("last-event-id"),
        cut: () => cut.abort(new Error("connection lost")),
      });
      const { status, headers } = response;
      return new Response(response.body === null ? null : readable, { status, headers });
    },
  });
  const client = new Client({ name: "t", version: "1" }, {
    capabilities: { elicitation: { form: {} }, roots: {}, sampling: {} },
  });
  await client.connect(transport);
  return { worker, runner, client, requests };
}

test("a client of the SDK is asked, and answers, within its call", async () => {
  const { runner, client } = await connect();
  client.setRequestHandler(
    ElicitRequestSchema,
    () => ({ action: "accept", content: { name: "Ada" } }),
  );
  const result = client.callTool({ name: "notes__read" });
  const { header } = await runner.next("call");
  assert.equal(header.protocolVersion, "2025-11-25");
  runner.say({ type: "result", id: header.id, resultType: "input_required" }, {
    inputRequests: {
      who: {
        method: "elicitation/create",
        params: { message: "Who?", requestedSchema: { type: "object", properties: {} } },
      },
    },
  });
  const next = await runner.next("call");
  const { inputResponses } = JSON.parse(next.payload) as Record<string, unknown>;
  assert.deepEqual(inputResponses, { who: { action: "accept", content: { name: "Ada" } } });
  runner.say({ type: "result", id: next.header.id }, '{"content":[]}');
  assert.deepEqual(await result, { content: [] });
  await client.close();
});

test("a client of the SDK hears of changes and updates", async () => {
  const { runner, client } = await connect();
  const heard = Promise.withResolvers<void>();
  const updated = Promise.withResolvers<string>();
  client.setNotificationHandler(ToolListChangedNotificationSchema, () => heard.resolve());
  client.setNotificationHandler(
    ResourceUpdatedNotificationSchema,
    ({ params }) => updated.resolve(params.uri),
  );
  await client.subscribeResource({ uri: "notes:///a" });
  const { header } = await runner.next("call");
  runner.say(
    { type: "note", id: header.id },
    '{"jsonrpc":"2.0","method":"notifications/resources/updated","params":{"uri":"notes:///a"}}',
  );
  runner.offerServers({ ...NOTES, tools: ["notes__read", "notes__write"] });
  await heard.promise;
  assert.equal(await updated.promise, "notes:///a");
  await client.close();
});

test("a client of the SDK whose connection breaks comes again and gets the result", async () => {
  const { runner, client, requests } = await connect();
  const result = client.callTool({ name: "notes__read" });
  const { header } = await runner.next("call");
  runner.say({ type: "note", id: header.id }, NOTE);
  await settled();
  requests.at(-1)?.cut();
  runner.say({ type: "result", id: header.id }, '{"content":[]}');
  assert.deepEqual(await result, { content: [] });
  assert.match(requests.at(-1)?.lastId ?? "", /\.1$/);
  await client.close();
});

test("a client of the SDK that got an error on a stream does not come again for ever", async () => {
  const { runner, client, requests } = await connect();
  const result = client.callTool({ name: "notes__read" });
  const { header } = await runner.next("call");
  runner.say({ type: "note", id: header.id }, NOTE);
  await settled();
  runner.say({ type: "error", id: header.id }, '{"code":-32603,"message":"no"}');
  await assert.rejects(result, /no/);
  const again = await eventually("it has come again", () => {
    const last = requests.at(-1);
    return Promise.resolve(last?.lastId === null ? undefined : last);
  });
  // What ends an event source for good (WHATWG HTML §9.2.1).
  assert.deepEqual([again.method, again.status], ["GET", 204]);
  await client.close();
});
