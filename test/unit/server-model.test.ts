/**
 * Calls, crashes, waits, rests and an end in any order: every call ends exactly once and runs at most
 * once, no more run at once than may, none sees what is another's, and nothing is left after the end.
 *
 * @module
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import type { Lifetime } from "../../runner/config/life.ts";
import type { Era } from "../../runner/server/era.ts";
import { begin, type Begun } from "../support/exchange.ts";
import { fakeClock } from "../support/fake-clock.ts";
import { type ManagedBench, openManaged } from "../support/managed.ts";
import { type Behaviour, modern, type Pipe, silent, wellBehaved } from "../support/pipe.ts";
import { settled } from "../support/settled.ts";

const CONCURRENCY = 2;
const QUEUE = 3;

interface Call extends Begun {
  readonly name: string;
  readonly client: string;
  withdrawn: boolean;
}

/** The server under test and the calls that were made. */
interface World extends ManagedBench {
  readonly calls: Call[];
}

/** What the model knows: only how many calls were made, all else are invariants. */
interface Model {
  calls: number;
}

type Command = fc.AsyncCommand<Model, World>;

function command(what: string, run: (world: World) => unknown): Command {
  return {
    check: () => true,
    toString: () => what,
    run: async (model, world) => {
      await run(world);
      await settled();
      model.calls = world.calls.length;
      checkInvariants(world);
    },
  };
}

function endsOf({ events }: Begun): readonly string[] {
  return events.filter((event) => /^(result|error|failed|input) /.test(event));
}

/** The pipes on which a call was written. */
function ranOn({ pipes }: World, { name }: Call): readonly Pipe[] {
  return pipes.flatMap((pipe) =>
    pipe.received("tools/call").filter(({ params }) => params?.["name"] === name).map(() => pipe)
  );
}

function checkInvariants(world: World): void {
  let running = 0;
  const users = new Map<Pipe, Set<string>>();
  for (const call of world.calls) {
    const ends = endsOf(call);
    const on = ranOn(world, call);
    assert.ok(ends.length <= 1, `ended twice: ${call.events.join()}`);
    assert.ok(on.length <= 1, `${call.name} ran twice`);
    if (on.length === 1 && ends.length === 0 && !call.withdrawn) running++;
    const why = ends[0] ?? "";
    if (why.endsWith(" no")) {
      assert.equal(on.length, 0, `${call.name} ran, and was said not to have`);
    }
    for (const pipe of on) {
      users.set(pipe, (users.get(pipe) ?? new Set()).add(call.client).add(call.name));
    }
  }
  assert.ok(running <= CONCURRENCY, `${running} calls run`);
  checkPrivacy(world, users);
}

const lifetimeOf = new WeakMap<ManagedBench["server"], Lifetime>();

function checkPrivacy({ server }: World, users: ReadonlyMap<Pipe, ReadonlySet<string>>): void {
  const lifetime = lifetimeOf.get(server);
  for (const those of users.values()) {
    const clients = [...those].filter((each) => each.startsWith("client"));
    if (lifetime !== "shared") assert.equal(clients.length, 1);
    if (lifetime === "call") assert.equal(those.size, 2);
  }
}

const oneCall = fc.tuple(fc.integer({ min: 1, max: 3 }), fc.boolean()).map(([client, asks]) =>
  command(`call of client ${client}${asks ? " that can be asked" : ""}`, (world) => {
    const name = `call-${world.calls.length}`;
    const begun = begin(world.server, {
      client: `client ${client}`,
      params: JSON.stringify({ name, _meta: { progressToken: name } }),
      capabilities: asks ? { elicitation: {} } : {},
    });
    world.calls.push({ ...begun, name, client: `client ${client}`, withdrawn: false });
  })
);

const commands = [
  oneCall,
  oneCall,
  oneCall,
  oneCall,
  fc.nat(20).map((nth) =>
    command(`answer of the call that runs as number ${nth}`, (world) => {
      const running = world.calls.filter((call) =>
        endsOf(call).length === 0 && ranOn(world, call).length > 0
      );
      const call = running[nth % running.length];
      if (call === undefined) return;
      const [pipe] = ranOn(world, call);
      const written = pipe?.received("tools/call").find(({ params }) =>
        params?.["name"] === call.name
      );
      pipe?.say({ id: written?.id, result: { content: [] } });
    })
  ),
  fc.nat(20).map((nth) =>
    command(`withdrawal of call ${nth}`, ({ calls }) => {
      const call = calls[nth % calls.length];
      if (call === undefined || endsOf(call).length > 0) return;
      call.withdrawn = true;
      call.withdraw(nth % 2 === 0 ? "Deadline" : "No longer needed");
    })
  ),
  fc.nat(20).map((nth) =>
    command(`crash of process ${nth}`, (world) => {
      const alive = world.alive();
      alive[nth % alive.length]?.end({ code: 1 });
    })
  ),
  fc.constantFrom(100, 999, 5_000, 11_000, 70_000, 301_000).map((ms) =>
    command(`${ms} ms`, ({ clock }) => clock.advance(ms))
  ),
  fc.constant(command("rest", ({ server }) => void server.rest())),
  fc.constant(command("start", ({ server }) => void server.start().catch(() => {}))),
  fc.constant(command("retry", ({ server }) => server.retry())),
  fc.constant(command("listen", ({ server }) => {
    const unlisten = server.listen(["x://a"], { updated: () => {}, ended: () => {} });
    unlisten();
  })),
];

/** A server that fails at some starts, and leaves its calls to the test. */
function moody(era: Era, bad: ReadonlySet<number>): (nth: number) => Behaviour {
  const kind = era === "modern" ? modern : wellBehaved;
  return (nth) =>
    bad.has(nth) ? (_, pipe) => pipe.end({ code: 3 }) : kind(["echo"], { "tools/call": silent });
}

for (const lifetime of ["shared", "client", "call"] as const) {
  for (const era of ["modern", "legacy"] as const) {
    test(`whatever happens to a ${era} server of lifetime ${lifetime}, no call is lost or run twice`, async () => {
      await fc.assert(
        fc.asyncProperty(
          fc.commands(commands, { maxCommands: 40, size: "max" }),
          fc.uniqueArray(fc.integer({ min: 1, max: 12 }), { maxLength: 6 }),
          fc.constantFrom("stop", "drain"),
          fc.constantFrom(0, 400),
          async (happens, bad, end, launchMs) => {
            const clock = fakeClock();
            const bench = openManaged({
              era,
              clock,
              launched: () =>
                launchMs === 0
                  ? Promise.resolve()
                  : new Promise<void>((resolve) => void clock.after(launchMs, resolve)),
              life: {
                lifetime,
                idleMs: 10_000,
                concurrency: CONCURRENCY,
                queue: QUEUE,
                callMs: 60_000,
              },
              behave: moody(era, new Set(bad)),
            });
            lifetimeOf.set(bench.server, lifetime);
            const world: World = { ...bench, calls: [] };
            await fc.asyncModelRun(() => ({ model: { calls: 0 }, real: world }), happens);
            const ending = end === "stop" ? bench.server.stop() : bench.server.drain(5_000);
            for (let n = 0; n < 10; n++) {
              await settled();
              clock.advance(1_000);
            }
            await ending;
            await settled();
            checkInvariants(world);
            for (const call of world.calls) {
              assert.equal(endsOf(call).length, call.withdrawn ? 0 : 1, call.events.join());
            }
            assert.equal(bench.alive().length, 0);
            assert.equal(bench.server.processes, 0);
            assert.equal(bench.server.state, "cold");
            assert.equal(bench.clock.pending, 0);
          },
        ),
        { numRuns: 60 },
      );
    });
  }
}
