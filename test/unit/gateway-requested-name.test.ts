import assert from "node:assert/strict";
import { test } from "node:test";
import { requestedName, withoutQuery } from "../../runner/gateway/requested-name.ts";
import { readParams } from "../../runner/server/params.ts";

const uris: Array<[uri: string, kept: string]> = [
  ["file:///home/x", "file:///home/x"],
  ["https://ada:hunter2@example.com/a?token=hunter2#hunter2", "https://example.com/a"],
  ["https://a@b@example.com/", "https://example.com/"],
  ["https://example.com/@ada", "https://example.com/@ada"],
  ["data:text/plain,hunter2", "data:"],
  ["DATA:hunter2", "data:"],
  ["memo:insights?x", "memo:insights"],
  ["greet?", "greet?"],
];

for (const [uri, kept] of uris) {
  test(`the log keeps ${kept} of ${uri}`, () => assert.equal(withoutQuery(uri), kept));
}

test("the log keeps a bounded name", () => {
  assert.equal(withoutQuery(`file:///${"x".repeat(10_000)}`).length, 256);
  const params = readParams(JSON.stringify({ name: "x".repeat(10_000) }));
  assert.equal(requestedName("tools/call", params)?.length, 256);
});

test("a completion is for what its reference names", () => {
  const prompt = readParams('{"ref":{"type":"ref/prompt","name":"a__p"},"argument":{"name":"x"}}');
  const template = readParams('{"ref":{"type":"ref/resource","uri":"x://{a}?k=1"}}');
  assert.equal(requestedName("completion/complete", prompt), "a__p");
  assert.equal(requestedName("completion/complete", template), "x://{a}");
});
