import assert from "node:assert/strict";
import { test } from "node:test";
import { ChangeNotice, NOTICE_DELAY_MS } from "../../runner/gateway/change-notice.ts";
import { fakeClock } from "../support/fake-clock.ts";

/** A notice, and what it has told. */
function open() {
  const clock = fakeClock();
  const told: (readonly string[])[] = [];
  const notice = new ChangeNotice<string>(clock, (lists) => void told.push(lists));
  return { clock, told, notice };
}

test("a burst of changes is told once, soon, with every list that was named", () => {
  const { clock, told, notice } = open();
  for (const list of ["tools", "prompts", "tools"]) notice.note([list]);
  notice.note();
  assert.deepEqual(told, []);
  assert.ok(NOTICE_DELAY_MS <= 250);
  clock.advance(NOTICE_DELAY_MS);
  assert.deepEqual(told, [["tools", "prompts"]]);
});

test("changes that go on are told again and again, not put off", () => {
  const { clock, told, notice } = open();
  for (let n = 0; n < 10; n++) {
    notice.note(["tools"]);
    clock.advance(NOTICE_DELAY_MS / 2);
  }
  assert.equal(told.length, 5);
});

test("a change without a list is told too, and names none", () => {
  const { clock, told, notice } = open();
  notice.note();
  clock.advance(NOTICE_DELAY_MS);
  assert.deepEqual(told, [[]]);
});

test("flush() tells at once what has not been told, and nothing twice", () => {
  const { clock, told, notice } = open();
  notice.flush();
  assert.deepEqual(told, []);
  notice.note(["tools"]);
  notice.flush();
  assert.deepEqual(told, [["tools"]]);
  clock.advance(NOTICE_DELAY_MS);
  assert.equal(told.length, 1);
  notice.note();
  clock.advance(NOTICE_DELAY_MS);
  assert.equal(told.length, 2);
});

test("after stop() nothing is told", () => {
  const { clock, told, notice } = open();
  notice.note(["tools"]);
  notice.stop();
  notice.note(["tools"]);
  notice.flush();
  clock.advance(NOTICE_DELAY_MS);
  assert.deepEqual(told, []);
  assert.equal(clock.pending, 0);
});
