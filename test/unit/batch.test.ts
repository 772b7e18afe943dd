import assert from "node:assert/strict";
import { test } from "node:test";
import { batchWrites } from "../../src/batch.ts";

/** What a stream would have sent, turn by turn. */
function recorder() {
  const sent: string[][] = [];
  let held: string[] | undefined;
  let endTurn: () => void = () => {};
  const stream = {
    cork: () => void (held = []),
    uncork: () => {
      sent.push(held ?? []);
      held = undefined;
    },
  };
  const before = batchWrites(stream, (run) => void (endTurn = run));
  const write = (text: string): void => {
    before();
    if (held === undefined) sent.push([text]);
    else held.push(text);
  };
  return { sent, write, endTurn: () => endTurn() };
}

test("a single write of a turn goes out at once", () => {
  const { sent, write, endTurn } = recorder();
  write("a");
  assert.deepEqual(sent, [["a"]]);
  endTurn();
  write("b");
  assert.deepEqual(sent, [["a"], ["b"]]);
});

test("further writes of a turn go out together at its end, in their order", () => {
  const { sent, write, endTurn } = recorder();
  for (const text of ["a", "b", "c"]) write(text);
  assert.deepEqual(sent, [["a"]]);
  endTurn();
  assert.deepEqual(sent, [["a"], ["b", "c"]]);
  write("d");
  assert.deepEqual(sent, [["a"], ["b", "c"], ["d"]]);
});
