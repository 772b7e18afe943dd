import { expose } from "../../src/mcp/name.ts";
import { stringMember } from "../../src/mcp/scan.ts";
import { isAllowed } from "../../src/policy/allowlist.ts";
import { isUriAllowed } from "../../src/policy/uri-rules.ts";
import type { Params } from "../server/params.ts";
import type { GatewayServer } from "./gateway-server.ts";
import { readRewritten } from "./rewritten-uri.ts";

/**
 * The name of the server that lists what a refused request names, so that only a rule can have kept the
 * caller from it; undefined if no server is known to have it. For the operator alone: callers are told the
 * same in both cases.
 *
 * @param within Names of the servers that the caller may reach for a resource; all unless given.
 */
export function deniedBy(
  servers: readonly GatewayServer[],
  { method, params: { text, outline }, within }: {
    readonly method: string;
    readonly params: Params;
    readonly within?: readonly string[] | undefined;
  },
): string | undefined {
  const name = stringMember(text, outline, method === "resources/read" ? "uri" : "name");
  if (name === undefined) return undefined;
  const denies = (entry: GatewayServer): boolean => {
    switch (method) {
      case "tools/call":
        return deniesName(entry, "tools", name);
      case "prompts/get":
        return deniesName(entry, "prompts", name);
      case "resources/read":
        return deniesUri(entry, readRewritten(name)?.own ?? name, within);
      default:
        return false;
    }
  };
  return servers.find(denies)?.server.name;
}

function deniesName(
  { server, prefix, rules }: GatewayServer,
  list: "tools" | "prompts",
  name: string,
): boolean {
  return name.startsWith(prefix) &&
    (server.lists?.[list] ?? []).some(({ key }) =>
      expose(prefix, key) === name && !isAllowed(rules[list], key)
    );
}

function deniesUri(
  { server, rules }: GatewayServer,
  uri: string,
  within: readonly string[] | undefined,
): boolean {
  const { resources = [], resourceTemplates = [] } = server.lists ?? {};
  const listed = [...resources, ...resourceTemplates].some(({ key }) => key === uri);
  const reachable = within === undefined || within.includes(server.name);
  return listed && !(reachable && isUriAllowed(rules.resources, uri));
}
