import type { OfferedList } from "../../src/mcp/offer.ts";
import type { Catalogue } from "./catalogue.ts";
import type { GatewayServer } from "./gateway-server.ts";
import type { Problem } from "./problem.ts";
import type { UriTarget } from "./uri-space.ts";

/** Everything of a server that clients do not see as the server wrote it, in the order of its kinds. */
export function problemsOf(server: GatewayServer, catalogue: Catalogue): readonly Problem[] {
  const { resources, templates } = catalogue.uris;
  return [
    ...broken(server),
    ...names(server, catalogue, "tools"),
    ...names(server, catalogue, "prompts"),
    ...rewritten(server, resources, "resources"),
    ...rewritten(server, templates, "resourceTemplates"),
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
  for (const { server: owner, key, takenBy, why } of leftOut) {
    if (owner !== server) continue;
    problems.push(
      takenBy === undefined
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
