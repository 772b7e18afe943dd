import assert from "node:assert/strict";
import { test } from "node:test";
import { begin } from "../support/exchange.ts";
import { type ManagedBench, openManaged } from "../support/managed.ts";
import { modern, type Pipe } from "../support/pipe.ts";
import { settled } from "../support/settled.ts";

async function ready(): Promise<ManagedBench & { readonly pipe: Pipe }> {
  const bench = openManaged({ life: { idleMs: undefined }, behave: () => modern() });
  await bench.server.start();
  return { ...bench, pipe: bench.pipes[0] as Pipe };
}

function chatter(pipe: Pipe, lines: number): void {
  for (let n = 0; n < lines; n++) pipe.say(`<html>${n}</html>`);
}

test("a server that writes more than 100 lines a minute that are no messages is noisy: its operator is told", async () => {
  const { pipe, log, server } = await ready();
  chatter(pipe, 100);
  assert.deepEqual(log, []);
  chatter(pipe, 900);
  assert.deepEqual(log.map(({ level, message }) => [level, message]), [[
    "warn",
    'Server "probe" writes lines that are no messages to stdout: they are dropped',
  ]]);
  const { events } = begin(server);
  await settled();
  assert.equal(events.length, 2);
});

test("fewer lines a minute are nobody's business, however long it goes on", async () => {
  const { pipe, log, clock } = await ready();
  for (let minute = 0; minute < 60; minute++) {
    chatter(pipe, 100);
    clock.advance(60_000);
  }
  assert.deepEqual(log, []);
});

test("the operator is told once an hour", async () => {
  const { pipe, log, clock } = await ready();
  for (let minute = 0; minute < 90; minute++) {
    chatter(pipe, 101);
    clock.advance(60_000);
  }
  assert.equal(log.length, 2);
});

test("bytes that are no text and answers to nothing count, too", async () => {
  const { pipe, log } = await ready();
  for (let n = 0; n < 60; n++) {
    pipe.printBytes(3);
    pipe.say({ id: 9_999, result: {} });
  }
  assert.equal(log.length, 1);
});
