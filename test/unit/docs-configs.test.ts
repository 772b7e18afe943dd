/**
 * Configs that the documents show are configs: whoever copies one can start it.
 *
 * A block that is meant to be wrong has the comment `<!-- faulty -->` before it.
 *
 * @module
 */
import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { parseConfig } from "../../runner/config/config.ts";

const root = join(dirname(fileURLToPath(import.meta.url)), "../..");

const PAGES = [
  "README.md",
  ...readdirSync(join(root, "docs")).filter((name) => name.endsWith(".md"))
    .map((name) => `docs/${name}`),
];

interface Example {
  readonly page: string;
  readonly line: number;
  readonly text: string;
  readonly isFaulty: boolean;
}

/** The configs of a page: YAML with `servers:` at the start of a line. */
function examplesOf(page: string): readonly Example[] {
  const text = readFileSync(join(root, page), "utf8");
  const blocks = text.matchAll(/(<!-- faulty -->\s*)?^```yaml\n([\s\S]*?)^```$/gm);
  return [...blocks].flatMap((block): Example[] => {
    const [, mark, config = ""] = block;
    if (!/^servers:/m.test(config)) return [];
    const line = text.slice(0, block.index + (mark?.length ?? 0)).split("\n").length;
    return [{ page, line, text: config, isFaulty: mark !== undefined }];
  });
}

const examples = PAGES.flatMap(examplesOf);

function parse({ page, line, text }: Example) {
  const machine = { platform: "linux", home: "/home/ada", ours: [] };
  return parseConfig(text, { file: `${page} at line ${line}`, cwd: "/home/ada/servers", machine });
}

test("the documents have configs to copy, and one to learn from", () => {
  assert.ok(examples.length >= 10, String(examples.length));
  assert.equal(examples.filter(({ isFaulty }) => isFaulty).length, 1);
});

for (const example of examples) {
  const { page, line, isFaulty } = example;
  test(`the config of ${page} at line ${line} is ${isFaulty ? "faulty" : "one"}`, async () => {
    if (isFaulty) await assert.rejects(parse(example), { code: "config_invalid" });
    else assert.notEqual((await parse(example)).servers.length, 0);
  });
}
