import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { after, before, describe, test } from "node:test";
import {
  callOf,
  GOOD_CALL,
  type HostileBench,
  type HostileRequest,
  startHostileBench,
} from "../support/hostile-bench.ts";
import { openSocket } from "../support/raw-http.ts";
import { forgetPeak, peakMemory, TELLS_MEMORY } from "../support/resident-memory.ts";

const RUNTIMES = ["node", "deno run", "workerd"] as const;
const MIB = 1024 * 1024;
const LIMIT = 4 * MIB;

/** A status, or one for each runtime where what refuses or serves is the runtime itself. */
type Status = number | Readonly<Record<(typeof RUNTIMES)[number], number>>;

/** A request, whole or as a change of the good one, and what becomes of it. */
interface Case {
  readonly what: string;
  readonly status: Status;
  readonly request: (host: string) => HostileRequest;
  /** What the bytes become before they are sent. */
  readonly mangle?: (text: string) => string;
}

/** Sent with another header. */
const withHeader = (name: string, value: string | readonly string[] | undefined) => () => ({
  headers: { [name]: value },
});

/** The body of a call of `bytes` bytes. */
function bodyOf(bytes: number): string {
  const empty = callOf({ name: "probe__echo", arguments: { x: "" } });
  return empty.replace('"x":""', () => `"x":"${"x".repeat(bytes - empty.length)}"`);
}

/** `text` as one chunk, and the end. */
function chunked(text: string): string {
  return `${text.length.toString(16)}\r\n${text}\r\n0\r\n\r\n`;
}

const IN_CHUNKS = { "Content-Length": undefined, "Transfer-Encoding": "chunked" };

const origins: readonly Case[] = [
  "https://evil.example",
  "null",
  "http://LOCALHOST",
  "http://127.0.0.1",
  "http://127.0.0.1:1",
  "http://evil-127.0.0.1",
  "http://127.0.0.1.evil.example",
  "file://",
].map((origin) => ({
  what: `the Origin "${origin}"`,
  status: 403,
  request: withHeader("Origin", origin),
}));

/** workerd does not show headers without a value; no browser sends this one. */
const emptyOrigin: Case = {
  what: "an Origin without a value",
  status: { "node": 403, "deno run": 403, "workerd": 200 },
  request: withHeader("Origin", ""),
};

/** Cloudflare's platform routes by host before any code of ours runs: there it is not looked at. */
const FOREIGN: Status = { "node": 403, "deno run": 403, "workerd": 200 };

const hosts: readonly Case[] = [
  { what: "a foreign Host", status: FOREIGN, request: withHeader("Host", "evil.example") },
  {
    what: "a Host that begins like ours",
    status: FOREIGN,
    request: withHeader("Host", "localhost.evil.example"),
  },
  {
    what: "a foreign URL before a good Host",
    status: FOREIGN,
    request: () => ({ line: "POST http://evil.example/mcp" }),
  },
  {
    what: "a good URL before a foreign Host",
    status: FOREIGN,
    request: (host) => ({ line: `POST http://${host}/mcp`, headers: { Host: "evil.example" } }),
  },
  {
    what: "a good Host and a foreign one",
    // workerd's own answer to what is no URL.
    status: { "node": 403, "deno run": 400, "workerd": 500 },
    request: (host) => ({ headers: { Host: [host, "evil.example"] } }),
  },
  {
    what: "no Host",
    // Deno puts its own address in its place, which no web page can make a browser do.
    status: { "node": 400, "deno run": 200, "workerd": 400 },
    request: withHeader("Host", undefined),
  },
];

const framing: readonly Case[] = [
  { what: "a body of 5 MiB", status: 413, request: () => ({ body: bodyOf(5 * MIB) }) },
  {
    what: "5 MiB in chunks, without a length",
    status: 413,
    request: () => ({ body: chunked(bodyOf(5 * MIB)), headers: IN_CHUNKS }),
  },
  {
    what: "a body that is longer than it says",
    status: 400,
    request: withHeader("Content-Length", "10"),
  },
  { what: "a negative length", status: 400, request: withHeader("Content-Length", "-1") },
  { what: "two lengths", status: 400, request: withHeader("Content-Length", ["10", "11"]) },
  {
    what: "a length, and a body that is no chunks but says so",
    status: 400,
    request: withHeader("Transfer-Encoding", "chunked"),
  },
  {
    what: "chunks, and a length beside them",
    // workerd goes by the chunks (RFC 9112 §6.3), which the proxy in front must do as well.
    status: { "node": 400, "deno run": 400, "workerd": 200 },
    request: () => ({ body: chunked(GOOD_CALL), headers: { "Transfer-Encoding": "chunked" } }),
  },
  {
    what: "an unknown transfer coding",
    status: 400,
    request: () => ({ headers: { ...IN_CHUNKS, "Transfer-Encoding": "xchunked" } }),
  },
  {
    what: "chunks that are no chunks",
    // Deno closes without a word.
    status: { "node": 400, "deno run": 0, "workerd": 400 },
    request: () => ({ headers: IN_CHUNKS, body: `zz\r\n${GOOD_CALL}\r\n0\r\n\r\n` }),
  },
];

const heads: readonly Case[] = [
  {
    what: "a header of 20 KB",
    status: { "node": 431, "deno run": 200, "workerd": 200 },
    request: withHeader("X-Big", "x".repeat(20_000)),
  },
  {
    what: "a header of 200 KB",
    status: { "node": 431, "deno run": 400, "workerd": 200 },
    request: withHeader("X-Big", "x".repeat(200_000)),
  },
  {
    what: "2,000 headers",
    status: { "node": 431, "deno run": 400, "workerd": 200 },
    request: () => ({
      headers: Object.fromEntries(Array.from({ length: 2_000 }, (_, n) => [`X-${n}`, "x"])),
    }),
  },
  { what: "a NUL in a header", status: 400, request: withHeader("X-Nul", "a\0b") },
  {
    what: "lines that end without a carriage return",
    // The proxy in front must not pass on what it reads differently.
    status: { "node": 400, "deno run": 200, "workerd": 200 },
    request: () => ({}),
    mangle: (text) => text.replaceAll("\r\n", "\n"),
  },
  {
    what: "a space before a colon",
    status: 400,
    request: () => ({}),
    mangle: (text) => text.replace("Content-Length:", "Content-Length :"),
  },
  {
    what: "a folded header",
    status: 400,
    request: withHeader("X-Folded", "a\r\n b"),
  },
  {
    what: "no HTTP at all",
    status: 400,
    request: () => ({}),
    mangle: () => "\x16\x03\x01\x02\0\x01\0\x01\xfc\x03\x03\r\n\r\n",
  },
];

const methods: readonly Case[] = ["PUT", "PATCH", "TRACE", "QUERY", "HEAD"].map((method) => ({
  what: `${method} /mcp`,
  status: 405,
  request: () => ({ line: `${method} /mcp`, body: "" }),
}));

for (const runtime of RUNTIMES) {
  describe(`hostile HTTP at the built worker on ${runtime}`, () => {
    let bench: HostileBench;
    before(async () => void (bench = await startHostileBench(runtime)));
    after(() => bench[Symbol.asyncDispose]());

    for (
      const { what, status, request, mangle } of [
        ...origins,
        emptyOrigin,
        ...hosts,
        ...framing,
        ...heads,
        ...methods,
      ]
    ) {
      const expected = typeof status === "number" ? status : status[runtime];
      test(`${what} is answered ${expected}${expected === 200 ? "" : ", and runs nothing"}`, async () => {
        const wanted = request(new URL(bench.worker.origin).host);
        const text = Buffer.from(bench.request(wanted)).toString("latin1");
        const bytes = Buffer.from(mangle === undefined ? text : mangle(text), "latin1");
        const before = bench.runner.calls.length;
        const bodiless = wanted.line?.startsWith("HEAD") === true;
        const answer = await bench.sendBytes(bytes, { bodiless });
        assert.equal(answer.status, expected, answer.body);
        assert.equal(answer.headers.get("access-control-allow-origin"), undefined);
        if (expected === 405) {
          assert.match(answer.headers.get("allow") ?? "", /\bPOST\b.*\bOPTIONS\b/);
        }
        // The control call alone, or both.
        assert.equal(bench.runner.calls.length - before, expected === 200 ? 2 : 1);
      });
    }

    test("GET and DELETE are for sessions, whatever else the headers name", async () => {
      for (const session of [undefined, "forged.id"]) {
        for (const method of ["GET", "DELETE"]) {
          const headers = {
            "MCP-Protocol-Version": "2025-11-25",
            "Mcp-Session-Id": session,
            "Last-Event-ID": "1",
          };
          const answer = await bench.send({ line: `${method} /mcp`, body: "", headers });
          if (session !== undefined) assert.equal(answer.status, 404, method);
          else if (method === "DELETE") assert.equal(answer.status, 400);
          else {
            assert.equal(answer.status, 405);
            assert.match(answer.headers.get("allow") ?? "", /\bPOST\b.*\bOPTIONS\b/);
          }
        }
      }
    });

    test("a request of 2026-07-28 ignores a session id and Last-Event-ID", async () => {
      const headers = { "Mcp-Session-Id": "forged.id", "Last-Event-ID": "1" };
      const answer = await bench.send({ headers });
      assert.equal(answer.status, 200, answer.body);
      assert.equal(answer.headers.get("mcp-session-id"), undefined);
    });

    test("a client that does not say what it accepts is answered in JSON", async () => {
      for (const accept of [undefined, "text/html", "application/json", "*/*"]) {
        const answer = await bench.send({ headers: { Accept: accept } });
        assert.equal(answer.status, 200);
        assert.equal(answer.headers.get("content-type"), "application/json");
      }
    });

    test("a preflight of an unknown origin learns nothing", async () => {
      for (const origin of ["https://evil.example", "null"]) {
        const answer = await bench.send({
          line: "OPTIONS /mcp",
          body: "",
          headers: { "Origin": origin, "Access-Control-Request-Method": "POST" },
        });
        assert.equal(answer.status, 403);
        const cors = [...answer.headers.keys()].filter((name) => name.startsWith("access-control"));
        assert.deepEqual(cors, []);
      }
    });

    test("5 MiB behind a length of 10 are not read as a body, nor as a request", async () => {
      await using socket = await openSocket(bench.worker.origin);
      const before = bench.runner.calls.length;
      socket.write(bench.request({ body: bodyOf(5 * MIB), headers: { "Content-Length": "10" } }));
      await Promise.all([socket.closed, bench.control()]);
      assert.equal(bench.runner.calls.length, before + 1);
    });

    test("a body that ends before its length runs nothing", async () => {
      await using socket = await openSocket(bench.worker.origin);
      const before = bench.runner.calls.length;
      socket.write(bench.request().subarray(0, -1));
      socket.socket.end();
      await Promise.all([socket.closed, bench.control()]);
      await bench.control();
      assert.equal(bench.runner.calls.length, before + 2);
    });

    // workerd gives memory back when it likes: there the platform bounds it.
    if (runtime !== "workerd") {
      test("bodies that are too large, and one without an end, do not stay in the memory", {
        skip: !TELLS_MEMORY && "the system does not tell the memory of a process",
      }, () => memoryStaysBounded(bench));
    }

    test("nothing of all this was an internal error, and no token is in the log", () => {
      const log = bench.worker.output();
      assert.doesNotMatch(log, /failed inside the worker|mcpr_(?:client|tunnel)_/);
    });
  });
}

async function memoryStaysBounded(bench: HostileBench): Promise<void> {
  const large = bench.request({ body: bodyOf(5 * MIB) });
  await bench.sendBytes(large);
  const before = await forgetPeak(bench.worker.pid);
  for (let n = 0; n < 20; n++) await bench.sendBytes(large);
  await using socket = await openSocket(bench.worker.origin);
  const head = bench.request({ headers: IN_CHUNKS, body: "" });
  socket.write(head);
  const chunk = Buffer.from(chunked("x".repeat(MIB)).slice(0, -5));
  for (let n = 0; n < 32; n++) socket.write(chunk);
  assert.equal((await socket.answer()).status, 413);
  const grown = await peakMemory(bench.worker.pid) - before;
  // One body at most is kept at a time; the rest is what a runtime lets lie until it collects.
  assert.ok(grown < 16 * LIMIT, `${grown / MIB} MiB for ${20 * 5 + 32} MiB`);
  await bench.control();
}
