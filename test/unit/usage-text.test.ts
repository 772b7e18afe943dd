import assert from "node:assert/strict";
import { test } from "node:test";
import { commands, usageText } from "../../runner/cli/commands.ts";

for (const [name, { usage }] of Object.entries(commands)) {
  test(`the usage of ${name} fits into 80 columns, whole`, () => {
    const lines = usageText(usage).split("\n");
    for (const line of lines) assert.ok(line.length <= 80, line);
    assert.equal(lines.map((line) => line.trim()).join(" "), `Usage: ${usage}`);
  });
}

test("a usage is never broken within brackets", () => {
  for (const { usage } of Object.values(commands)) {
    for (const line of usageText(usage).split("\n")) {
      assert.equal(line.match(/[[<]/g)?.length, line.match(/[\]>]/g)?.length, line);
    }
  }
});
