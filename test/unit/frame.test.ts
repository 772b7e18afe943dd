import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import {
  decodeFrame,
  encodeFrame,
  type Header,
  MAX_HEADER_LENGTH,
  MAX_PAYLOAD_LENGTH,
} from "../../src/tunnel/frame.ts";

const call: Header = {
  type: "call",
  id: "1c0f",
  method: "tools/call",
  deadlineMs: 290_000,
  protocolVersion: "2026-07-28",
  clientCapabilities: { elicitation: { form: {} } },
  caller: { client: "c1" },
};

test("decodeFrame() gives back the header and the payload, byte for byte", () => {
  fc.assert(fc.property(fc.json(), fc.constantFrom("", " ", "\n"), (json, space) => {
    const payload = json + space;
    assert.deepEqual(decodeFrame(encodeFrame(call, payload)), { header: call, payload });
  }));
});

test("decodeFrame() reads a frame without a payload", () => {
  const accepted: Header = { type: "accepted", id: "1c0f" };
  assert.deepEqual(decodeFrame(encodeFrame(accepted)), { header: accepted, payload: "" });
});

const headers: readonly Header[] = [
  { ...call, logLevel: "warning", paramHeaders: { region: "=?base64?ZXU=?=" } },
  { ...call, method: "resources/read", servers: ["notes", "mail"] },
  { type: "result", id: "1c0f", resultType: "input_required" },
  { type: "error", id: "1c0f", status: 404 },
  { type: "offer", revision: 3, changed: ["tools", "prompts", "resources"] },
];

for (const header of headers) {
  test(`decodeFrame() reads ${header.type} with ${Object.keys(header).slice(2).join()}`, () => {
    assert.deepEqual(decodeFrame(encodeFrame(header, "{}")), { header, payload: "{}" });
  });
}

test("decodeFrame() ignores members that it does not know", () => {
  assert.deepEqual(decodeFrame('{"type":"accepted","id":"a","later":{"x":1}}')?.header, {
    type: "accepted",
    id: "a",
  });
});

test("decodeFrame() gives nothing for a type that it does not know", () => {
  assert.equal(decodeFrame('{"type":"credit","bytes":1024}'), undefined);
});

const rejected: Array<[why: string, text: string, message: RegExp]> = [
  ["a header that is not JSON", "{", /not JSON/],
  ["an empty message", "", /not JSON/],
  ["a header that is no object", "[1]", /type: /],
  ["a header without a type", '{"id":"a"}', /type/],
  ["a call id of the wrong kind", '{"type":"accepted","id":7}', /id: /],
  ["an empty call id", '{"type":"result","id":""}', /id: /],
  ["an unknown log level", `${encodeFrame(call).slice(0, -1)},"logLevel":"loud"}`, /logLevel/],
  ["another status", '{"type":"error","id":"a","status":200}', /status/],
  ["a change of another list", '{"type":"offer","revision":1,"changed":["roots"]}', /changed/],
  ["an overlong header", `{"type":"${"x".repeat(MAX_HEADER_LENGTH)}"}`, /limit/],
  [
    "an overlong payload",
    `{"type":"result","id":"a"}\n${"x".repeat(MAX_PAYLOAD_LENGTH + 1)}`,
    /limit/,
  ],
];

for (const [why, text, message] of rejected) {
  test(`decodeFrame() rejects ${why}`, () => {
    assert.throws(() => decodeFrame(text), { code: "tunnel_protocol", message });
  });
}

test("decodeFrame() meets no text that makes it fail in another way", () => {
  fc.assert(fc.property(fc.oneof(fc.string(), fc.json()), (text) => {
    try {
      decodeFrame(text);
    } catch (error) {
      assert.equal((error as { code?: string }).code, "tunnel_protocol");
    }
  }));
});
