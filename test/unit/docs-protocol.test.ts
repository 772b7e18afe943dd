/**
 * docs/protocol.md is the contract that others build on: its examples are read by the code that is
 * shipped, and what the code knows is on the page.
 *
 * @module
 */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { failureTable } from "../../src/errors.ts";
import { decodeOffer, encodeOffer } from "../../src/mcp/offer.ts";
import { CLOSE, permanentReason } from "../../src/tunnel/close.ts";
import {
  decodeFrame,
  encodeFrame,
  type Frame,
  type Header,
  MAX_HEADER_LENGTH,
  MAX_MESSAGE_BYTES,
  MAX_PAYLOAD_LENGTH,
  SUBPROTOCOL,
} from "../../src/tunnel/frame.ts";
import { DEAD_MS, HEARTBEAT_MS, PING, PONG } from "../../src/tunnel/heartbeat.ts";

const page = readFileSync(new URL("../../docs/protocol.md", import.meta.url), "utf8");

/** Every type of frame; the compiler asks for a new one here as soon as the codec has it. */
const TYPES = {
  hello: true,
  welcome: true,
  offer: true,
  call: true,
  accepted: true,
  note: true,
  result: true,
  error: true,
  cancel: true,
  drain: true,
} as const satisfies Record<Header["type"], true>;

/** The fenced blocks of `text` whose language is `language`, without their last line feed. */
function blocks(text: string, language: string): readonly string[] {
  return [...text.matchAll(new RegExp(`^\`\`\`${language}\\n([\\s\\S]*?)\\n\`\`\`$`, "gm"))]
    .map(([, block = ""]) => block);
}

/** The part of the page under the heading `### \`type\``. */
function sectionOf(type: string): string {
  const [, section] = page.split(`\n### \`${type}\`\n`);
  assert.ok(section !== undefined, `"${type}" has no section`);
  return section.split(/\n##/)[0] ?? "";
}

/** Members whose own keys are the client's, so that no table can list them. */
const FOREIGN_KEYS = ["clientCapabilities", "paramHeaders"];

/** Paths of the members of a header, `runner.id` for nested ones. */
function fieldsOf(value: object, prefix = ""): readonly string[] {
  return Object.entries(value).flatMap(([key, inner]: [string, unknown]) => {
    const nested = typeof inner === "object" && inner !== null && !Array.isArray(inner) &&
      !FOREIGN_KEYS.includes(key);
    return nested ? fieldsOf(inner, `${prefix}${key}.`) : [`${prefix}${key}`];
  });
}

function read(text: string): Frame {
  const frame = decodeFrame(text);
  assert.ok(frame !== undefined, `no frame of a known type: ${text}`);
  return frame;
}

test("every example frame is read, and written again byte for byte", () => {
  const examples = blocks(page, "frame");
  assert.ok(examples.length > Object.keys(TYPES).length);
  for (const example of examples) {
    const { header, payload } = read(example);
    assert.equal(encodeFrame(header, payload), example);
    if (payload !== "") JSON.parse(payload);
  }
});

for (const type of Object.keys(TYPES)) {
  test(`the section of "${type}" has examples and describes each of their fields`, () => {
    const section = sectionOf(type);
    const examples = blocks(section, "frame").map((example) => read(example).header);
    assert.ok(examples.length > 0);
    const used = new Set<string>();
    for (const { type: shown, ...fields } of examples) {
      assert.equal(shown, type);
      for (const field of fieldsOf(fields)) used.add(field);
    }
    const described = [...section.matchAll(/^\| `([\w.]+)`/gm)].map(([, name]) => name);
    assert.deepEqual(described, [...used]);
  });
}

test("the page has no section for a frame that does not exist", () => {
  const sections = [...page.matchAll(/^### `(\w+)`$/gm)].map(([, type]) => type);
  assert.deepEqual(sections, Object.keys(TYPES));
});

test("each example of an error carries a code of ours with its facts", () => {
  const examples = blocks(sectionOf("error"), "frame");
  assert.ok(examples.length >= 2);
  for (const example of examples) {
    const { code, data } = JSON.parse(read(example).payload) as {
      code: number;
      data: { code: keyof typeof failureTable; executed?: string; retryable?: boolean };
    };
    const { rpc, executed, retryable } = failureTable[data.code];
    // As toRpcError has it: codes of MCP say nothing of these.
    const facts = rpc > 0 ? [executed, retryable] : [undefined, undefined];
    assert.deepEqual([code, data.executed, data.retryable], [rpc, ...facts], data.code);
  }
  assert.ok(examples.some((example) => example.includes('"executed"')));
  assert.ok(examples.some((example) => example.includes('"status"')));
});

test("every example offer is read whole, and written again byte for byte", () => {
  const payloads = [
    ...blocks(page, "offer"),
    ...blocks(sectionOf("offer"), "frame").map((example) => read(example).payload),
  ];
  assert.ok(payloads.length >= 2);
  for (const payload of payloads) assert.equal(encodeOffer(decodeOffer(payload)), payload);
});

test("an unknown member is ignored, an unknown type too, and a broken frame refused", () => {
  const extended = blocks(page, "frame-extended");
  const unknown = blocks(page, "frame-unknown");
  const broken = blocks(page, "frame-broken");
  assert.ok(extended.length > 0 && unknown.length > 0 && broken.length > 0);
  for (const example of extended) {
    const { header, payload } = read(example);
    assert.ok(encodeFrame(header, payload).length < example.length, example);
  }
  for (const example of unknown) assert.equal(decodeFrame(example), undefined);
  for (const example of broken) {
    assert.throws(() => decodeFrame(example), { code: "tunnel_protocol" }, example);
  }
});

test("every close code is described, with its name and what the runner does", () => {
  const rows = [...page.matchAll(/^\| (4\d{3}) \| `(\w+)` .*\| ([\w ]+?) +\|$/gm)];
  const documented = rows.map(([, code, name, does]) => [name, Number(code), does]);
  const real = Object.entries(CLOSE).map(([name, code]) => [
    name,
    code,
    permanentReason(code) === undefined ? "dials again" : "stops",
  ]);
  const byCode = (a: readonly unknown[], b: readonly unknown[]) => Number(a[1]) - Number(b[1]);
  assert.deepEqual(documented, real.toSorted(byCode));
});

test("the page names the subprotocol, the limits and the times of the code", () => {
  const numbers = [
    MAX_HEADER_LENGTH,
    MAX_PAYLOAD_LENGTH,
    MAX_MESSAGE_BYTES,
    HEARTBEAT_MS,
    DEAD_MS,
  ];
  for (const number of numbers) {
    const text = number.toLocaleString("en-US");
    assert.ok(page.includes(text), `${text} is missing`);
  }
  assert.ok(page.includes(`Sec-WebSocket-Protocol: ${SUBPROTOCOL}\n`));
  assert.ok(page.includes(`the text \`${PING}\``) && page.includes(`the text \`${PONG}\``));
});
