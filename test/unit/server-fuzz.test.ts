/** Whatever a server of either era says beside its answers: nothing breaks, and its calls still end. */
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import type { Era } from "../../runner/server/era.ts";
import { begin } from "../support/exchange.ts";
import { modern, type Pipe, silent, wellBehaved } from "../support/pipe.ts";
import { openServer } from "../support/server.ts";
import { settled } from "../support/settled.ts";

const METHODS = [
  "elicitation/create",
  "sampling/createMessage",
  "roots/list",
  "ping",
  "notifications/message",
  "notifications/cancelled",
  "notifications/progress",
  "notifications/tools/list_changed",
  "notifications/resources/updated",
  "notifications/elicitation/complete",
  "notifications/subscriptions/acknowledged",
];

const said = fc.record({
  id: fc.oneof(fc.integer({ min: 90, max: 95 }), fc.string(), fc.jsonValue()),
  method: fc.constantFrom(...METHODS),
  params: fc.oneof(
    fc.jsonValue(),
    fc.record({
      requestId: fc.integer({ min: 90, max: 95 }),
      uri: fc.constantFrom("x://a", "x://a/b", ""),
      level: fc.constantFrom("debug", "error", 7),
      mode: fc.constantFrom("url", "form"),
      tools: fc.constantFrom([], null),
      _meta: fc.jsonValue(),
    }, { requiredKeys: [] }),
  ),
}, { requiredKeys: ["method"] });

for (const era of ["legacy", "modern"] satisfies Era[]) {
  for (const capabilities of [{}, { elicitation: { form: {} }, roots: {} }]) {
    const who = `${era} server, client of ${JSON.stringify(capabilities)}`;
    test(`nothing that it says breaks a call or what comes after it: ${who}`, async () => {
      await fc.assert(
        fc.asyncProperty(fc.array(said, { maxLength: 12 }), async (lines) => {
          const kind = era === "modern" ? modern : wellBehaved;
          const { server, pipes, clock } = openServer({
            remembered: era,
            behave: () => kind(["echo"], { "tools/call": silent }),
          });
          const first = begin(server, { capabilities, logLevel: "debug" });
          server.listen(["x://a"], { updated: () => {}, ended: () => {} });
          await settled();
          const pipe = pipes.find((each) => each.received("tools/call").length > 0) as Pipe;
          for (const line of lines) pipe.say(line);
          await settled();
          pipe.say({ id: pipe.received("tools/call")[0]?.id, result: {} });
          const ends = first.events.filter((event) => /^(result|input|failed)/.test(event));
          assert.equal(ends.length, 1, first.events.join());
          const next = begin(server, { capabilities });
          await settled();
          const [again] = pipes.flatMap((each) => each.received("tools/call").slice(-1));
          assert.ok(again);
          assert.deepEqual(next.events, ["accepted"]);
          await server.stop();
          await settled();
          assert.equal(clock.pending, 0);
        }),
        { numRuns: 100 },
      );
    });
  }
}
