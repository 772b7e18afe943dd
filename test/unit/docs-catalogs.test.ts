import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { expandServer } from "../../runner/catalog/expand.ts";
import { readCatalog } from "../../runner/catalog/read.ts";
import { sheetOf, snippetOf } from "../../runner/catalog/sheet.ts";
import { parseConfig } from "../../runner/config/config.ts";
import { catalogOf, expansionPlace, serverOf, VOLUME_PLACE } from "../support/catalog.ts";

const page = readFileSync(
  fileURLToPath(new URL("../../docs/catalogs.md", import.meta.url)),
  "utf8",
);
const blocks = [...page.matchAll(/^```yaml\n([\s\S]*?)^```$/gm)].map(([, text = ""]) => text);
const [config = "", team = "", commands = ""] = blocks;

test("the configs of docs/catalogs.md are configs", async () => {
  const place = { file: "mcp-runner.yaml", cwd: "/home/ada", machine: VOLUME_PLACE };
  const { servers } = await parseConfig(config, place);
  assert.deepEqual(servers.map(({ name }) => name), ["notes", "github", "weather"]);
  assert.equal((await parseConfig(commands, place)).servers.length, 1);
});

test("docs/catalogs.md shows its own catalog as the program does", async () => {
  const { entries: [entry], warnings } = await readCatalog(team, "/home/ada/catalogs/team.yaml");
  assert.deepEqual(warnings, []);
  assert.ok(entry);
  const lines = [
    entry.name,
    ...sheetOf(entry).map(({ what, text }) => `  ${what.padEnd(11)} ${text}`),
    "",
    "In mcp-runner.yaml:",
    "",
    ...snippetOf(entry),
  ];
  assert.ok(page.includes(lines.join("\n")));
});

test("docs/catalogs.md quotes a wrong config's error as it is", async () => {
  const server = {
    ...await serverOf("source: docker:notes\nconfig: { level: mid }"),
    name: "notes",
  };
  await assert.rejects(
    expandServer(server, await catalogOf(team), expansionPlace()),
    (error: Error) => page.includes(error.message),
  );
});
