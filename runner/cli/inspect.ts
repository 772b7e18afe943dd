/**
 * `inspect`: what a server is, what clients may use of it, and what they do not see as it is and why.
 *
 * @module
 */
import { GatewayError, toGatewayError } from "../../src/errors.ts";
import { printable } from "../../src/log.ts";
import { isAllowed } from "../../src/policy/allowlist.ts";
import { isUriAllowed } from "../../src/policy/uri-rules.ts";
import { listNames, type OfferedList } from "../../src/mcp/offer.ts";
import { LATEST_LEGACY_REVISION, MODERN_REVISION } from "../../src/mcp/revisions.ts";
import type { ServerSource } from "../config/config.ts";
import type { Problem } from "../gateway/problem.ts";
import type { OwnedServer, Runner } from "../runner.ts";
import type { Era } from "../server/era.ts";
import { CONFIG_OPTION, JSON_OPTION, readArguments, usageError } from "./arguments.ts";
import { withRunner } from "./ask.ts";
import { commands } from "./commands.ts";
import type { Terminal } from "./terminal.ts";

const OPTIONS = { ...CONFIG_OPTION, ...JSON_OPTION } as const;

/** How the lists are called for people. */
const LIST_NAMES: Readonly<Record<OfferedList, readonly [one: string, all: string]>> = {
  tools: ["tool", "tools"],
  prompts: ["prompt", "prompts"],
  resources: ["resource", "resources"],
  resourceTemplates: ["template", "templates"],
};

/** What a server of an era speaks, for people. */
const ERAS: Readonly<Record<Era, string>> = {
  modern: `MCP ${MODERN_REVISION}`,
  legacy: `MCP ${LATEST_LEGACY_REVISION} or older`,
};

/** How many entries a list has, and how many of them the rules let through. */
interface Count {
  readonly listed: number;
  readonly allowed: number;
}

/** What is known of a server, as `--json` prints it. */
interface Inspection {
  readonly name: string;
  readonly state: "ready" | "failed";
  /** Why it has failed. */
  readonly error?: string;
  readonly source: string;
  readonly image?: string;
  /** Of which era of MCP it is. */
  readonly era?: Era;
  /** Its processes that run now, or the connections that stand for them. */
  readonly processes: number;
  readonly prefix: string;
  readonly lists: Readonly<Record<OfferedList, Count>>;
  readonly problems: readonly Problem[];
}

/** `inspect [<server>]`: starts the servers of the config and says what became of each. */
export async function inspect(args: readonly string[], terminal: Terminal): Promise<void> {
  const { usage } = commands["inspect"] ?? { usage: "" };
  const { values, positionals: [only, ...rest] } = readArguments(args, OPTIONS, usage);
  if (rest.length > 0) throw usageError("inspect takes one server at most", usage);
  await withRunner(values, terminal, async (runner) => {
    const servers = [...runner.servers.values()].filter(({ config: { name } }) =>
      only === undefined || name === only
    );
    if (only !== undefined && servers.length === 0) {
      throw new GatewayError("usage", `Cannot inspect "${printable(only)}": no such server`);
    }
    const inspections = await Promise.all(servers.map((server) => look(runner, server)));
    if (values.json) {
      terminal.out(JSON.stringify({ ok: true, servers: inspections }));
      return;
    }
    for (const line of inspections.flatMap(linesOf)) terminal.out(printable(line));
  });
}

async function look({ gateway }: Runner, owned: OwnedServer): Promise<Inspection> {
  const { server, config } = owned;
  const { name, prefix, source } = config;
  const failure = await server.start().then(() => undefined, toGatewayError);
  const image = owned.image();
  const count = (list: OfferedList): Count => {
    const keys = (server.lists?.[list] ?? []).map(({ key }) => key);
    const allowed = list === "tools" || list === "prompts"
      ? keys.filter((key) => isAllowed(config[list], key))
      : keys.filter((key) => isUriAllowed(config.resources, key));
    return { listed: keys.length, allowed: allowed.length };
  };
  return {
    name,
    state: failure === undefined ? "ready" : "failed",
    ...(failure !== undefined && { error: failure.message }),
    source: sourceText(source),
    ...(image !== undefined && { image }),
    ...(server.era !== undefined && { era: server.era }),
    processes: server.processes,
    prefix,
    lists: {
      tools: count("tools"),
      prompts: count("prompts"),
      resources: count("resources"),
      resourceTemplates: count("resourceTemplates"),
    },
    problems: gateway.problems(name),
  };
}

function linesOf(inspection: Inspection): readonly string[] {
  const { name, state, error, source, image, era, processes } = inspection;
  const facts: readonly (readonly [string, string | undefined])[] = [
    ["error", error],
    ["source", source],
    ["image", image],
    ["speaks", era && ERAS[era]],
    ["processes", String(processes)],
    ["names", inspection.prefix === "" ? "as they are" : `${inspection.prefix}<name>`],
    ...listNames().map((list) => {
      const { listed, allowed } = inspection.lists[list];
      return [LIST_NAMES[list][1], `${allowed} allowed, ${listed - allowed} denied`] as const;
    }),
  ];
  return [
    `${name}  ${state}`,
    ...facts.filter(([, value]) => value !== undefined)
      .map(([what, value]) => `  ${what.padEnd(10)} ${value}`),
    ...inspection.problems.map(problemLine),
  ];
}

function problemLine({ kind, list, key, why, fix }: Problem): string {
  const entry = key === "" ? `a ${LIST_NAMES[list][0]}` : `${LIST_NAMES[list][0]} "${key}"`;
  return `  ${kind}: ${entry} ${why}${fix === undefined ? "" : `; ${fix}`}`;
}

function sourceText(source: ServerSource): string {
  switch (source.kind) {
    case "npm":
    case "pypi":
      return `${source.kind}:${source.package}${
        source.version === undefined ? "" : `@${source.version}`
      }`;
    case "docker":
      return `docker:${source.entry}`;
    case "registry":
      return `registry:${source.name}${source.version === undefined ? "" : `@${source.version}`}`;
    case "running":
      return `container:${source.container}`;
    case "commands":
      return `${source.tools.length} commands`;
    case "image":
      return `image:${source.reference}`;
    case "http":
      // Its query may be private.
      return new URL(source.url).origin + new URL(source.url).pathname;
  }
}
