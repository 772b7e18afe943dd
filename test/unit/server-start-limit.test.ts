import assert from "node:assert/strict";
import { test } from "node:test";
import { SLOW_START_MS, StartLimit } from "../../runner/server/start-limit.ts";
import { begin } from "../support/exchange.ts";
import { fakeClock } from "../support/fake-clock.ts";
import { openManaged } from "../support/managed.ts";
import { modern, silent } from "../support/pipe.ts";
import { settled } from "../support/settled.ts";

/** `count` servers that share a limit of four; each start lasts until `launch` is called for it. */
function fleet(count: number) {
  const clock = fakeClock();
  const starts = new StartLimit(clock);
  const launching: string[] = [];
  const gates = new Map<string, () => void>();
  const servers = Array.from({ length: count }, (_, n) => {
    const name = `s${n}`;
    return openManaged({
      clock,
      behave: () => modern(),
      launched: () => {
        launching.push(name);
        return new Promise<void>((resolve) => gates.set(name, resolve));
      },
      more: { name, starts },
    }).server;
  });
  const launch = async (name: string): Promise<void> => {
    gates.get(name)?.();
    await settled();
  };
  return { clock, servers, launching, launch };
}

test("of many servers four start at a time, in their order", async () => {
  const { servers, launching, launch } = fleet(20);
  const started = Promise.all(servers.map((server) => server.start()));
  await settled();
  assert.deepEqual(launching, ["s0", "s1", "s2", "s3"]);
  await launch("s1");
  assert.deepEqual(launching, ["s0", "s1", "s2", "s3", "s4"]);
  for (let n = 0; n < 20; n++) await launch(`s${n}`);
  await started;
  assert.equal(launching.length, 20);
});

test("one that a call waits for goes before those that are only to be listed", async () => {
  const { servers, launching, launch } = fleet(10);
  for (const server of servers) server.start().catch(() => {});
  await settled();
  const { events } = begin(servers[9] as (typeof servers)[0]);
  await launch("s0");
  assert.deepEqual(launching.slice(4), ["s9"]);
  await launch("s9");
  assert.equal(events.length, 2);
});

test("starts that hang do not keep the others waiting for long", async () => {
  const { servers, launching, clock } = fleet(10);
  for (const server of servers) server.start().catch(() => {});
  await settled();
  clock.advance(SLOW_START_MS);
  await settled();
  assert.equal(launching.length, 8);
});

test("a server that is stopped while it waits for its turn never starts", async () => {
  const { servers, launching, launch } = fleet(6);
  const waiting = servers.map((server) => server.start().catch((error: Error) => error.message));
  await settled();
  await servers[4]?.stop();
  assert.match(String(await waiting[4]), /being stopped$/);
  await launch("s0");
  assert.deepEqual(launching.slice(4), ["s5"]);
});

test("a start that fails gives its turn to the next", async () => {
  const clock = fakeClock();
  const starts = new StartLimit(clock, 1);
  const bad = openManaged({
    clock,
    launched: () => Promise.reject(new TypeError("x")),
    more: { starts },
  });
  const good = openManaged({ clock, behave: () => modern(), more: { starts } });
  const [failed] = await Promise.allSettled([bad.server.start(), good.server.start()]);
  assert.equal(failed.status, "rejected");
  assert.equal(good.server.state, "ready");
  await Promise.all([bad.server.stop(), good.server.stop()]);
  assert.equal(clock.pending, 0);
});

test("a server that hangs when it is initialized does not harm a server that works", async () => {
  const clock = fakeClock();
  const starts = new StartLimit(clock);
  const good = openManaged({ clock, behave: () => modern(), more: { starts } });
  await good.server.start();
  for (let n = 0; n < 8; n++) {
    openManaged({ clock, behave: () => silent, more: { starts } }).server.start().catch(() => {});
  }
  await settled();
  const { events } = begin(good.server);
  await settled();
  assert.equal(events.length, 2);
});
