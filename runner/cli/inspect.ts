/**
 * `inspect`: what a server is, what clients may use of it, and what they do not see as it is and why.
 *
 * @module
 */
import { resolve } from "node:path";
import { GatewayError } from "../../src/errors.ts";
import { printable } from "../../src/log.ts";
import { listNames, type OfferedList } from "../../src/mcp/offer.ts";
import { LATEST_LEGACY_REVISION, MODERN_REVISION } from "../../src/mcp/revisions.ts";
import { visible } from "../policy/invisible.ts";
import type { Era } from "../server/era.ts";
import type { Inspection, RunnerStatus } from "../inspection.ts";
import { loadConfig } from "../config/config.ts";
import { selectProfile } from "../config/profile.ts";
import { openHome } from "../local/home.ts";
import { runningRunners } from "../running.ts";
import { DEFAULT_CONFIG, readArguments, START_OPTIONS, usageError } from "./arguments.ts";
import { withRunner } from "./ask.ts";
import { commands } from "./commands.ts";
import type { Terminal } from "./terminal.ts";

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

/**
 * `inspect [<server>]`: what became of each server of the runner that serves the config, or if none
 * does, of servers that are started for this.
 */
export async function inspect(args: readonly string[], terminal: Terminal): Promise<void> {
  const { usage } = commands["inspect"] ?? { usage: "" };
  const { values, positionals: [only, ...rest] } = readArguments(args, START_OPTIONS, usage);
  if (rest.length > 0) throw usageError("inspect takes one server at most", usage);
  const path = resolve(values.config ?? DEFAULT_CONFIG);
  const running = (await runningRunners(await openHome())).find(({ config }) => config === path);
  if (running !== undefined) {
    if (running.status === undefined) {
      throw new GatewayError(
        "usage",
        `Cannot inspect what process ${running.pid} serves: it has just begun, or is of another version`,
      );
    }
    show(running.status, { only, json: values.json ?? false }, terminal);
    return;
  }
  const config = selectProfile(
    await loadConfig(values.config ?? DEFAULT_CONFIG),
    values.profile,
  );
  if (only !== undefined && !config.servers.some(({ name }) => name === only)) throw unknown(only);
  await withRunner({ ...values, fresh: true }, terminal, async (runner) => {
    show(runner.status(), { only, json: values.json ?? false }, terminal);
  });
}

function show(
  { servers: all, problem, pid }: RunnerStatus,
  { only, json }: { readonly only: string | undefined; readonly json: boolean },
  terminal: Terminal,
): void {
  const servers = all.filter(({ name }) => only === undefined || name === only);
  if (only !== undefined && servers.length === 0) {
    throw unknown(only);
  }
  if (json) {
    const running = pid === process.pid ? {} : { pid };
    terminal.out(
      JSON.stringify({ ok: true, ...running, ...(problem !== undefined && { problem }), servers }),
    );
    return;
  }
  if (pid !== process.pid) terminal.note(`As process ${pid} serves them now:`);
  for (const line of problem?.split("\n") ?? []) terminal.out(printable(line));
  if (problem !== undefined) terminal.out("The servers go on as they were.\n");
  for (const server of servers) {
    const lines = [...linesOf(server), ...(only === undefined ? [] : deniedLines(server))];
    for (const line of lines) terminal.out(printable(line));
  }
}

function unknown(server: string): GatewayError {
  return new GatewayError("usage", `Cannot inspect "${printable(server)}": no such server`);
}

function linesOf(inspection: Inspection): readonly string[] {
  const { name, state, error, source, image, era, processes, containers, network } = inspection;
  const facts: readonly (readonly [string, string | undefined])[] = [
    ["error", error],
    ["source", source],
    ["image", image],
    ["speaks", era && ERAS[era]],
    ["processes", String(processes)],
    ["containers", containers.map((id) => id.slice(0, 12)).join(", ") || undefined],
    ["network", network.join(", ") || undefined],
    ["names", inspection.prefix === "" ? "as they are" : `${inspection.prefix}<name>`],
    ...listNames().filter((list) => inspection.lists[list].listed > 0).map((list) => {
      const { listed, allowed } = inspection.lists[list];
      return [LIST_NAMES[list][1], `${allowed} allowed, ${listed - allowed} denied`] as const;
    }),
  ];
  return [
    `${name}  ${state}`,
    ...facts.filter(([, value]) => value !== undefined)
      .map(([what, value]) => `  ${what.padEnd(10)} ${value}`),
    ...inspection.problems.map(problemLine),
    ...(inspection.moreProblems === undefined ? [] : [`  and ${inspection.moreProblems} more`]),
  ];
}

/** The names that the rules hold back: only its owner can see them, and has to, to allow them. */
function deniedLines({ lists }: Inspection): readonly string[] {
  return listNames().flatMap((list) => {
    const { listed, allowed, denied } = lists[list];
    if (denied.length === 0) return [];
    const more = listed - allowed - denied.length;
    const rest = more > 0 ? `, and ${more} more` : "";
    return [`  denied ${LIST_NAMES[list][1]}: ${denied.join(", ")}${rest}`];
  });
}

function problemLine({ kind, list, key, why, fix }: Inspection["problems"][number]): string {
  const one = list === "instructions" ? "text of instructions" : LIST_NAMES[list][0];
  const entry = key === "" ? `a ${one}` : `${one} "${visible(key)}"`;
  return `  ${kind}: ${entry} ${why}${fix === undefined ? "" : `; ${fix}`}`;
}
