import assert from "node:assert/strict";
import { test } from "node:test";
import { begin } from "../support/exchange.ts";
import { openManaged } from "../support/managed.ts";
import { type Behaviour, modern, silent } from "../support/pipe.ts";
import { settled } from "../support/settled.ts";

const WITH_TOKEN = '{"name":"echo","_meta":{"progressToken":"t"}}';

/** A server whose launch lasts until `launch` is called and tells what `say` is given. */
function slow(behave: () => Behaviour = () => modern()) {
  let launch: () => void = () => {};
  let say: (line: string) => void = () => {};
  const bench = openManaged({
    behave,
    launched: (progress) => {
      say = progress;
      return new Promise<void>((resolve) => launch = resolve);
    },
  });
  return { ...bench, launch: () => launch(), say: (line: string) => say(line) };
}

interface Told {
  readonly progressToken: unknown;
  readonly progress: number;
  readonly message?: string;
}

/** The progress that was told. */
function progressOf(events: readonly string[]): readonly Told[] {
  return events.filter((event) => event.startsWith("note ")).map((event) =>
    (JSON.parse(event.slice("note ".length)) as { params: Told }).params
  );
}

test("who waits for a start hears of it after 0.3 s, under the own token", async () => {
  const { server, clock } = slow();
  const { events } = begin(server, { params: WITH_TOKEN });
  await settled();
  clock.advance(299);
  assert.deepEqual(events, []);
  clock.advance(1);
  assert.deepEqual(progressOf(events), [
    { progressToken: "t", progress: 0.000001, message: 'Starting server "probe"' },
  ]);
});

test("a start that is quick is not told of", async () => {
  const { server, clock, launch } = slow();
  const { events } = begin(server, { params: WITH_TOKEN });
  await settled();
  clock.advance(299);
  launch();
  await settled();
  clock.advance(60_000);
  assert.deepEqual(progressOf(events), []);
});

test("who gave no token hears nothing", async () => {
  const { server, clock, say } = slow();
  const { events } = begin(server);
  await settled();
  say("Pulling");
  clock.advance(60_000);
  assert.deepEqual(events, []);
});

test("the lines of the launch are passed on, the latest of each half second", async () => {
  const { server, clock, say } = slow();
  const { events } = begin(server, { params: WITH_TOKEN });
  await settled();
  say("Pulling image: 1 %");
  clock.advance(300);
  for (let percent = 2; percent <= 11; percent++) {
    say(`Pulling image: ${percent} %`);
    clock.advance(100);
  }
  assert.deepEqual(progressOf(events).map(({ message }) => message), [
    "Pulling image: 1 %",
    "Pulling image: 6 %",
    "Pulling image: 11 %",
  ]);
});

test("the values increase, and what the server says itself is above them", async () => {
  const { server, clock, say, launch, pipes } = slow(() =>
    modern(["echo"], { "tools/call": silent })
  );
  const { events } = begin(server, { params: WITH_TOKEN });
  await settled();
  for (const line of ["a", "b", "c"]) {
    say(line);
    clock.advance(500);
  }
  launch();
  await settled();
  const [pipe] = pipes;
  const id = pipe?.received("tools/call")[0]?.id;
  for (const progress of [0, 0.0000001, 0.5, 1]) {
    pipe?.say({
      method: "notifications/progress",
      params: { progressToken: id, progress, total: 1 },
    });
  }
  const values = progressOf(events).map(({ progress }) => progress);
  assert.equal(values.length, 7);
  assert.equal(
    values.every((value, n) => n === 0 || value > (values[n - 1] ?? 0)),
    true,
    values.join(),
  );
  assert.deepEqual(values.slice(-2), [0.5, 1]);
  assert.ok((values[4] ?? 1) < 0.001);
});

test("without a slow start the server's own progress is passed on as it is", async () => {
  const { server, pipes } = openManaged({
    behave: () => modern(["echo"], { "tools/call": silent }),
  });
  const { events } = begin(server, { params: WITH_TOKEN });
  await settled();
  await settled();
  const id = pipes[0]?.received("tools/call")[0]?.id;
  const params = { progressToken: id, progress: 0 };
  pipes[0]?.say({ method: "notifications/progress", params });
  assert.deepEqual(progressOf(events), [{ progressToken: "t", progress: 0 }]);
});

test("all who wait for one start hear of it, those who come later after 0.3 s of their own", async () => {
  const { server, clock, say } = slow();
  const first = begin(server, { params: WITH_TOKEN });
  await settled();
  say("Pulling image");
  clock.advance(5_000);
  const second = begin(server, { params: WITH_TOKEN.replace('"t"', "2") });
  await settled();
  clock.advance(300);
  assert.deepEqual(progressOf(first.events).map(({ message }) => message), ["Pulling image"]);
  assert.deepEqual(progressOf(second.events), [
    { progressToken: 2, progress: 0.000001, message: "Pulling image" },
  ]);
});

test("a hostile line is bounded and made harmless", async () => {
  const { server, clock, say } = slow();
  const { events } = begin(server, { params: WITH_TOKEN });
  await settled();
  say(`\u001b[2J"${"x".repeat(10_000)}`);
  clock.advance(300);
  const message = progressOf(events)[0]?.message ?? "";
  assert.match(message, /^\\x1b\[2J"x+$/);
  assert.equal(message.length, 200);
});

test("who has withdrawn hears nothing of the start any more", async () => {
  const { server, clock, launch } = slow();
  const call = begin(server, { params: WITH_TOKEN });
  await settled();
  call.withdraw("No longer needed");
  clock.advance(60_000);
  launch();
  await settled();
  assert.deepEqual(call.events, []);
});
