import assert from "node:assert/strict";
import { test } from "node:test";
import { answerOf } from "../../bench/event-stream.ts";

const RESPONSE = '{"jsonrpc":"2.0","id":1,"result":{}}';
const NOTE = '{"jsonrpc":"2.0","method":"notifications/progress","params":{}}';

const cases: readonly { why: string; text: string; answer: string | undefined }[] = [
  { why: "a whole event", text: `event: message\ndata: ${RESPONSE}\n\n`, answer: RESPONSE },
  { why: "lines that end in CR LF", text: `data: ${RESPONSE}\r\n\r\n`, answer: RESPONSE },
  { why: "no space after the colon", text: `data:${RESPONSE}\n\n`, answer: RESPONSE },
  { why: "an event that has not ended", text: `data: ${RESPONSE}\n`, answer: undefined },
  { why: "nothing yet", text: "", answer: undefined },
  { why: "an event without data", text: "id: 1\ndata:\n\n", answer: undefined },
  { why: "a comment first", text: `: open\n\ndata: ${RESPONSE}\n\n`, answer: RESPONSE },
  { why: "a notification first", text: `data: ${NOTE}\n\ndata: ${RESPONSE}\n\n`, answer: RESPONSE },
];

for (const { why, text, answer } of cases) {
  test(`answerOf() reads ${why}`, () => assert.equal(answerOf(text), answer));
}
