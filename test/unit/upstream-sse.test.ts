import assert from "node:assert/strict";
import type { ServerResponse } from "node:http";
import { test } from "node:test";
import {
  connectTo,
  eventOf,
  type Got,
  type Handler,
  initialize,
  modern,
  sendEvents,
  serveHttp,
} from "../support/upstream.ts";
import { eventually } from "../support/eventually.ts";
import { fakeClock } from "../support/fake-clock.ts";

/** An upstream of MCP 2024-11-05 and its stream. */
interface OldServer {
  readonly handler: Handler;
  readonly streams: ServerResponse[];
}

/** A server of 2024-11-05 that names `endpoint`, and refuses a POST anywhere else with `status`. */
function oldServer(endpoint: (got: Got) => string, status = 405): OldServer {
  const streams: ServerResponse[] = [];
  return {
    streams,
    handler: (got, response) => {
      if (got.method === "GET") {
        sendEvents(response);
        response.write(`event: endpoint\ndata: ${endpoint(got)}\n\n`);
        streams.push(response);
        return;
      }
      if (got.path !== "/messages?session=1") return void response.writeHead(status).end();
      response.writeHead(202).end("Accepted");
      const { id } = got.message;
      if (id !== undefined) streams.at(-1)?.write(eventOf({ id, result: { via: "stream" } }));
    },
  };
}

for (const status of [400, 404, 405]) {
  test(`a server that refuses initialize with ${status} is asked for its event stream`, async (t) => {
    const { handler, streams } = oldServer(() => "/messages?session=1", status);
    const site = await serveHttp(t, handler);
    const far = await connectTo(t, site.url, { headers: { "x-key": "k" } });
    const probe = await far.ask(modern(1, "server/discover"));
    assert.equal(probe.error?.code, 1003);
    assert.deepEqual((await far.ask(initialize(2))).result, { via: "stream" });
    far.write({ method: "notifications/initialized" });
    await far.ask({ id: 3, method: "tools/list" });
    streams[0]?.write(eventOf({ id: "q", method: "ping" }));
    await far.heard("a request", ({ id }) => id === "q");
    far.write({ id: "q", result: {} });
    await eventually(
      "the answer",
      () => Promise.resolve(site.got.find(({ message }) => message.id === "q")),
    );
    assert.deepEqual(site.got.map(({ method, path }) => `${method} ${path}`), [
      "POST /mcp",
      "POST /mcp",
      "GET /mcp",
      ...Array.from({ length: 4 }, () => "POST /messages?session=1"),
    ]);
    assert.ok(site.got.every(({ headers }) => headers["x-key"] === "k"));
  });
}

test("the end of the event stream is the end of the session", async (t) => {
  const { handler, streams } = oldServer(() => "messages?session=1");
  const site = await serveHttp(t, handler);
  const far = await connectTo(t, site.url);
  await far.ask(initialize(1));
  streams[0]?.end();
  assert.equal((await far.process.exited).reason, "exit");
  assert.deepEqual(far.stderr, ["the event stream ended"]);
});

test("stopping closes the event stream", async (t) => {
  const { handler } = oldServer(() => "/messages?session=1");
  const site = await serveHttp(t, handler);
  const far = await connectTo(t, site.url);
  await far.ask(initialize(1));
  await far.process.stop(1_000);
  const [, get] = site.got;
  await eventually("the stream is closed", () => Promise.resolve(get?.aborted || undefined));
  assert.deepEqual(far.stderr, []);
});

test("an endpoint at another origin is not used", async (t) => {
  const foreign = await serveHttp(t, (_got, response) => void response.writeHead(202).end());
  const { handler } = oldServer(() => `${foreign.origin}/messages?session=1`);
  const site = await serveHttp(t, handler);
  const far = await connectTo(t, site.url, { headers: { authorization: "Bearer s3cr3t-t0ken" } });
  const { error } = await far.ask(initialize(1));
  assert.match(error?.message ?? "", /it names an endpoint at another origin, which is not used$/);
  assert.deepEqual(foreign.got, []);
});

const NO_STREAMS: readonly (readonly [what: string, get: Handler])[] = [
  ["no stream", (_got, response) => void response.writeHead(200).end("hello")],
  ["a stream that begins with a message", (_got, response) => {
    sendEvents(response, { method: "x" });
  }],
  ["a stream that ends at once", (_got, response) => {
    sendEvents(response);
    response.end();
  }],
  ["an endpoint that is no URL", (_got, response) => {
    sendEvents(response);
    response.write("event: endpoint\ndata: http://[\n\n");
  }],
];

for (const [what, get] of NO_STREAMS) {
  test(`with ${what}, the answer to initialize is the refusal of the POST`, async (t) => {
    const site = await serveHttp(t, (got, response) => {
      if (got.method === "GET") return get(got, response);
      response.writeHead(404).end();
    });
    const far = await connectTo(t, site.url);
    const { error } = await far.ask(initialize(1));
    assert.match(error?.message ?? "", /no MCP endpoint at its URL \(HTTP 404\), check the URL$/);
  });
}

test("an endpoint is waited for 10 s", async (t) => {
  const clock = fakeClock();
  const site = await serveHttp(t, ({ method }, response) => {
    if (method === "GET") sendEvents(response);
    else response.writeHead(405).end();
  });
  const far = await connectTo(t, site.url, { clock });
  far.write(initialize(1));
  const get = await eventually("the GET", () => Promise.resolve(site.got[1]));
  clock.advance(10_000);
  const { error } = await far.heard("an error", ({ id }) => id === 1);
  assert.match(error?.message ?? "", /HTTP 405/);
  await eventually("the stream is closed", () => Promise.resolve(get.aborted || undefined));
});

test("a refusal that only a modern server gives is not taken for an old server", async (t) => {
  const site = await serveHttp(t, (_got, response) => {
    response.writeHead(400, { "content-type": "application/json" });
    response.end('{"jsonrpc":"2.0","id":1,"error":{"code":-32022,"message":"No"}}');
  });
  const far = await connectTo(t, site.url);
  assert.equal((await far.ask(initialize(1))).error?.code, -32022);
  assert.equal(site.got.length, 1);
});

test("an upstream of transport sse is asked for nothing newer", async (t) => {
  const site = await serveHttp(t, oldServer(() => "/messages?session=1").handler);
  const far = await connectTo(t, site.url, { transport: "sse" });
  const probe = await far.ask(modern(1, "server/discover"));
  assert.equal(probe.error?.code, -32601);
  assert.deepEqual((await far.ask(initialize(2))).result, { via: "stream" });
  assert.deepEqual(site.got.map(({ method, path }) => `${method} ${path}`), [
    "GET /mcp",
    "POST /messages?session=1",
  ]);
});

test("an upstream of transport sse that does not speak it is no server", async (t) => {
  const site = await serveHttp(t, (_got, response) => void response.writeHead(405).end());
  const far = await connectTo(t, site.url, { transport: "sse" });
  const { error } = await far.ask(initialize(1));
  assert.match(error?.message ?? "", /it does not speak HTTP\+SSE, check the URL$/);
  assert.deepEqual(site.got.map(({ method }) => method), ["GET"]);
});
