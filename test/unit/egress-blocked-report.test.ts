import assert from "node:assert/strict";
import { test } from "node:test";
import { createBlockedReport } from "../../runner/egress/blocked-report.ts";
import type { EgressEvent } from "../../runner/journal/event.ts";
import { decisionLog } from "../../runner/egress-proxy/decision.ts";
import { fakeClock } from "../support/fake-clock.ts";

function start() {
  const clock = fakeClock();
  const events: EgressEvent[] = [];
  return { clock, events, report: createBlockedReport("s", clock, (event) => events.push(event)) };
}
const place = { host: "evil.example", port: 443, reason: "is not allowed" };
const event = { type: "egress_blocked", server: "s", ...place } as const;

test("a refusal is told at once, and what follows of it once a minute", () => {
  const { clock, events, report } = start();
  for (let i = 0; i < 5; i++) report.add(place);
  assert.deepEqual(events, [{ ...event, count: 1 }]);
  clock.advance(60_000);
  assert.deepEqual(events.slice(1), [{ ...event, count: 4 }]);
  report.add(place);
  assert.equal(events.length, 2, "still within a minute of the last");
  clock.advance(60_000);
  assert.deepEqual(events.slice(2), [{ ...event, count: 1 }]);
});

test("a place that was quiet for a minute is told at once again, and forgotten meanwhile", () => {
  const { clock, events, report } = start();
  report.add(place);
  clock.advance(60_000);
  assert.equal(clock.pending, 0);
  report.add(place);
  assert.deepEqual(events, [{ ...event, count: 1 }, { ...event, count: 1 }]);
});

test("places that a server thinks up are one after the first 64", () => {
  const { clock, events, report } = start();
  for (let i = 0; i < 1_000; i++) report.add({ ...place, host: `x${i}.example` });
  assert.equal(events.length, 65);
  assert.equal(clock.pending, 65);
  assert.deepEqual(events.at(-1), { ...event, host: "(others)", port: undefined, count: 1 });
  clock.advance(60_000);
  assert.equal(events.at(-1)?.count, 1_000 - 65);
});

test("what a server writes is escaped and cut", () => {
  const { events, report } = start();
  report.add({ ...place, host: `\x1b[2J${"a".repeat(1_000)}` });
  assert.match(events[0]?.host ?? "", /^\\x1b\[2Ja{200,250}$/);
});

test("close() tells what was only counted, and sets no timers", () => {
  const { clock, events, report } = start();
  report.add(place);
  report.add({ ...place, count: 7 });
  report.close();
  assert.deepEqual(events.map(({ count }) => count), [1, 7]);
  assert.equal(clock.pending, 0);
});

test("the proxy writes at most a hundred lines a second, and then how many it left out", () => {
  const clock = fakeClock();
  const lines: string[] = [];
  const decide = decisionLog((line) => lines.push(line), clock);
  for (let i = 0; i < 500; i++) decide({ verdict: "allowed", host: "a.example" });
  for (let i = 0; i < 500; i++) decide({ verdict: "blocked", ...place });
  assert.equal(lines.length, 200, "what is allowed does not crowd out what is blocked");
  clock.advance(1_000);
  const rest = { verdict: "blocked", host: "(others)", reason: "too many to tell", count: 400 };
  assert.deepEqual(JSON.parse(lines[200] ?? ""), rest);
  decide({ verdict: "blocked", ...place, host: "a".repeat(1_000) });
  assert.ok((lines[201] ?? "").length < 400);
});
