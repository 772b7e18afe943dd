import assert from "node:assert/strict";
import { test } from "node:test";
import { begin } from "../support/exchange.ts";
import { longestWaits } from "../support/longest-waits.ts";
import { type ManagedBench, openManaged } from "../support/managed.ts";
import { type Behaviour, modern, silent, wellBehaved } from "../support/pipe.ts";
import { settled } from "../support/settled.ts";
import { GatewayError } from "../../src/errors.ts";

const hanging = () => modern(["echo"], { "tools/call": silent });

/** Makes a call and lets the process crash under it; gives what the caller heard. */
async function crash(bench: ManagedBench, said = "panic"): Promise<readonly string[]> {
  const { events, failures } = begin(bench.server);
  await settled();
  for (const pipe of bench.alive()) {
    pipe.complain(said);
    pipe.end({ code: 7 });
  }
  await settled();
  return [...events, ...failures];
}

/** Lets it crash `times` times, as quickly as it is started again. */
async function crashLoop(bench: ManagedBench, times: number): Promise<void> {
  for (let n = 0; n < times; n++) {
    await crash(bench);
    bench.clock.advance(16_000);
  }
}

test("after a first crash the next call starts it again at once", async () => {
  const bench = openManaged({ behave: hanging });
  assert.deepEqual((await crash(bench)).slice(0, 2), [
    "accepted",
    "failed server_crashed unknown",
  ]);
  const { events } = begin(bench.server);
  await settled();
  assert.deepEqual(events, ["accepted"]);
});

test("crashes that come quickly make it wait, twice as long each time", async () => {
  using _ = longestWaits();
  const bench = openManaged({ behave: hanging });
  await crash(bench);
  for (const seconds of [1, 2, 4]) {
    await crash(bench);
    const [event, message] = await crash(bench);
    assert.equal(event, "failed server_failed no");
    assert.match(
      message ?? "",
      new RegExp(`^Server "probe" keeps ending: it exited with code 7; .* in ${seconds} s$`),
    );
    bench.clock.advance(seconds * 1_000);
  }
  assert.equal(bench.pipes.length, 4);
});

test("a crash after more than a minute of good work is a first one again", async () => {
  const bench = openManaged({ behave: hanging });
  for (let n = 0; n < 3; n++) {
    await crash(bench);
    begin(bench.server);
    await settled();
    bench.clock.advance(60_001);
  }
  assert.equal(bench.pipes.length, 4);
});

test("five crashes within five minutes: it is given up, with the cause for clients and the lines for the operator", async () => {
  const bench = openManaged({ behave: hanging });
  await crashLoop(bench, 5);
  const { server, log, journal } = bench;
  assert.equal(server.state, "failed");
  const { events, failures } = begin(server);
  await settled();
  assert.deepEqual(events, ["failed server_failed no"]);
  assert.equal(
    failures[0],
    'Server "probe" has failed too often and is not started for now: it exited with code 7; it is ' +
      "tried again in 5 min",
  );
  assert.equal(bench.pipes.length, 5);
  assert.equal(server.failure?.message, failures[0]);
  assert.equal(server.lastWords, "panic");
  const last = log.at(-1);
  assert.equal(last?.level, "error");
  assert.match(
    last?.message ?? "",
    /^Server "probe" has failed 5 times and is given up for 5 min: /,
  );
  assert.equal(last?.fields["stderr"], "panic");
  const told = journal.at(-1);
  assert.equal(told?.type, "failed");
  assert.deepEqual(journal.filter(({ type }) => type === "crash").length, 5);
});

test("four crashes, or five in a longer time, do not give it up", async () => {
  const bench = openManaged({ behave: hanging });
  await crashLoop(bench, 4);
  assert.equal(bench.server.state, "cold");
  bench.clock.advance(5 * 60_000);
  await crashLoop(bench, 4);
  assert.equal(bench.server.state, "cold");
});

test("five minutes later it is tried once more: one failure gives it up again", async () => {
  const bench = openManaged({ behave: hanging });
  await crashLoop(bench, 5);
  bench.clock.advance(5 * 60_000);
  assert.equal(bench.server.state, "failed");
  assert.equal((await crash(bench))[0], "accepted");
  assert.equal(bench.server.state, "failed");
  assert.equal((await crash(bench))[0], "failed server_failed no");
});

test("one that works again after it was given up is as good as any", async () => {
  const bench = openManaged({ behave: hanging });
  await crashLoop(bench, 5);
  bench.clock.advance(5 * 60_000);
  begin(bench.server);
  await settled();
  assert.equal(bench.server.state, "ready");
  assert.equal(bench.server.failure, undefined);
  bench.clock.advance(5 * 60_000);
  await crash(bench);
  assert.equal(bench.server.state, "cold");
});

test("retry() lets the next call try at once", async () => {
  const bench = openManaged({ behave: hanging });
  await crashLoop(bench, 5);
  bench.server.retry();
  assert.equal(bench.server.state, "cold");
  assert.equal(bench.server.failure, undefined);
  assert.equal((await crash(bench))[0], "accepted");
  assert.equal(bench.server.state, "cold");
});

/** A server whose every start fails. */
const failing: Behaviour = (_, pipe) => {
  pipe.complain("Error: cannot find module");
  pipe.end({ code: 1 });
};

/** Makes calls until `starts` of them have started something. */
async function failStarts(bench: ManagedBench, starts: number): Promise<void> {
  while (bench.pipes.length < starts) {
    begin(bench.server);
    await settled();
    bench.clock.advance(8_000);
  }
}

test("starts that fail count as well", async () => {
  const bench = openManaged({ behave: () => failing });
  await failStarts(bench, 4);
  assert.equal(bench.server.state, "cold");
  assert.match(bench.server.failure?.message ?? "", /^Cannot start server "probe": .* code 1$/);
  await failStarts(bench, 5);
  assert.equal(bench.server.state, "failed");
  assert.match(bench.server.lastWords ?? "", /cannot find module/);
});

test("with lifetime call a start that failed makes the next calls wait, too", async () => {
  using _ = longestWaits();
  const bench = openManaged({ life: { lifetime: "call" }, behave: () => failing });
  begin(bench.server);
  await settled();
  const started = bench.pipes.length;
  const { events } = begin(bench.server);
  await settled();
  assert.deepEqual(events, ["failed server_failed no"]);
  assert.equal(bench.pipes.length, started);
});

for (const code of ["engine_unavailable", "secret_missing", "image_missing"] as const) {
  test(`starts that fail with ${code} are no fault of the server: it is not given up`, async () => {
    const bench = openManaged({
      launched: () => Promise.reject(new GatewayError(code, "Not now")),
    });
    for (let n = 0; n < 20; n++) {
      const { events } = begin(bench.server);
      await settled();
      assert.deepEqual(events, [`failed ${code} no`]);
      bench.clock.advance(8_000);
    }
    assert.equal(bench.server.state, "cold");
    assert.equal(bench.server.failure?.code, code);
  });
}

const innocent = [
  ["whose engine goes away", { code: null, reason: "lost" }],
  ["whose container somebody removes", { code: 137, reason: "outside" }],
] as const;
for (const [which, exit] of innocent) {
  test(`a server ${which} is not given up, and the next call starts it at once`, async () => {
    const bench = openManaged({ behave: hanging });
    for (let n = 0; n < 10; n++) {
      const { events } = begin(bench.server);
      await settled();
      for (const pipe of bench.alive()) pipe.end(exit);
      await settled();
      assert.equal(events[0], "accepted");
    }
    assert.equal(bench.server.state, "cold");
  });
}

test("processes of many clients that end at once are one crash", async () => {
  const bench = openManaged({ life: { lifetime: "client" }, behave: hanging });
  await bench.server.start();
  bench.clock.advance(1);
  for (let n = 0; n < 10; n++) begin(bench.server, { client: `c${n}` });
  await settled();
  bench.clock.advance(1_000);
  for (const pipe of bench.alive()) {
    pipe.end({ code: 1 });
    await settled();
    bench.clock.advance(1);
  }
  assert.equal(bench.server.state, "cold");
});

test("the cause that stderr shows is named to the client, its lines are not", async () => {
  const bench = openManaged({
    behave: () => (_, pipe) => {
      pipe.complain("OSError: [Errno 30] Read-only file system: '/app/x' key=hunter2");
      pipe.end({ code: 1 });
    },
    more: { redact: (text) => text.replaceAll("hunter2", "***") },
  });
  const { failures } = begin(bench.server);
  await settled();
  assert.match(
    failures[0] ?? "",
    /^Cannot start server "probe": it exited with code 1: it writes to \/app\/x, .*writable: true$/,
  );
  const told = JSON.stringify([bench.log, bench.journal, bench.server.lastWords]);
  assert.match(told, /key=\*\*\*/);
  assert.doesNotMatch(told, /hunter2/);
});

test("a flood of stderr leaves twenty lines and two thousand characters", async () => {
  const bench = openManaged({
    behave: () => (_, pipe) => {
      for (let n = 1; n <= 1_000; n++) pipe.complain(`${n} ${"x".repeat(400)}`);
      pipe.end({ code: 1 });
    },
  });
  begin(bench.server);
  await settled();
  const words = bench.server.lastWords ?? "";
  assert.ok(words.length <= 2_048, String(words.length));
  assert.match(words.split("\n").at(-1) ?? "", /^1000 x/);
});

test("a legacy server that cannot be started for its lists alone is not given up", async () => {
  const bench = openManaged({
    era: "legacy",
    behave: () =>
      wellBehaved(["echo"], {
        initialize: ({ id, params }, pipe) =>
          JSON.stringify(params).includes("elicitation") ? pipe.end({ code: 1 }) : pipe.say({
            id,
            result: { protocolVersion: "2025-11-25", capabilities: { tools: {} } },
          }),
      }),
  });
  const answered = begin(bench.server);
  await settled();
  assert.equal(answered.events.length, 2);
  for (let n = 0; n < 10; n++) {
    begin(bench.server, { capabilities: { elicitation: {} } });
    await settled();
    bench.clock.advance(20_000);
  }
  assert.equal(bench.server.state, "ready");
  const { events } = begin(bench.server);
  await settled();
  assert.equal(events.length, 2);
});

test("a server that is given up harms no other", async () => {
  const bad = openManaged({ behave: () => failing });
  await failStarts(bad, 5);
  const good = openManaged({ behave: () => modern() });
  const { events } = begin(good.server);
  await settled();
  assert.equal(events.length, 2);
});
