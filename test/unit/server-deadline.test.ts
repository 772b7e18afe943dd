import assert from "node:assert/strict";
import { test } from "node:test";
import type { Era } from "../../runner/server/era.ts";
import { begin } from "../support/exchange.ts";
import { openManaged } from "../support/managed.ts";
import { type Behaviour, modern, type Pipe, silent, wellBehaved } from "../support/pipe.ts";
import { settled } from "../support/settled.ts";

const kinds = { modern, legacy: wellBehaved } as const;

/** A server whose tool "hang" never answers, and which says nothing else either if it is `dead`. */
async function hanging(era: Era, dead: boolean, callMs: number | undefined = 60_000) {
  let silence = false;
  const call: Behaviour = ({ id, params }, pipe) => {
    if (params?.["name"] !== "hang") pipe.say({ id, result: { content: [] } });
  };
  const sign: Behaviour = ({ id }, pipe) => {
    if (!silence) pipe.say({ id, result: {} });
  };
  const kind = kinds[era](["echo", "hang"], { "tools/call": call, ping: sign });
  const bench = openManaged({
    era,
    life: { callMs },
    behave: () => (message, pipe) => {
      if (!(silence && dead)) kind(message, pipe);
    },
  });
  await bench.server.start();
  bench.clock.advance(60_000);
  await settled();
  silence = dead;
  const [pipe] = bench.alive() as [Pipe];
  return { ...bench, pipe };
}

const HANG = { params: '{"name":"hang"}' };
/** The cheap request by which a server of each era shows that it lives. */
const SIGN = { legacy: "ping", modern: "server/discover" } as const;

for (const era of ["legacy", "modern"] as const) {
  test(`a call of a ${era} server that takes too long ends, and the server is told`, async () => {
    const { server, clock, pipe } = await hanging(era, false);
    const { events, failures } = begin(server, HANG);
    await settled();
    clock.advance(59_999);
    assert.deepEqual(events, ["accepted"]);
    clock.advance(1);
    assert.deepEqual(events, ["accepted", "failed call_timeout unknown"]);
    assert.match(failures[0] ?? "", /^Server "probe" did not answer within 60 s: /);
    const [written] = pipe.received("tools/call");
    assert.deepEqual(pipe.received("notifications/cancelled").map(({ params }) => params), [
      { requestId: written?.id, reason: "Deadline" },
    ]);
    pipe.say({ id: written?.id, result: {} });
    assert.equal(events.length, 2);
  });

  test(`a ${era} server of which one tool hangs is asked for a sign of life, and lives on`, async () => {
    const { server, clock, pipe } = await hanging(era, false);
    begin(server, HANG);
    await settled();
    const asked = pipe.received(SIGN[era]).length;
    clock.advance(60_000);
    await settled();
    assert.equal(pipe.received(SIGN[era]).length, asked + 1);
    clock.advance(60_000);
    await settled();
    assert.equal(pipe.ended, false);
    assert.equal(server.state, "ready");
  });

  test(`a ${era} server that says nothing at all is ended, with all calls that it has`, async () => {
    const { server, clock, pipe, journal, log, pipes } = await hanging(era, true);
    begin(server, HANG);
    await settled();
    clock.advance(59_000);
    const other = begin(server, HANG);
    await settled();
    clock.advance(1_000 + 9_999);
    await settled();
    assert.equal(pipe.ended, false);
    clock.advance(1);
    await settled();
    assert.equal(pipe.ended, true);
    assert.deepEqual(pipe.stops, [0]);
    assert.deepEqual(other.events, ["accepted", "failed server_crashed unknown"]);
    assert.equal(other.failures[0], 'Server "probe" ended during the call: it did not answer');
    assert.equal(journal.at(-1)?.type, "crash");
    assert.match(log.at(-1)?.message ?? "", /ended: it did not answer; the next call starts it/);
    const before = pipes.length;
    begin(server);
    await settled();
    assert.ok(pipes.length > before);
  });
}

test("a call that the client gave up at its deadline is a reason to ask, another one is not", async () => {
  for (const [reason, asked] of [["Deadline", 1], ["No longer needed", 0]] as const) {
    const { server, pipe } = await hanging("legacy", true);
    const call = begin(server, HANG);
    await settled();
    call.withdraw(reason);
    assert.equal(pipe.received("ping").length, asked, reason);
  }
});

const signs: Array<[what: string, give: (pipe: Pipe) => void]> = [
  ["a line of stderr", (pipe) => pipe.complain("still at it")],
  ["a line that is no message", (pipe) => pipe.say("still at it")],
  ["bytes that are no text", (pipe) => pipe.printBytes(3)],
  ["a notification", (pipe) => pipe.say({ method: "notifications/message", params: {} })],
];

for (const [what, give] of signs) {
  test(`${what} shows that the server lives: it is not even asked`, async () => {
    const { server, clock, pipe } = await hanging("legacy", true);
    begin(server, HANG);
    await settled();
    give(pipe);
    clock.advance(60_000);
    assert.deepEqual(pipe.received("ping"), []);
  });

  test(`${what} within ten seconds is sign enough`, async () => {
    const { server, clock, pipe } = await hanging("legacy", true);
    begin(server, HANG);
    await settled();
    clock.advance(65_000);
    give(pipe);
    clock.advance(5_000);
    await settled();
    assert.equal(pipe.ended, false);
  });
}

test("a busy server that answers other calls is not asked", async () => {
  const { server, clock, pipe } = await hanging("modern", false);
  begin(server, HANG);
  await settled();
  const asked = pipe.received("server/discover").length;
  begin(server);
  await settled();
  clock.advance(60_000);
  assert.equal(pipe.received("server/discover").length, asked);
});

test("without a limit of its own a call may take as long as the client waits", async () => {
  const bench = openManaged({ behave: () => modern(["echo"], { "tools/call": silent }) });
  const { events } = begin(bench.server);
  await settled();
  bench.clock.advance(24 * 3_600_000);
  assert.deepEqual(events, ["accepted"]);
});

test("the time that a person takes does not count", async () => {
  const { server, clock } = openManaged({
    era: "legacy",
    life: { callMs: 1_000 },
    behave: () =>
      wellBehaved(["echo"], {
        "tools/call": (_, pipe) =>
          pipe.say({ id: 7, method: "elicitation/create", params: { message: "Who?" } }),
      }),
  });
  const capabilities = { elicitation: {} };
  const first = begin(server, { capabilities });
  await settled();
  clock.advance(900);
  await settled();
  const { state } = first.question();
  clock.advance(300_000);
  const responses = { "elicitation-1": { action: "accept" } };
  const next = begin(server, { capabilities, input: { state, responses } });
  await settled();
  clock.advance(999);
  assert.deepEqual(next.events, ["accepted"]);
  clock.advance(1);
  assert.deepEqual(next.events, ["accepted", "failed call_timeout unknown"]);
});

test("the time of the start does not count", async () => {
  let launch: () => void = () => {};
  const { server, clock } = openManaged({
    life: { callMs: 1_000 },
    behave: () => modern(),
    launched: () => new Promise<void>((resolve) => launch = resolve),
  });
  const { events } = begin(server);
  await settled();
  clock.advance(20_000);
  launch();
  await settled();
  assert.deepEqual(events.map((event) => event.split(" ")[0]), ["accepted", "result"]);
});

test("a start has the time that the config gives it", async () => {
  const { server, clock, pipes } = openManaged({ life: { startMs: 5_000 }, behave: () => silent });
  const { failures } = begin(server);
  await settled();
  clock.advance(4_999);
  await settled();
  assert.equal(pipes[0]?.ended, false);
  clock.advance(1);
  await settled();
  assert.equal(pipes[0]?.ended, true);
  assert.match(failures[0] ?? "", /within 5 s/);
});

test("a server that is deaf because it works on an older call is not ended for a younger one", async () => {
  const { server, clock, pipe } = await hanging("legacy", true, 3_600_000);
  const long = begin(server, HANG);
  await settled();
  const [written] = pipe.received("tools/call");
  clock.advance(10_000);
  const short = begin(server, HANG);
  await settled();
  clock.advance(290_000);
  short.withdraw("Deadline");
  clock.advance(60_000);
  await settled();
  assert.equal(pipe.ended, false);
  assert.deepEqual(pipe.received("ping"), []);
  pipe.say({ id: written?.id, result: { content: [] } });
  assert.equal(long.events.length, 2);
});

test("once the time of the oldest call is over a deaf server is ended, whatever came later", async () => {
  const { server, clock, pipe } = await hanging("legacy", true, 3_600_000);
  const older = begin(server, HANG);
  const younger = begin(server, HANG);
  await settled();
  younger.withdraw("Deadline");
  older.withdraw("Deadline");
  clock.advance(10_000);
  await settled();
  assert.equal(pipe.ended, true);
});
