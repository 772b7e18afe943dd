import { systemClock } from "../../src/clock.ts";
import { GatewayError, toGatewayError } from "../../src/errors.ts";
import { printable } from "../../src/log.ts";
import type { ServerConfig } from "../config/config.ts";
import { editConfig } from "../config/config-file.ts";
import type { Entry } from "../config/edit.ts";
import { parseSource, type ServerSource } from "../config/source.ts";
import { nameFor } from "../import/imported.ts";
import { openHome } from "../local/home.ts";
import { createRunner } from "../runner.ts";
import { openSecretStore } from "../secrets/store.ts";
import type { ListedEntry } from "../server/listed.ts";
import { approver } from "./approving.ts";
import { DEFAULT_CONFIG, readArguments, START_OPTIONS, usageError } from "./arguments.ts";
import { commands } from "./commands.ts";
import { chosen } from "./tool-choice.ts";
import { humanLog, interrupted, type Terminal } from "./terminal.ts";

const OPTIONS = {
  ...START_OPTIONS,
  name: { type: "string" },
  allow: { type: "string", multiple: true },
  set: { type: "string", multiple: true },
  network: { type: "string", multiple: true },
  "no-start": { type: "boolean" },
} as const;

/**
 * `add <source> [-- <arguments>…]`: shows what will be run, runs it once, lets the user pick the tools
 * to allow, and writes the server into the config.
 */
export async function add(args: readonly string[], terminal: Terminal): Promise<void> {
  const { usage } = commands["add"] ?? { usage: "" };
  const split = args.indexOf("--");
  const own = split < 0 ? args : args.slice(0, split);
  const { values, positionals: [source, ...rest] } = readArguments(own, OPTIONS, usage);
  if (source === undefined || rest.length > 0) throw usageError("add takes one source", usage);
  const editable = await editConfig(values.config ?? DEFAULT_CONFIG);
  const taken = new Set(editable.config.servers.map(({ name }) => name));
  const name = values.name ?? nameFor(baseName(parseSource(source)), taken);
  const settings = readSettings(values.set ?? [], usage);
  const words = split < 0 ? [] : args.slice(split + 1);
  const entry = (allow: readonly string[]): Entry => ({
    name,
    fields: {
      source,
      ...(words.length > 0 && { args: words }),
      ...(Object.keys(settings).length > 0 && { config: settings }),
      ...(values.network !== undefined && { network: values.network }),
      ...(allow.length > 0 && { tools: { allow } }),
    },
  });
  const config = await editable.with([entry([])]);
  const server = config.servers.find((one) => one.name === name);
  if (server === undefined) throw new TypeError("A server that was added is not in its config");
  const listed = values["no-start"] === true
    ? undefined
    : await listOnce({ ...config, servers: [server] }, values.yes, terminal);
  const tools = listed?.tools;
  const allow = values.allow ?? (tools && await chosen(tools, terminal)) ?? [];
  await listed?.pin();
  await editable.add([entry(allow)]);
  if (values.json) {
    const names = tools?.map(({ key }) => key);
    terminal.out(JSON.stringify({ ok: true, server: name, allow, ...(names && { tools: names }) }));
    return;
  }
  const file = values.config ?? DEFAULT_CONFIG;
  terminal.out(`Added server "${name}" to ${printable(file)}`);
  terminal.out(
    allow.length > 0
      ? `Allowed tools: ${printable(allow.join(", "))}`
      : "None of its tools is allowed yet: name them under tools.allow",
  );
}

/** What a server listed when it was started to be added. */
interface Listed {
  readonly tools: readonly ListedEntry[];
  /** Pins what was listed: clients get nothing else before somebody agrees to it. */
  pin(): Promise<void>;
}

/** Starts the server once, as it would be run, and asks what it has; undefined for one that wants a login first. */
async function listOnce(
  config: Awaited<ReturnType<typeof editConfig>>["config"],
  yes: boolean | undefined,
  terminal: Terminal,
): Promise<Listed | undefined> {
  const home = await openHome();
  const log = humanLog(terminal);
  const runner = await createRunner({
    config,
    home,
    env: terminal.env,
    clock: systemClock,
    log: (level, message, fields) => {
      // What is thrown says it once more, at the end.
      const bare = Object.values(fields ?? {}).every((value) => value === undefined);
      if (level === "error" && bare && message.startsWith("Cannot start ")) return;
      log(level, message, fields);
    },
    approve: approver(yes, terminal),
    changed: () => {},
  });
  try {
    const [owned] = runner.servers.values();
    if (owned === undefined) return undefined;
    await askForSecrets(owned.config, home, terminal);
    await Promise.race([owned.server.start(), interrupted(terminal)]);
    const { lists } = owned.server;
    return {
      tools: lists?.tools ?? [],
      pin: async () => {
        if (lists !== undefined) await runner.pins.adopt(owned.config.name, lists);
      },
    };
  } catch (thrown) {
    const error = toGatewayError(thrown);
    if (error.code === "not_approved") {
      const how = terminal.interactive ? "" : ": add it on a terminal, or with --yes";
      throw new GatewayError(
        "not_approved",
        `Nothing was added, since nobody has agreed to how it is run${how}`,
      );
    }
    // Only a server that is in the config can be logged in to.
    if (error.code !== "login_required") throw thrown;
    terminal.note(`${printable(error.message)}; then pick its tools under tools.allow`);
    return undefined;
  } finally {
    await runner.stop();
  }
}

/** Asks for the secrets of the store that are missing, where somebody is there to be asked. */
async function askForSecrets(
  { secrets, secretFiles }: ServerConfig,
  home: string,
  terminal: Terminal,
): Promise<void> {
  if (!terminal.interactive) return;
  const store = openSecretStore({ home, env: terminal.env });
  for (const [variable, reference] of Object.entries({ ...secrets, ...secretFiles })) {
    if (reference.kind !== "store" || await store.has(reference.name)) continue;
    const value = await terminal.askHidden(`${variable} (kept as secret ${reference.name}): `);
    if (value !== "") await store.set(reference.name, value);
  }
}

/** What a server is called that has no name of its own yet. */
function baseName(source: ServerSource): string {
  const last = (text: string) => text.split("/").at(-1) ?? text;
  switch (source.kind) {
    case "npm":
    case "pypi":
      return last(source.package).replace(/^(?:mcp-)?server-|^mcp-|-mcp(?:-server)?$/g, "");
    case "image":
      return last(source.reference).replace(/[:@].*$/, "");
    case "docker":
      return source.entry;
    case "registry":
      return last(source.name);
    case "running":
      return source.container;
    case "http":
      return new URL(source.url).hostname.replace(/^(?:mcp|www|api)\./, "").replace(/\.[^.]+$/, "");
    case "commands":
      return "commands";
  }
}

function readSettings(pairs: readonly string[], usage: string): Record<string, string> {
  return Object.fromEntries(pairs.map((pair) => {
    const equals = pair.indexOf("=");
    if (equals < 1) throw usageError(`--set takes <parameter>=<value>, not "${pair}"`, usage);
    return [pair.slice(0, equals), pair.slice(equals + 1)];
  }));
}
