import assert from "node:assert/strict";
import type { ServerResponse } from "node:http";
import { test } from "node:test";
import { TELL_MS } from "../../runner/upstream/post.ts";
import {
  connectTo,
  eventOf,
  type Far,
  type Got,
  type Handler,
  initialize,
  type RpcMessage,
  sendEvents,
  sendJson,
  serveHttp,
  type Site,
} from "../support/upstream.ts";
import { eventually } from "../support/eventually.ts";
import { fakeClock } from "../support/fake-clock.ts";

/** What a session answers to a GET, and to a request other than `initialize`. */
interface Behaviour {
  readonly get?: Handler;
  readonly request?: Handler;
}

/** A legacy server that gives out session "s1" and has no stream, unless told otherwise. */
function sessionServer({ get = noStream, request = succeed }: Behaviour = {}): Handler {
  return (got, response) => {
    const { method, message } = got;
    if (method === "GET") return get(got, response);
    if (method === "DELETE") return void response.writeHead(204).end();
    if (message.method === "initialize") {
      response.setHeader("mcp-session-id", "s1");
      const result = { protocolVersion: "2025-06-18", capabilities: {} };
      return sendJson(response, { jsonrpc: "2.0", id: message.id, result });
    }
    if (message.id === undefined || message.method === undefined) {
      return void response.writeHead(202).end();
    }
    return request(got, response);
  };
}

function noStream(_got: Got, response: ServerResponse): void {
  response.writeHead(405).end();
}

function succeed({ message: { id } }: Got, response: ServerResponse): void {
  sendJson(response, { jsonrpc: "2.0", id, result: {} });
}

async function open(far: Far): Promise<void> {
  await far.ask(initialize(1));
  far.write({ method: "notifications/initialized" });
}

/** Opens a session and waits until the site has taken that: no clock runs for it any more. */
async function opened(far: Far, { got }: Site): Promise<void> {
  await open(far);
  await eventually("a GET", () => Promise.resolve(got.find(({ method }) => method === "GET")));
}

/** What was asked for, in short: the HTTP method, and the message's or the last event id. */
function shorts(got: readonly Got[]): readonly string[] {
  return got.map(({ method, message, headers }) =>
    [method, message.method ?? headers["last-event-id"] ?? ""].join(" ").trim()
  );
}

test("a session's id and version go along with everything after initialize", async (t) => {
  const site = await serveHttp(t, sessionServer());
  const far = await connectTo(t, site.url, { headers: { "mcp-session-id": "x", "X-Key": "k" } });
  await open(far);
  await far.ask({ id: 2, method: "tools/list", params: {} });
  await eventually("the GET", () => Promise.resolve(site.got[3]));
  await far.process.stop(1_000);
  assert.deepEqual(shorts(site.got).toSorted(), [
    "DELETE",
    "GET",
    "POST initialize",
    "POST notifications/initialized",
    "POST tools/list",
  ]);
  const [first, ...later] = site.got;
  assert.equal(first?.headers["mcp-session-id"], undefined);
  assert.equal(first?.headers["mcp-protocol-version"], undefined);
  assert.equal(first?.headers["mcp-method"], undefined);
  for (const { headers } of later) {
    assert.equal(headers["mcp-session-id"], "s1");
    assert.equal(headers["mcp-protocol-version"], "2025-06-18");
    assert.equal(headers["x-key"], "k");
  }
});

test("a server without sessions is served without, and nothing is deleted", async (t) => {
  const site = await serveHttp(t, ({ method, message: { id } }, response) => {
    if (method !== "POST") return void response.writeHead(405).end();
    if (id === undefined) return void response.writeHead(202).end();
    sendJson(response, {
      jsonrpc: "2.0",
      id,
      result: { protocolVersion: "2025-03-26", capabilities: {} },
    });
  });
  const far = await connectTo(t, site.url);
  await open(far);
  await far.ask({ id: 2, method: "ping" });
  await far.process.stop(1_000);
  assert.ok(!shorts(site.got).includes("DELETE"));
  assert.equal(site.got[1]?.headers["mcp-session-id"], undefined);
});

test("nothing overtakes the initialized notification", async (t) => {
  let accept: () => void = () => {};
  const site = await serveHttp(t, (got, response) => {
    if (got.message.method === "notifications/initialized") {
      accept = () => void response.writeHead(202).end();
    } else return sessionServer()(got, response);
  });
  const far = await connectTo(t, site.url);
  await open(far);
  far.write({ id: 2, method: "tools/list" });
  await eventually("initialized", () => Promise.resolve(site.got[1]));
  assert.deepEqual(shorts(site.got), ["POST initialize", "POST notifications/initialized"]);
  accept();
  await far.heard("the list", ({ id }) => id === 2);
});

test("a server's request comes as a line, and the answer to it is posted", async (t) => {
  let finish: () => void = () => {};
  const site = await serveHttp(t, (got, response) => {
    if (got.message.id === "q") finish();
    return sessionServer({
      request: ({ message: { id } }) => {
        sendEvents(response, { id: "q", method: "elicitation/create", params: {} });
        finish = () => void response.end(eventOf({ id, result: { done: true } }));
      },
    })(got, response);
  });
  const far = await connectTo(t, site.url);
  await open(far);
  far.write({ id: 2, method: "tools/call" });
  await far.heard("the question", ({ method }) => method === "elicitation/create");
  far.write({ id: "q", result: { action: "accept" } });
  const { result } = await far.heard("the result", ({ id }) => id === 2);
  assert.deepEqual(result, { done: true });
});

test("a batch of answers comes as one line each", async (t) => {
  const site = await serveHttp(
    t,
    sessionServer({
      request: ({ message: { id } }, response) => {
        response.writeHead(200, { "content-type": "application/json" });
        response.end(
          `[{"jsonrpc":"2.0","method":"x"},\n {"jsonrpc":"2.0","id":${id},"result":{}}]`,
        );
      },
    }),
  );
  const far = await connectTo(t, site.url);
  await open(far);
  await far.ask({ id: 2, method: "tools/call" });
  assert.deepEqual(far.lines.slice(1), [
    '{"jsonrpc":"2.0","method":"x"}',
    '{"jsonrpc":"2.0","id":2,"result":{}}',
  ]);
});

test("cancelling tells a legacy server, then lets go of the stream", async (t) => {
  const site = await serveHttp(
    t,
    sessionServer({ request: (_got, response) => sendEvents(response) }),
  );
  const far = await connectTo(t, site.url);
  await open(far);
  far.write({ id: 2, method: "tools/call" });
  const call = await eventually(
    "the call",
    () => Promise.resolve(site.got.find(({ message }) => message.method === "tools/call")),
  );
  far.write({ method: "notifications/cancelled", params: { requestId: 2, reason: "enough" } });
  await eventually("the stream is closed", () => Promise.resolve(call.aborted || undefined));
  const { message } = site.got.find(({ message }) => message.params?.["requestId"] === 2) ?? {};
  assert.equal(message?.method, "notifications/cancelled");
  assert.equal(far.lines.length, 1);
});

test("a server that does not even take the cancellation is let go of all the same", async (t) => {
  const clock = fakeClock();
  const serve = sessionServer({ request: (_got, response) => sendEvents(response) });
  const site = await serveHttp(t, (got, response) => {
    if (got.message.method !== "notifications/cancelled") return serve(got, response);
  });
  const far = await connectTo(t, site.url, { clock });
  await open(far);
  far.write({ id: 2, method: "tools/call" });
  const arrived = (method: string): Promise<Got> =>
    eventually(method, () => {
      return Promise.resolve(site.got.find(({ message }) => message.method === method));
    });
  const call = await arrived("tools/call");
  far.write({ method: "notifications/cancelled", params: { requestId: 2, reason: "enough" } });
  const cancel = await arrived("notifications/cancelled");
  clock.advance(TELL_MS);
  for (const each of [cancel, call]) {
    await eventually("it is closed", () => Promise.resolve(each.aborted || undefined));
  }
  const line = await eventually("a line", () => Promise.resolve(far.stderr[0]));
  assert.match(line, /^notifications\/cancelled was not delivered: it was not answered in time$/);
});

test("the stream for everything else opens after initialized, and again where it ended", async (t) => {
  const streams: ServerResponse[] = [];
  const site = await serveHttp(
    t,
    sessionServer({
      get: (_got, response) => {
        sendEvents(response);
        response.write(`retry: 1\nid: e${streams.length}\n\n`);
        streams.push(response);
      },
    }),
  );
  const far = await connectTo(t, site.url);
  await open(far);
  await eventually("a stream", () => Promise.resolve(streams[0]));
  streams[0]?.end(eventOf({ method: "notifications/tools/list_changed" }, "last"));
  await far.heard("news", ({ method }) => method === "notifications/tools/list_changed");
  await eventually("the next stream", () => Promise.resolve(streams[1]));
  streams[1]?.write(eventOf({ id: "q", method: "ping" }));
  await far.heard("a request", ({ id }) => id === "q");
  const gets = site.got.filter(({ method }) => method === "GET");
  assert.deepEqual(gets.map(({ headers }) => [headers["accept"], headers["last-event-id"]]), [
    ["text/event-stream", undefined],
    ["text/event-stream", "last"],
  ]);
});

test("a stream is not asked for again before its server wants that", async (t) => {
  const clock = fakeClock();
  const site = await serveHttp(
    t,
    sessionServer({
      get: (_got, response) => {
        sendEvents(response);
        response.end("retry: 60000\n\n");
      },
    }),
  );
  const far = await connectTo(t, site.url, { clock });
  await opened(far, site);
  await eventually("a wait", () => Promise.resolve(clock.pending === 1 || undefined));
  clock.advance(59_999);
  await far.ask({ id: 2, method: "ping" });
  assert.equal(shorts(site.got).filter((each) => each === "GET").length, 1);
  clock.advance(1);
  await eventually(
    "the second GET",
    () => Promise.resolve(shorts(site.got).filter((each) => each === "GET")[1]),
  );
});

test("a stream that fails is asked for again for as long as it takes", async (t) => {
  const clock = fakeClock();
  const gets: ServerResponse[] = [];
  const site = await serveHttp(
    t,
    sessionServer({
      get: (_got, response) => {
        gets.push(response);
        if (gets.length <= 10) response.writeHead(503).end();
        else sendEvents(response, { method: "notifications/tools/list_changed" });
      },
    }),
  );
  const far = await connectTo(t, site.url, { clock });
  await opened(far, site);
  for (let n = 1; n <= 10; n++) {
    await eventually(
      `wait ${n}`,
      () => Promise.resolve(gets.length === n && clock.pending === 1 || undefined),
    );
    clock.advance(61_000);
  }
  await far.heard("news", ({ method }) => method === "notifications/tools/list_changed");
});

test("an answer that its server breaks off is fetched from where it broke off", async (t) => {
  let gets = 0;
  const site = await serveHttp(
    t,
    sessionServer({
      request: ({ message: { id } }, response) => {
        sendEvents(response);
        response.write(
          `retry: 1\n${eventOf({ method: "notifications/progress" }, `${id}-a`)}`,
          () => response.destroy(),
        );
      },
      get: ({ headers }, response) => {
        if (headers["last-event-id"] === undefined) return noStream({} as Got, response);
        sendEvents(response);
        // Once more it ends early, politely this time.
        if (++gets === 1) return void response.end("id: 2-b\n\n");
        assert.equal(headers["last-event-id"], "2-b");
        response.end(eventOf({ id: 2, result: { whole: true } }));
      },
    }),
  );
  const far = await connectTo(t, site.url);
  await open(far);
  const { result } = await far.ask({ id: 2, method: "tools/call" });
  assert.deepEqual(result, { whole: true });
  assert.equal(shorts(site.got).filter((each) => each === "POST tools/call").length, 1);
});

test("an answer that cannot be fetched again may have been carried out", async (t) => {
  const clock = fakeClock();
  const site = await serveHttp(
    t,
    sessionServer({
      request: (_got, response) => {
        sendEvents(response);
        response.end("id: a\n\n");
      },
      get: ({ headers }, response) => {
        response.writeHead(headers["last-event-id"] === undefined ? 405 : 502).end();
      },
    }),
  );
  const far = await connectTo(t, site.url, { clock });
  await opened(far, site);
  far.write({ id: 2, method: "tools/call" });
  const resumes = (): number => shorts(site.got).filter((each) => each === "GET a").length;
  for (let n = 0; n < 6; n++) {
    await eventually(
      `wait ${n}`,
      () => Promise.resolve(resumes() === n && clock.pending === 1 || undefined),
    );
    clock.advance(61_000);
  }
  const { error } = await far.heard("an error", ({ id }) => id === 2);
  assert.deepEqual([error?.code, error?.data?.["executed"]], [1004, "unknown"]);
  assert.equal(resumes(), 6);
});

test("an answer that cannot be fetched again because its server is gone may have been carried out", async (t) => {
  const clock = fakeClock();
  const site = await serveHttp(
    t,
    sessionServer({
      request: (_got, response) => {
        sendEvents(response);
        response.end("id: a\n\n");
      },
    }),
  );
  const far = await connectTo(t, site.url, { clock });
  await opened(far, site);
  far.write({ id: 2, method: "tools/call" });
  await eventually("a wait", () => Promise.resolve(clock.pending === 1 || undefined));
  await site.close();
  const { error } = await eventually("an error", () => {
    clock.advance(61_000);
    return Promise.resolve(far.lines.map((line) => JSON.parse(line) as RpcMessage)[1]);
  });
  assert.deepEqual([error?.code, error?.data?.["executed"]], [1004, "unknown"]);
});

test("an answer without event ids that breaks off is not asked for again", async (t) => {
  const site = await serveHttp(
    t,
    sessionServer({
      request: (_got, response) => {
        sendEvents(response);
        response.end();
      },
    }),
  );
  const far = await connectTo(t, site.url);
  await open(far);
  const { error } = await far.ask({ id: 2, method: "tools/call" });
  assert.deepEqual([error?.code, error?.data?.["executed"]], [1004, "unknown"]);
});

const ENDS: readonly (readonly [what: string, status: number, code: number])[] = [
  ["404", 404, -32001],
  ["400 as restarted servers do", 400, -32000],
];

for (const [what, status, code] of ENDS) {
  test(`a session that its server has forgotten ends the process: ${what}`, async (t) => {
    const site = await serveHttp(
      t,
      sessionServer({
        request: (_got, response) =>
          sendJson(response, { jsonrpc: "2.0", id: null, error: { code, message: "No" } }, status),
      }),
    );
    const far = await connectTo(t, site.url);
    await open(far);
    const { error } = await far.ask({ id: 2, method: "tools/call" });
    assert.match(error?.message ?? "", /its session has ended: try again$/);
    assert.equal(error?.data?.["executed"], "no");
    assert.deepEqual(await far.process.exited, { code: null, oomKilled: false, reason: "exit" });
    assert.ok(!shorts(site.got).includes("DELETE"));
    assert.throws(() => far.write({ id: 3, method: "ping" }), { code: "server_failed" });
  });
}

test("a session that has ended is noticed on its stream too", async (t) => {
  const site = await serveHttp(
    t,
    sessionServer({ get: (_got, response) => void response.writeHead(404).end() }),
  );
  const far = await connectTo(t, site.url);
  await open(far);
  assert.equal((await far.process.exited).reason, "exit");
});

test("404 for a method that is not found leaves the session alone", async (t) => {
  const site = await serveHttp(
    t,
    sessionServer({
      request: ({ message: { id, method } }, response) =>
        method === "ping"
          ? sendJson(response, { jsonrpc: "2.0", id, result: {} })
          : sendJson(response, { error: { code: -32601, message: "No" } }, 404),
    }),
  );
  const far = await connectTo(t, site.url);
  await open(far);
  assert.equal((await far.ask({ id: 2, method: "tasks/list" })).error?.code, -32601);
  assert.deepEqual((await far.ask({ id: 3, method: "ping" })).result, {});
});

test("a session id that fits no header is refused", async (t) => {
  const site = await serveHttp(t, ({ message: { id } }, response) => {
    response.setHeader("mcp-session-id", "a b");
    sendJson(response, { jsonrpc: "2.0", id, result: { protocolVersion: "2025-11-25" } });
  });
  const far = await connectTo(t, site.url);
  const { error } = await far.ask(initialize(1));
  assert.match(error?.message ?? "", /session id cannot go back in a header$/);
});

test("stopping does not wait for a server that does not let the session go", async (t) => {
  const clock = fakeClock();
  const site = await serveHttp(t, (got, response) => {
    if (got.method !== "DELETE") return sessionServer()(got, response);
  });
  const far = await connectTo(t, site.url, { clock });
  await open(far);
  await far.ask({ id: 2, method: "ping" });
  const stopped = far.process.stop(2_000);
  await eventually(
    "the DELETE",
    () => Promise.resolve(site.got.find(({ method }) => method === "DELETE")),
  );
  clock.advance(2_000);
  await stopped;
  assert.equal((await far.process.exited).reason, "closed");
});
