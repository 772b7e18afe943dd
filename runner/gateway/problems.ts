import type { OfferedList } from "../../src/mcp/offer.ts";
import { isUriAllowed } from "../../src/policy/uri-rules.ts";
import { cleanEntry, cleanInstructions } from "../policy/entry-text.ts";
import { suspicions, suspicionsOf } from "../policy/suspicion.ts";
import type { ListedEntry } from "../server/listed.ts";
import type { Catalogue } from "./catalogue.ts";
import type { GatewayServer } from "./gateway-server.ts";
import type { Problem } from "./problem.ts";
import type { UriTarget } from "./uri-space.ts";

/** What of a server its owner should know, in the order of its kinds: what clients do not see as it is. */
export function problemsOf(server: GatewayServer, catalogue: Catalogue): readonly Problem[] {
  const { resources, templates } = catalogue.uris;
  return [
    ...broken(server),
    ...names(server, catalogue, "tools"),
    ...names(server, catalogue, "prompts"),
    ...rewritten(server, resources, "resources"),
    ...rewritten(server, templates, "resourceTemplates"),
    ...said(server, catalogue),
  ];
}

/** What of its words clients do not get, and which a person should read. */
function said(server: GatewayServer, catalogue: Catalogue): readonly Problem[] {
  const { lists, name } = server.server;
  if (lists === undefined) return [];
  const author = "tell the author of the server";
  const reader = `read it; if it is not what you want, deny it in the config of "${name}"`;
  const of = (list: OfferedList, entries: readonly ListedEntry[]): readonly Problem[] =>
    entries.flatMap((entry) => [
      ...cleanEntry(entry).done.map((why): Problem => (
        { kind: "cleaned", list, key: entry.key, why, fix: author }
      )),
      ...suspicionsOf(entry).map((why): Problem => (
        { kind: "suspicious", list, key: entry.key, why, fix: reader }
      )),
    ]);
  const named = (list: "tools" | "prompts") =>
    [...catalogue[list].targets.values()].flatMap((target) =>
      target.server === server ? [target.entry] : []
    );
  const located = (list: "resources" | "resourceTemplates") =>
    lists[list].filter(({ key }) => isUriAllowed(server.rules.resources, key));
  const { instructions } = lists;
  const list = "instructions";
  return [
    ...of("tools", named("tools")),
    ...of("prompts", named("prompts")),
    ...of("resources", located("resources")),
    ...of("resourceTemplates", located("resourceTemplates")),
    ...cleanInstructions(instructions).done.map((why): Problem => (
      { kind: "cleaned", list, key: "", why, fix: author }
    )),
    ...suspicions(instructions).map((why): Problem => ({ kind: "suspicious", list, key: "", why })),
  ];
}

function broken({ server: { lists } }: GatewayServer): readonly Problem[] {
  return (lists?.broken ?? []).map((entry) => ({
    kind: "broken",
    ...entry,
    fix: "tell the author of the server; the other entries are not affected",
  }));
}

function names(
  server: GatewayServer,
  catalogue: Catalogue,
  list: "tools" | "prompts",
): readonly Problem[] {
  const { leftOut, targets } = catalogue[list];
  const problems: Problem[] = [];
  for (const { server: owner, key, takenBy, changed, why } of leftOut) {
    if (owner !== server) continue;
    problems.push(
      changed === true
        ? { kind: "changed", list, key, why, fix: agree(server) }
        : takenBy === undefined
        ? { kind: "broken", list, key, why, fix: "tell the author of the server" }
        : {
          kind: "collision",
          list,
          key,
          why,
          fix:
            `give one of the two servers another prefix, or deny the name in ${list}.deny of one`,
        },
    );
  }
  for (const [exposed, { server: owner, entry: { key } }] of targets) {
    if (owner !== server || exposed === server.prefix + key) continue;
    const why = `is too long for clients with its prefix, and is seen as "${exposed}"`;
    problems.push({ kind: "shortened", list, key, exposed, why, fix: "give it a shorter prefix" });
  }
  return problems;
}

function agree({ server: { name } }: GatewayServer): string {
  return `see what has changed and agree to it with "mcp-runner approve ${name}"`;
}

function rewritten(
  server: GatewayServer,
  targets: ReadonlyMap<string, UriTarget>,
  list: OfferedList & `resource${string}`,
): readonly Problem[] {
  const problems: Problem[] = [];
  for (const [exposed, { server: owner, own }] of targets) {
    if (owner !== server || exposed === own) continue;
    const why = `is also one of another server, and is seen as "${exposed}"`;
    problems.push({ kind: "rewritten", list, key: own, exposed, why });
  }
  return problems;
}
