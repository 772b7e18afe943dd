/**
 * What a server answers is for the client: whatever it names, nothing of this machine is opened for it.
 *
 * @module
 */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { dirname, join, posix } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { openGateway } from "../support/gateway.ts";
import { tool, wellBehaved } from "../support/pipe.ts";
import { settled } from "../support/settled.ts";

const root = join(dirname(fileURLToPath(import.meta.url)), "../..");

const results: ReadonlyArray<readonly [what: string, result: string]> = [
  [
    "a link to a file of this machine",
    '{"content":[{"type":"resource_link","uri":"file:///etc/passwd","name":"x","mimeType":"text/plain"}]}',
  ],
  [
    "a resource that says it is such a file",
    '{"content":[{"type":"resource","resource":{"uri":"file:///etc/shadow","text":"root:x:0:0"}}]}',
  ],
  [
    "an image that is no Base64",
    '{"content":[{"type":"image","data":"%%%","mimeType":"image/png"}]}',
  ],
  [
    "an icon with a script",
    '{"content":[{"type":"resource_link","uri":"a:b","name":"x","icons":[{"src":"javascript:1"}]}]}',
  ],
  [
    "content that is not as its schema says",
    '{"content":[],"structuredContent":{"n":"not a number"}}',
  ],
  ["no content where its schema wants some", '{"content":[{"type":"text","text":"none"}]}'],
  ["characters that nobody sees", '{"content":[{"type":"text","text":"a\u200b\u{e0041}\\u202e"}]}'],
];

for (const [what, result] of results) {
  test(`a result with ${what} reaches the client byte for byte`, async () => {
    const outputSchema = { type: "object", properties: { n: { type: "number" } }, required: ["n"] };
    const bench = openGateway({
      a: {
        behave: () =>
          wellBehaved([], {
            "tools/list": ({ id }, pipe) =>
              pipe.say({ id, result: { tools: [{ ...tool("echo"), outputSchema }] } }),
            "tools/call": ({ id }, pipe) =>
              pipe.say(`{"jsonrpc":"2.0","id":${id},"result":${result}}`),
          }),
      },
    });
    await bench.gateway.start();
    const events = bench.callTool("a__echo");
    await settled();
    const member = result.slice(1, -1);
    assert.ok(events.at(-1)?.startsWith("result "), events.at(-1));
    assert.ok(events.at(-1)?.includes(member), events.at(-1));
  });
}

/** Modules that the file at `path` imports for more than their types, by their paths or names. */
function importsOf(path: string): readonly string[] {
  const source = readFileSync(join(root, path), "utf8");
  const found = source.matchAll(
    /^(?:import|export)(?! type)\b[^;]*?\bfrom "([^"]+)";|import\("([^"]+)"\)/gm,
  );
  return [...found].map(([, name = "", dynamic = ""]) => name || dynamic)
    .map((name) => name.startsWith(".") ? posix.join(posix.dirname(path), name) : name);
}

test("the way of a result through the gateway leads past no code that opens files or connections", () => {
  const seen = new Set<string>();
  const outside = new Set<string>();
  const next = ["runner/gateway/gateway.ts"];
  for (let path = next.pop(); path !== undefined; path = next.pop()) {
    if (seen.has(path)) continue;
    seen.add(path);
    for (const target of importsOf(path)) {
      if (target.endsWith(".ts")) next.push(target);
      else outside.add(target);
    }
  }
  assert.ok(seen.has("runner/gateway/relay.ts") && seen.has("runner/gateway/final-result.ts"));
  const opening =
    /^node:(?:fs|net|http|https|tls|child_process|dns|dgram|worker_threads|vm)|undici|^ws$/;
  assert.deepEqual([...outside].filter((name) => opening.test(name)), []);
  for (const path of seen) {
    assert.doesNotMatch(readFileSync(join(root, path), "utf8"), /\bfetch\(/, path);
  }
});
