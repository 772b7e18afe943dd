/**
 * All entries of docker/mcp-registry: each is read without a warning, and what it makes of a server is
 * what the golden file says (test/golden/NOTICE.md).
 *
 * @module
 */
import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import process from "node:process";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { GatewayError } from "../../src/errors.ts";
import type { CatalogEntry } from "../../runner/catalog/entry.ts";
import { expandServer } from "../../runner/catalog/expand.ts";
import type { SchemaNode } from "../../runner/catalog/parameters.ts";
import { readCatalog } from "../../runner/catalog/read.ts";
import { pathsOf } from "../../runner/catalog/template.ts";
import type { ServerConfig } from "../../runner/config/config.ts";
import { targetText } from "../../runner/config/egress-target.ts";
import { referenceText } from "../../runner/secrets/reference.ts";
import { expansionPlace, serverOf } from "../support/catalog.ts";

const folder = fileURLToPath(new URL("../golden/", import.meta.url));
const EXPANDED = `${folder}docker-mcp-registry.expanded.jsonl`;

const files = readFileSync(`${folder}docker-mcp-registry.jsonl`, "utf8").trimEnd().split("\n")
  .map((line) => JSON.parse(line) as { readonly file: string; readonly text: string });

test("all 328 entries of docker/mcp-registry are read without a warning", async () => {
  assert.equal(files.length, 328);
  const kinds: Record<string, number> = {};
  for (const { file, text } of files) {
    const { entries: [entry], warnings } = await readCatalog(text, file);
    assert.deepEqual(warnings, [], file);
    assert.ok(entry, file);
    kinds[entry.program.kind] = (kinds[entry.program.kind] ?? 0) + 1;
  }
  assert.deepEqual(kinds, { container: 249, remote: 76, commands: 3 });
});

test("what each of the 328 entries runs is what the golden file says", async () => {
  const lines: string[] = [];
  for (const { file, text } of files) {
    const { entries: [entry] } = await readCatalog(text, file);
    assert.ok(entry, file);
    lines.push(JSON.stringify({ entry: entry.name, ...await expanded(entry) }));
  }
  if (process.env["MCP_RUNNER_GOLDEN"] === "update") {
    writeFileSync(EXPANDED, `${lines.join("\n")}\n`);
  }
  const golden = readFileSync(EXPANDED, "utf8").trimEnd().split("\n");
  assert.equal(lines.length, golden.length);
  const differ = lines.filter((line, at) => line !== golden[at]);
  assert.deepEqual(differ, differ.map((line) => golden[lines.indexOf(line)]));
});

test("the entries that are refused are those that want what no server gets", async () => {
  const refused: Record<string, string> = {};
  for (const line of readFileSync(EXPANDED, "utf8").trimEnd().split("\n")) {
    const { entry, refused: why } = JSON.parse(line) as { entry: string; refused?: string };
    if (why !== undefined) refused[entry] = why;
  }
  assert.deepEqual(Object.keys(refused), ["docker", "sentry"]);
  assert.match(refused["docker"] ?? "", /"\/var\/run\/docker.sock" may not be seen by a server/);
  assert.match(refused["sentry"] ?? "", /its command holds the secret SENTRY_AUTH_TOKEN/);
});

/** What the entry makes of a server that gives each parameter a value. */
async function expanded(entry: CatalogEntry): Promise<object> {
  const place = expansionPlace();
  const hostPaths = entry.volumes.flatMap(pathsOf).map((path) => path.slice(entry.name.length + 1));
  const settings = valueFor(entry.parameters, [], hostPaths) as ServerConfig["settings"];
  const server = { ...await serverOf(`source: docker:${entry.name}`), settings };
  try {
    const made = await expandServer(
      server,
      { find: () => Promise.resolve(entry), registered: () => Promise.reject(new Error()) },
      place,
    );
    return { ...optionsOf(made, server), notes: place.notes };
  } catch (error) {
    if (!(error instanceof GatewayError)) throw error;
    return { refused: error.message };
  }
}

/** A value that the schema takes: its own example or default, else one made up. */
function valueFor(
  node: SchemaNode,
  path: readonly string[],
  hostPaths: readonly string[],
): unknown {
  if (node.properties !== undefined || path.length === 0) {
    return Object.fromEntries(
      Object.entries(node.properties ?? {}).map(([name, child]) => [
        name,
        valueFor(child, [...path, name], hostPaths),
      ]),
    );
  }
  const name = path.at(-1) ?? "";
  const one = hostPaths.includes(path.join(".")) ? `/srv/${name}` : undefined;
  if (node.type === "array") return one === undefined ? ["one", "two"] : [one, `${one}-2`];
  if (one !== undefined) return one;
  const given = node.enum?.[0] ?? node.default ?? node.example;
  if (given !== undefined) return given;
  const made: Readonly<Record<string, string>> = { integer: "10", number: "0.5", boolean: "true" };
  return made[node.type ?? ""] ?? `a-${name}`;
}

/** What differs from a server that says nothing. */
function optionsOf(made: ServerConfig, plain: ServerConfig): object {
  const mode = ({ readOnly }: { readonly readOnly: boolean }) => readOnly ? "ro" : "rw";
  const all = {
    source: made.source,
    args: made.args,
    env: made.env,
    secrets: Object.entries(made.secrets).map(([name, it]) => `${name} ${referenceText(it)}`),
    volumes: [
      ...made.volumes.map((it) => `${it.hostPath}:${it.containerPath}:${mode(it)}`),
      ...made.namedVolumes.map((it) => `${it.volume}:${it.containerPath}:${mode(it)}`),
    ],
    network: made.network.map(targetText),
    extraHosts: made.extraHosts,
    user: made.user,
    headers: made.headers,
    oauth: made.oauth,
    life: made.life === plain.life ? undefined : made.life,
  };
  return Object.fromEntries(
    Object.entries(all).filter(([, value]) => value !== undefined && Object.keys(value).length > 0),
  );
}
