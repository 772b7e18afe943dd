import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import {
  callTool,
  helloOf,
  messageOf,
  offerOf,
  RESULT,
  startWorkerInMemory,
} from "../support/home.ts";

const type = fc.constantFrom(
  "hello",
  "offer",
  "accepted",
  "note",
  "result",
  "error",
  "drain",
  "call",
  "cancel",
  "welcome",
  "x",
  7,
);
const frame = fc.tuple(
  fc.record({
    type,
    id: fc.oneof(fc.constant("x"), fc.jsonValue()),
    revision: fc.jsonValue(),
    reason: fc.jsonValue(),
    deadlineMs: fc.jsonValue(),
  }),
  fc.oneof(
    fc.constant(""),
    fc.constant(`\n${offerOf("notes__read")}`),
    fc.json().map((text) => `\n${text}`),
  ),
).map(([header, payload]) => JSON.stringify(header) + payload);

/** What a runner that lost its mind might say. */
const text = fc.oneof(
  frame,
  fc.constant("p"),
  fc.constant(JSON.stringify(helloOf({ id: "mad" }))),
  fc.json(),
  fc.string({ unit: "binary" }),
);

test("nothing that a runner says makes the worker fail, or reaches the calls of another", async () => {
  const worker = startWorkerInMemory();
  const other = await worker.runner({ id: "other", tools: ["git__log"] });
  const client = await worker.client();
  await fc.assert(
    fc.asyncProperty(fc.array(text, { maxLength: 6 }), fc.boolean(), async (texts, greeted) => {
      const mad = await worker.dial(other.token);
      if (greeted) mad.say(helloOf({ id: "mad" }));
      const answer = callTool(client, "git__log");
      const { header } = await other.next("call");
      for (const each of texts) mad.text(each);
      other.say({ type: "result", id: header.id }, RESULT);
      assert.deepEqual((await messageOf(await answer)).result, JSON.parse(RESULT));
      assert.ok(mad.closes.length <= 1);
      assert.ok(mad.closes.every(({ code }) => code === 4400));
      mad.lose();
    }),
    { numRuns: 200 },
  );
  assert.deepEqual(other.closes, []);
  assert.deepEqual(worker.logged.filter(({ level }) => level === "error"), []);
  assert.equal(worker.clock.pending, 0);
});
