import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import {
  progressToken,
  readParams,
  toLegacyParams,
  toProgressNote,
} from "../../runner/server/params.ts";

const tokens = [
  '"t1"',
  '"1"',
  '""',
  "7",
  "0",
  "1.50",
  "-1e3",
  '"\\u0061\\"\\n"',
  '"\\ud83c\\udf0d"',
];

for (const token of tokens) {
  test(`the token ${token} comes back to the caller as it was written`, () => {
    const params = readParams(`{"name":"echo","_meta":{"progressToken":${token} }}`);
    assert.equal(progressToken(params), token);
    assert.match(toLegacyParams(params, 12), /"progressToken":12\}/);
    const note = '{"progressToken":12,"progress":0.50,"total":4,"message":"h\\u0069"}';
    assert.equal(
      toProgressNote(note, token),
      '{"jsonrpc":"2.0","method":"notifications/progress","params":' +
        `{"progressToken":${token},"progress":0.50,"total":4,"message":"h\\u0069"}}`,
    );
  });
}

const none: Array<[why: string, params: string]> = [
  ["there is no _meta", '{"name":"echo"}'],
  ["_meta has none", '{"name":"echo","_meta":{}}'],
  ["_meta is no object", '{"name":"echo","_meta":"progressToken"}'],
  ["it stands elsewhere", '{"name":"echo","progressToken":1,"arguments":{"progressToken":2}}'],
];

for (const [why, params] of none) {
  test(`no progress is wanted when ${why}`, () => {
    assert.equal(progressToken(readParams(params)), undefined);
  });
}

test("toProgressNote() changes nothing but the token", () => {
  fc.assert(fc.property(fc.dictionary(fc.string(), fc.jsonValue()), (members) => {
    const params = JSON.stringify({ ...members, progressToken: 3 });
    const note = JSON.parse(toProgressNote(params, '"mine"')) as { params: object };
    assert.deepEqual(
      note.params,
      JSON.parse(JSON.stringify({ ...members, progressToken: "mine" })),
    );
  }));
});
