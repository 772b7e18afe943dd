import { readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import { GatewayError, toGatewayError } from "../../src/errors.ts";
import { printable } from "../../src/log.ts";
import { editConfig } from "../config/config-file.ts";
import { alreadyThere, without } from "../import/already-there.ts";
import { readClientFile } from "../import/client-file.ts";
import { readDockerHome } from "../import/docker-home.ts";
import type { Imported, ImportFindings, Skipped } from "../import/imported.ts";
import { openHome } from "../local/home.ts";
import { userHome } from "../local/user-home.ts";
import { openSecretStore } from "../secrets/store.ts";
import {
  CONFIG_OPTION,
  DEFAULT_CONFIG,
  JSON_OPTION,
  readArguments,
  usageError,
} from "./arguments.ts";
import { commands } from "./commands.ts";
import type { Terminal } from "./terminal.ts";

const OPTIONS = {
  ...CONFIG_OPTION,
  ...JSON_OPTION,
  allow: { type: "string", multiple: true },
  secrets: { type: "string" },
  "dry-run": { type: "boolean" },
} as const;

/** Largest file that is read, in bytes. */
const MAX_BYTES = 4 * 1024 * 1024;

/**
 * `import <file or folder>`: brings the servers of an MCP client, or of Docker's gateway, into the
 * config. Secrets that stand in those files go into the store; the files themselves stay as they are.
 */
export async function importServers(args: readonly string[], terminal: Terminal): Promise<void> {
  const { usage } = commands["import"] ?? { usage: "" };
  const { values, positionals: [from, ...rest] } = readArguments(args, OPTIONS, usage);
  if (from === undefined || rest.length > 0) throw usageError("import takes one file", usage);
  const path = from.startsWith("~/") ? join(userHome(), from.slice(2)) : from;
  const editable = await editConfig(values.config ?? DEFAULT_CONFIG);
  const taken = new Set(editable.config.servers.map(({ name }) => name));
  const same = await alreadyThere(await read(path, values.secrets, new Set()), editable.written);
  const found = without(same, await read(path, values.secrets, taken));
  const { entries, skipped } = await usable(found, values.allow ?? [], editable.with);
  const secrets = new Map([...entries, ...same].flatMap((entry) => [...entry.secrets]));
  const kept: string[] = [];
  if (values["dry-run"] !== true && entries.length + same.length > 0) {
    const store = openSecretStore({ home: await openHome(), env: terminal.env });
    // First: a config must not name secrets that nobody has.
    for (const [name, value] of secrets) {
      const known = await store.get(name);
      // Another config may live on it.
      if (known !== undefined && known !== value) kept.push(name);
      else await store.set(name, value);
    }
    if (entries.length > 0) await editable.add(entries);
  }
  if (values.json) {
    const servers = entries.map(({ name, from: was, fields, notes }) => ({
      name,
      from: was,
      fields,
      notes,
    }));
    const moved = [...secrets.keys()].filter((name) => !kept.includes(name));
    terminal.out(JSON.stringify({ ok: true, servers, skipped, secrets: moved, kept }));
    return;
  }
  tell(entries, skipped, terminal);
  const done = values["dry-run"] === true ? "would be added" : "added";
  for (const name of kept) {
    terminal.out(
      `Secret ${printable(name)} is there already with another value and stays: ` +
        `"mcp-runner secret set ${printable(name)}" replaces it`,
    );
  }
  const moved = secrets.size - kept.length;
  terminal.out(
    `${count(entries.length, "server")} ${done}, ${count(moved, "secret")} ${
      values["dry-run"] === true ? "would be moved" : "moved"
    } into the store`,
  );
  if (entries.length > 0 && values["dry-run"] !== true) {
    terminal.out('See how they are run, and agree, with "mcp-runner approve"');
  }
  if (secrets.size > 0 && values["dry-run"] !== true) {
    terminal.out(`The secrets still stand in ${printable(from)} too: remove them there`);
  }
}

function count(n: number, what: string): string {
  return `${n} ${what}${n === 1 ? "" : "s"}`;
}

async function read(path: string, secrets: string | undefined, taken: ReadonlySet<string>) {
  const facts = await stat(path).catch(() => undefined);
  if (facts === undefined) {
    throw new GatewayError("usage", `Cannot import ${printable(path)}: there is no such file`);
  }
  if (!facts.isDirectory()) return await readClientFile(await text(path) ?? "", taken);
  return await readDockerHome({
    registry: await text(join(path, "registry.yaml")),
    config: await text(join(path, "config.yaml")),
    tools: await text(join(path, "tools.yaml")),
    secrets: secrets === undefined ? undefined : await text(secrets),
  }, taken);
}

async function text(path: string): Promise<string | undefined> {
  const facts = await stat(path).catch(() => undefined);
  if (facts === undefined) return undefined;
  if (facts.size > MAX_BYTES) {
    throw new GatewayError("usage", `Cannot import ${printable(path)}: it has ${facts.size} bytes`);
  }
  const bytes = await readFile(path).catch((cause: NodeJS.ErrnoException) => {
    throw new GatewayError(
      "usage",
      `Cannot import ${printable(path)}: the system answers ${cause.code}`,
      { cause },
    );
  });
  return new TextDecoder().decode(bytes);
}

/** Those that make a config which can be used; of the others, what is wrong with them. */
async function usable(
  { imported, skipped }: ImportFindings,
  allow: readonly string[],
  check: (entries: readonly Imported[]) => Promise<unknown>,
): Promise<{ readonly entries: readonly Imported[]; readonly skipped: readonly Skipped[] }> {
  const entries: Imported[] = [];
  const refused: Skipped[] = [...skipped];
  for (const one of imported) {
    const fields = allow.length > 0 && !("tools" in one.fields)
      ? { ...one.fields, tools: { allow } }
      : one.fields;
    const entry = { ...one, fields };
    const problem = await check([entry]).then(() => undefined, toGatewayError);
    if (problem === undefined) entries.push(entry);
    else {
      const [, line = problem.message] = problem.message.split("\n");
      refused.push({ from: one.from, why: line.replace(/^\S+:\d+:\d+ servers\.[^.]+\.?/, "") });
    }
  }
  return { entries, skipped: refused };
}

function tell(entries: readonly Imported[], skipped: readonly Skipped[], terminal: Terminal): void {
  for (const { name, from, fields, notes } of entries) {
    const was = name === from ? "" : ` (was ${from})`;
    // The query of a URL may be private.
    const [source = ""] = String(fields["source"]).split("?", 1);
    terminal.out(printable(`${name}${was}  ${source}`));
    for (const note of notes) terminal.out(printable(`  ${note}`));
  }
  for (const { from, why } of skipped) terminal.out(printable(`${from}  left out: ${why}`));
  for (
    const [what, of] of [
      [
        "No tool allowed yet, see tools.allow",
        entries.filter(({ fields }) => !("tools" in fields)),
      ],
      ["No network yet, see network", entries.filter(isShutIn)],
    ] as const
  ) {
    if (of.length > 0) terminal.out(`${what}: ${of.map(({ name }) => name).join(", ")}`);
  }
}

/** Whether it will be in a container without a network. */
function isShutIn({ fields }: Imported): boolean {
  return !("network" in fields) && !/^(?:https?|docker):/.test(String(fields["source"]));
}
