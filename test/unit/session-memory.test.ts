import assert from "node:assert/strict";
import { test } from "node:test";
import { Changes } from "../../worker/home/changes.ts";
import type { HomeContext } from "../../worker/home/context.ts";
import { Dispatch } from "../../worker/home/dispatch.ts";
import { Runners } from "../../worker/home/runners.ts";
import type { Session } from "../../worker/home/session.ts";
import { Sessions } from "../../worker/home/sessions.ts";
import { type FakeClock, fakeClock } from "../support/fake-clock.ts";
import { memoryStore } from "../support/store-memory.ts";

/** Sessions that a home keeps in memory at a time. */
const MAX_KNOWN = 5_000;

const MEBI = "x".repeat(1024 * 1024);

interface Bench {
  readonly clock: FakeClock;
  readonly context: HomeContext;
  readonly sessions: Sessions;
  open(): Promise<Session>;
}

function start(): Bench {
  const clock = fakeClock();
  const store = memoryStore(() => clock.now());
  const context = { tunnel: "default", store, clock, log: () => {} };
  const sessions = new Sessions(context);
  const open = () => sessions.open("ci", { revision: "2025-06-18", capabilities: {} });
  return { clock, context, sessions, open };
}

/** Has sessions, whose clients do not come again, say as much as is kept for all. */
async function fill({ open }: Bench): Promise<void> {
  for (let n = 0; n < 32; n++) (await open()).streams.standalone.note(MEBI);
}

/** Whether the end of a call of `session` waits for a client that has left. */
function keeps({ streams }: Session): boolean {
  const stream = streams.open();
  stream.finish("{}");
  return stream.connect(0) !== undefined;
}

test("what forgotten sessions have said makes room for others", async () => {
  const bench = start();
  await fill(bench);
  for (let n = 32; n <= MAX_KNOWN; n++) await bench.open();
  assert.ok(keeps(await bench.open()));
});

test("what is kept for clients that do not come again makes room before it is asked for", async () => {
  const bench = start();
  await fill(bench);
  bench.clock.advance(10_000);
  assert.ok(keeps(await bench.open()));
});

test("a session that has ended listens to nothing, though somebody was about to subscribe", async () => {
  const { clock, context, sessions, open } = start();
  const changes = new Changes();
  const runners = new Runners(context, changes);
  const session = await open();
  await sessions.end(session);
  const caller = { client: "ci", tunnel: "default", tools: ["*"] };
  const meta = { protocolVersion: "2025-06-18", clientCapabilities: {} };
  const dispatch = new Dispatch(runners, clock);
  session.listener.subscribe("notes:///a", { runners, dispatch, changes, caller, meta });
  assert.ok(session.listener.idle);
  assert.equal(clock.pending, 0);
});
