import assert from "node:assert/strict";
import { test } from "node:test";
import { GatewayError } from "../../src/errors.ts";
import { PROBE_TIMEOUT_MS } from "../../runner/server/discover.ts";
import { START_DEADLINE_MS } from "../../runner/server/instance.ts";
import { type Behaviour, silent, wellBehaved } from "../support/pipe.ts";
import { openServer } from "../support/server.ts";
import { settled } from "../support/settled.ts";

/** A server whose starts fail until `repair` is called. */
function failing(behave: Behaviour) {
  let current = behave;
  const bench = openServer({ behave: () => current, remembered: "nothing" });
  return { ...bench, repair: () => void (current = wellBehaved()) };
}

const causes: Array<[why: string, behave: Behaviour, message: RegExp]> = [
  [
    "exits at once",
    (_, pipe) => pipe.end({ code: 3 }),
    /^Cannot start server "probe": it exited with code 3$/,
  ],
  [
    "runs out of memory",
    (_, pipe) => pipe.end({ code: 137, oomKilled: true }),
    /^Cannot start server "probe": it ran out of memory, raise limits\.memory/,
  ],
  [
    "prints an endless line",
    (_, pipe) => pipe.end({ code: 137, reason: "overflow" }),
    /: it printed a line longer than the limit and was stopped$/,
  ],
  [
    "loses its engine",
    (_, pipe) => pipe.end({ code: null, reason: "lost" }),
    /: the connection to the Docker engine broke$/,
  ],
  [
    "refuses initialize and everything else",
    ({ id }, pipe) => pipe.say({ id, error: { code: -32602, message: "need a key" } }),
    /^Cannot use server "probe": it answered initialize with .*need a key/,
  ],
  [
    "answers initialize with something else",
    ({ id }, pipe) => pipe.say({ id, result: { ok: true } }),
    /^Cannot use server "probe": it answered initialize with something/,
  ],
  [
    "ends while it lists its tools",
    wellBehaved([], { "tools/list": (_, pipe) => pipe.end({ code: 1 }) }),
    /^Cannot start server "probe": it exited with code 1$/,
  ],
  [
    "ends right after its last answer",
    wellBehaved([], {
      "tools/list": ({ id }, pipe) => {
        pipe.say({ id, result: { tools: [] } });
        pipe.end({ code: 0 });
      },
    }),
    /^Cannot start server "probe": it exited with code 0$/,
  ],
];

for (const [why, behave, message] of causes) {
  test(`a server that ${why} answers all who wait with the cause, and is gone`, async () => {
    const { server, pipes, log, clock, repair } = failing(behave);
    const waiting = [server.start(), server.start()];
    for (const each of waiting) {
      await assert.rejects(each, { code: "server_failed", executed: "no", message });
    }
    assert.equal(pipes.length, 1);
    assert.equal(pipes[0]?.ended, true);
    assert.equal(server.containerId, undefined);
    assert.deepEqual(log.map(({ level }) => level), ["error"]);
    assert.match(log[0]?.message ?? "", message);
    repair();
    clock.advance(60_000);
    await server.start();
    assert.equal(server.lists?.tools.length, 1);
  });
}

test("the last lines of stderr are for the operator, not for the caller", async () => {
  const { server, log } = failing((_, pipe) => {
    for (let n = 1; n <= 50; n++) pipe.complain(`line ${n} \u001b[2J`);
    pipe.end({ code: 1 });
  });
  await assert.rejects(server.start(), (error: Error) => !/line/.test(error.message));
  const stderr = String(log[0]?.fields["stderr"]).split("\n");
  assert.equal(stderr.length, 20);
  assert.equal(stderr.at(-1), "line 50 \\x1b[2J");
});

test("a server that prints no messages is told so to the operator", async () => {
  const { server, log } = failing((_, pipe) => {
    pipe.say("Usage: server --stdio");
    pipe.end({ code: 2 });
  });
  await assert.rejects(server.start());
  assert.equal(log[0]?.fields["garbageLines"], 1);
});

const launchFailures: Array<[why: string, thrown: unknown, code: string, message: RegExp]> = [
  [
    "an image that is missing",
    new GatewayError("image_missing", 'Cannot find image "x"'),
    "image_missing",
    /^Cannot find image "x"$/,
  ],
  [
    "an engine that is down",
    new GatewayError("engine_unavailable", "Cannot reach a Docker engine"),
    "engine_unavailable",
    /^Cannot reach a Docker engine$/,
  ],
  ["an error of ours", new TypeError("x is undefined"), "internal", /internal error$/],
];

for (const [why, thrown, code, message] of launchFailures) {
  test(`${why} reaches those who wait, and the operator with the server's name`, async () => {
    const { server, log, pipes } = openServer({
      remembered: "nothing",
      launched: () => Promise.reject(thrown instanceof Error ? thrown : new Error()),
    });
    await assert.rejects(server.start(), { code, message });
    assert.equal(pipes.length, 0);
    assert.equal(log.length, 1);
    assert.equal(log[0]?.level, "error");
    assert.match(log[0]?.message ?? "", /probe/);
    const told = `${log[0]?.message} ${String(log[0]?.fields["cause"])}`;
    assert.ok(told.includes(thrown instanceof Error ? thrown.message : ""), told);
  });
}

test("a process that takes no input is told by its end, not by the write that failed", async () => {
  const broken = new GatewayError("server_failed", "Cannot write: it has ended");
  const { server, pipes } = openServer({
    behave: () => silent,
    remembered: "nothing",
    prepare: (pipe) => pipe.broken = broken,
  });
  const outcome = assert.rejects(server.start(), { message: /: it exited with code 127$/ });
  await settled();
  pipes[0]?.end({ code: 127 });
  await outcome;
});

const slow: Array<[what: string, behave: Behaviour, message: RegExp]> = [
  [
    "initialize",
    silent,
    /it did not answer initialize within 30 s, is it an MCP server over stdio\?/,
  ],
  [
    "tools/list",
    wellBehaved([], { "tools/list": silent }),
    /it did not give its lists within 30 s/,
  ],
  [
    "the last of many pages",
    wellBehaved([], {
      "tools/list": ({ id, params }, pipe) =>
        params?.["cursor"] === "3" ||
        pipe.say({
          id,
          result: { tools: [], nextCursor: String(Number(params?.["cursor"] ?? 0) + 1) },
        }),
    }),
    /it did not give its lists within 30 s/,
  ],
];

for (const [what, behave, message] of slow) {
  test(`a server that never answers ${what} is given up after 30 s and stopped`, async () => {
    const { server, clock, pipes } = failing(behave);
    const starting = server.start();
    const outcome = assert.rejects(starting, { code: "server_failed", message });
    await settled();
    clock.advance(PROBE_TIMEOUT_MS);
    await settled();
    clock.advance(START_DEADLINE_MS - PROBE_TIMEOUT_MS - 1);
    await settled();
    assert.equal(pipes[0]?.ended, false);
    clock.advance(1);
    await outcome;
    assert.deepEqual(pipes[0]?.stops, [0]);
    assert.equal(clock.pending, 0);
  });
}
