import assert from "node:assert/strict";
import { test } from "node:test";
import { describeExit } from "../../runner/server/process.ts";
import { linesOf, useEngine } from "../support/engine.ts";

const { docker, skip } = await useEngine();
const story = (name: string, run: () => Promise<void>) =>
  void test(name, { skip, timeout: 60_000 }, run);

story("a server that floods stdout with what cannot be messages is ended at once", async () => {
  const container = await docker.runScript(`
    const block = "x\\n".repeat(32768);
    const more = () => { while (process.stdout.write(block)); process.stdout.once("drain", more); };
    more();
  `);
  let lines = 0;
  container.onLine(() => lines++);
  const exit = await container.exited;
  assert.equal(exit.reason, "flood");
  assert.ok(lines <= 20_000, `${lines} lines were handed on`);
  assert.equal(
    describeExit(exit),
    "it flooded stdout with lines and was stopped, it should log to stderr",
  );
});

story("a server that prints many lines, each of which may be a message, goes on", async () => {
  const container = await docker.runScript(`
    process.stdout.write('{"jsonrpc":"2.0","method":"notifications/x"}\\n'.repeat(30000));
    process.stdin.on("data", () => console.log("still here"));
  `);
  let lines = 0;
  const all = new Promise<void>((resolve) => {
    const next = linesOf((listener) => container.onLine(listener));
    const read = async () => {
      for (;;) {
        if (await next() === "still here") return resolve();
        if (++lines === 30_000) container.write("go");
      }
    };
    void read();
  });
  await all;
  assert.equal(lines, 30_000);
  await container.stop(0);
});
