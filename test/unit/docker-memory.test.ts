import assert from "node:assert/strict";
import { test } from "node:test";
import { memoryInUse, watchMemory } from "../../runner/docker/memory-watch.ts";
import { fakeClock } from "../support/fake-clock.ts";
import { settled } from "../support/settled.ts";

const LIMIT = 1000;

/** A server that uses what `uses` says, one number for each look; then the last one. */
function watched(...uses: (number | undefined)[]) {
  const clock = fakeClock();
  const looks: number[] = [];
  const ends: string[] = [];
  const start = clock.now();
  const stop = watchMemory({
    limitBytes: LIMIT,
    clock,
    read: async () => {
      looks.push((clock.now() - start) / 1000);
      return uses.length > 1 ? uses.shift() : uses[0];
    },
    exhausted: () => ends.push("exhausted"),
  });
  const pass = async (seconds: number) => {
    for (let at = 0; at < seconds; at++) {
      clock.advance(1000);
      await settled();
    }
  };
  return { clock, looks, ends, stop, pass };
}

test("a server far from its limit is looked at every ten seconds", async () => {
  const { looks, ends, pass } = watched(100);
  await pass(33);
  assert.deepEqual(looks, [2, 12, 22, 32]);
  assert.deepEqual(ends, []);
});

test("a server near its limit is looked at every two seconds, and left alone", async () => {
  const { looks, ends, pass } = watched(100, 850, 850, 970, 500);
  await pass(20);
  assert.deepEqual(looks, [2, 12, 14, 16, 18]);
  assert.deepEqual(ends, []);
});

test("a server that stays at its limit for three looks is exhausted, once", async () => {
  const { looks, ends, pass, clock } = watched(990);
  await pass(60);
  assert.deepEqual(looks, [2, 4, 6]);
  assert.deepEqual(ends, ["exhausted"]);
  assert.equal(clock.pending, 0);
});

test("a server that gives memory back in between is not exhausted", async () => {
  const { ends, pass } = watched(990, 990, 900, 990, 990, 100);
  await pass(40);
  assert.deepEqual(ends, []);
});

test("nothing is read after the end, and no timer is left", async () => {
  const ended = watched(100);
  await ended.pass(3);
  ended.stop();
  await ended.pass(30);
  assert.deepEqual(ended.looks, [2]);
  assert.equal(ended.clock.pending, 0);

  const gone = watched(undefined);
  await gone.pass(30);
  assert.deepEqual(gone.looks, [2]);
  assert.equal(gone.clock.pending, 0);
});

const answers: [why: string, answer: unknown, bytes: number | undefined][] = [
  [
    "of cgroup v1 leaves the cache of all its groups out",
    {
      memory_stats: {
        usage: 900,
        stats: {
          inactive_file: 1,
          active_file: 1,
          total_inactive_file: 300,
          total_active_file: 100,
        },
      },
    },
    500,
  ],
  [
    "of cgroup v2 leaves the cache out",
    { memory_stats: { usage: 900, stats: { inactive_file: 300, active_file: 50 } } },
    550,
  ],
  [
    "of cgroup v2 leaves out what the kernel keeps of names and gives back",
    {
      memory_stats: {
        usage: 900,
        stats: { inactive_file: 100, active_file: 50, slab_reclaimable: 250, slab: 300 },
      },
    },
    500,
  ],
  [
    "of cgroup v1, which does not tell that, goes by what the processes have",
    {
      memory_stats: {
        usage: 900,
        stats: { total_active_file: 20, total_active_anon: 240, total_inactive_anon: 100 },
      },
    },
    400,
  ],
  [
    "of cgroup v1 counts the kernel's part where the processes have nearly all",
    {
      memory_stats: {
        usage: 900,
        stats: { total_active_file: 20, total_active_anon: 700, total_inactive_anon: 100 },
      },
    },
    880,
  ],
  ["without details is taken whole", { memory_stats: { usage: 900 } }, 900],
  ["of a container that has ended is nothing", { memory_stats: {} }, undefined],
  ["that is no statistics is nothing", { message: "no" }, undefined],
];
for (const [why, answer, bytes] of answers) {
  test(`memoryInUse() of an answer ${why}`, () => assert.equal(memoryInUse(answer), bytes));
}
