import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { FLOOD_END, FLOOD_NOTE_LENGTH, FLOOD_NOTES } from "../support/answering-runner.ts";
import { eventually } from "../support/eventually.ts";
import {
  callOf,
  GOOD_CALL,
  type HostileBench,
  startHostileBench,
} from "../support/hostile-bench.ts";
import { openSocket, type RawSocket, requestBytes } from "../support/raw-http.ts";
import { forgetPeak, peakMemory, TELLS_MEMORY } from "../support/resident-memory.ts";

/** Far below the real limits, so that nobody waits, and far above what an honest request takes. */
const HEADERS_MS = 700;
const BODY_MS = 700;

const MIB = 1024 * 1024;

/** Sends `bytes` one by one; the function that it returns stops that, and says how many it were. */
function dribble(socket: RawSocket, bytes: Uint8Array): () => number {
  let at = 0;
  const timer = setInterval(() => socket.write(bytes.subarray(at, ++at)), 50);
  return () => {
    clearInterval(timer);
    return at;
  };
}

/** Opens `count` sockets that say nothing. */
function openSilent(origin: string, count: number): Promise<readonly RawSocket[]> {
  return Promise.all(Array.from({ length: count }, () => openSocket(origin)));
}

for (const runtime of ["node", "deno run"] as const) {
  describe(`the built worker on ${runtime}, with clients that are slow`, () => {
    let bench: HostileBench;
    before(async () => {
      bench = await startHostileBench(runtime, {
        MCP_RUNNER_BODY_MS: String(BODY_MS),
        ...(runtime === "node" && { MCP_RUNNER_HEADERS_MS: String(HEADERS_MS) }),
      });
    });
    after(() => bench[Symbol.asyncDispose]());

    // Deno answers, but keeps every socket that its client keeps, and has no setting for it.
    const closed = runtime === "node" ? ", and the socket closed" : "";
    const framings = {
      "an announced length": { "Content-Length": String(GOOD_CALL.length) },
      "chunks": { "Content-Length": undefined, "Transfer-Encoding": "chunked" },
    };
    for (const [framing, headers] of Object.entries(framings)) {
      test(`a body with ${framing} that stops is answered 408${closed}`, async () => {
        await using socket = await openSocket(bench.worker.origin);
        const whole = bench.request({ headers });
        socket.write(whole.subarray(0, whole.length - GOOD_CALL.length));
        socket.write("Content-Length" in headers && headers["Content-Length"] ? "{" : "1\r\n{\r\n");
        await bench.control();
        const answer = await socket.answer();
        assert.equal(answer.status, 408, answer.body);
        assert.match(answer.body, /"code":"request_timeout"/);
        if (runtime === "node") await socket.closed;
        bench.nothingElseRan();
      });
    }

    test("a body that comes byte by byte gets no more time than one that stops", async () => {
      await using socket = await openSocket(bench.worker.origin);
      const whole = bench.request();
      const body = whole.length - GOOD_CALL.length;
      socket.write(whole.subarray(0, body));
      const stop = dribble(socket, whole.subarray(body));
      const answer = await socket.answer();
      assert.ok(stop() < GOOD_CALL.length, "it was refused before it had sent everything");
      assert.equal(answer.status, 408, answer.body);
      bench.nothingElseRan();
    });

    test(`a request that is refused without its body does not wait for it${closed}`, async () => {
      await using socket = await openSocket(bench.worker.origin);
      const whole = bench.request({ headers: { Authorization: undefined } });
      socket.write(whole.subarray(0, -10));
      const answer = await socket.answer();
      assert.equal(answer.status, 401);
      if (runtime === "node") await socket.closed;
    });

    test("500 sockets that say nothing keep nobody else from being served", async () => {
      const silent = await openSilent(bench.worker.origin, 500);
      await bench.control();
      for (const { socket } of silent) socket.destroy();
      await Promise.all(silent.map(({ closed }) => closed));
      await bench.control();
    });
  });

  test(`the worker on ${runtime} ends at once, whatever slow clients hold open`, async () => {
    const bench = await startHostileBench(runtime);
    const [silent, stalled, reader] = await openSilent(bench.worker.origin, 3);
    stalled?.write(bench.request().subarray(0, -10));
    reader?.write(bench.request({
      body: callOf({ name: "probe__wait" }),
      headers: { "Mcp-Name": "probe__wait" },
    }));
    await bench.control();
    const startedAt = performance.now();
    await bench[Symbol.asyncDispose]();
    // Twenty seconds later it would be killed, and thirty later the body given up.
    assert.ok(performance.now() - startedAt < 10_000);
    await Promise.all([silent?.closed, stalled?.closed, reader?.closed]);
  });
}

for (const runtime of ["node", "deno run", "workerd"] as const) {
  // workerd gives memory back when it likes: there the platform bounds it.
  const tells = TELLS_MEMORY && runtime !== "workerd";
  const costs = tells ? "costs little memory" : "is sent little";
  test(`a client that does not read its stream on ${runtime} ${costs}, and gets its result`, async () => {
    await using bench = await startHostileBench(runtime);
    await bench.control();
    const before = tells ? await forgetPeak(bench.worker.pid) : 0;
    const socket = await openSocket(bench.worker.origin, { reads: false });
    socket.write(bench.request({
      body: callOf({ name: "probe__flood" }),
      headers: { "Mcp-Name": "probe__flood", "Connection": "close" },
    }));
    // Answers come through the same tunnel: the flood is behind when this one is there.
    while (!bench.runner.calls.some(({ params }) => params.includes("flood"))) {
      await bench.control();
    }
    await bench.control();
    const grown = tells ? await peakMemory(bench.worker.pid) - before : 0;
    const sent = FLOOD_NOTES * FLOOD_NOTE_LENGTH;
    // Most of it is what every note leaves behind until the next collection, read or not.
    assert.ok(grown < sent, `${grown / MIB} MiB for ${sent / MIB} MiB`);
    let read = "";
    socket.socket.setEncoding("latin1").on("data", (text: string) => read += text);
    await socket.closed;
    assert.match(read, /^HTTP\/1\.1 200 [^]*text\/event-stream/);
    assert.ok(read.length < sent / 4, `${read.length / MIB} MiB were read`);
    assert.match(read.slice(-1_000), new RegExp(FLOOD_END));
  });
}

describe("the built worker on node, with clients that never finish their headers", () => {
  let bench: HostileBench;
  before(async () => {
    bench = await startHostileBench("node", { MCP_RUNNER_HEADERS_MS: String(HEADERS_MS) });
  });
  after(() => bench[Symbol.asyncDispose]());

  test("headers that come byte by byte are answered 408, and the socket closed", async () => {
    await using socket = await openSocket(bench.worker.origin);
    const endless = requestBytes("POST /mcp", { "X-Slow": "x".repeat(10_000) });
    const stop = dribble(socket, endless);
    const [answer] = await Promise.all([socket.answer(), bench.control()]);
    assert.equal(answer.status, 408);
    await socket.closed;
    assert.ok(stop() < endless.length, "it was refused before it had sent everything");
  });

  test("500 sockets that say nothing are all closed", async () => {
    const silent = await openSilent(bench.worker.origin, 500);
    await bench.control();
    await Promise.all(silent.map(({ closed }) => closed));
  });
});

test("a cap of sockets for each address turns away the next one of that address alone", {
  skip: process.platform !== "linux" && "only there is every 127.x.x.x an address of the machine",
}, async () => {
  await using bench = await startHostileBench("node", { MCP_RUNNER_MAX_SOCKETS: "8" });
  const { origin } = bench.worker;
  const greedy = { localAddress: "127.0.0.2" };
  const open = await Promise.all(Array.from({ length: 8 }, () => openSocket(origin, greedy)));
  const ask = async (): Promise<number> => {
    await using socket = await openSocket(origin, greedy);
    socket.write(bench.request());
    return (await socket.answer()).status;
  };
  assert.equal(await ask(), 0);
  await bench.control();
  await open[0]?.[Symbol.asyncDispose]();
  await eventually("its place is free", async () => await ask() === 200 ? true : undefined);
  await Promise.all(open.map((socket) => socket[Symbol.asyncDispose]()));
});
