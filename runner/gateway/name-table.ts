import { expose } from "../../src/mcp/name.ts";
import { isAllowed } from "../../src/policy/allowlist.ts";
import type { Hidden } from "../policy/tool-pins.ts";
import type { ListedEntry } from "../server/listed.ts";
import type { GatewayServer } from "./gateway-server.ts";
import { type ParamHeader, readParamHeaders } from "./param-header.ts";

/** A tool or prompt that callers may use. */
export interface NamedTarget {
  readonly server: GatewayServer;
  readonly entry: ListedEntry;
  /** Parameters that headers repeat; of a prompt none. */
  readonly headers: readonly ParamHeader[];
}

/** An allowed tool or prompt that is left out. */
export interface LeftOutName {
  readonly server: GatewayServer;
  readonly key: string;
  /** Name of the server that has its exposed name; undefined when it breaks a rule. */
  readonly takenBy?: string;
  /** Whether it is left out because it is not what was agreed to. */
  readonly changed?: boolean;
  readonly why: string;
}

/** The tools or prompts of all servers together. */
export interface NameTable {
  /** By exposed name, in the order of the config and of the servers. */
  readonly targets: ReadonlyMap<string, NamedTarget>;
  readonly leftOut: readonly LeftOutName[];
}

/**
 * Puts the allowed tools or prompts of these servers together; the first has a name that two want.
 *
 * @param hidden What is not as it was agreed to. It keeps its name: a call that was meant for it must not
 * reach another server.
 */
export function nameTableOf(
  servers: readonly GatewayServer[],
  list: "tools" | "prompts",
  hidden: Hidden = new Map(),
): NameTable {
  const kept = new Map<string, GatewayServer>();
  const targets = new Map<string, NamedTarget>();
  const leftOut: LeftOutName[] = [];
  for (const server of servers) {
    for (const entry of server.server.lists?.[list] ?? []) {
      const { key, raw } = entry;
      if (!isAllowed(server.rules[list], key)) continue;
      const why = hidden.get(entry);
      const headers = list === "tools" ? readParamHeaders(raw) : { headers: [] };
      // MCP 2026-07-28 streamable-http: a client over HTTP rejects such a tool, one over stdio need not.
      if ("invalid" in headers && server.transport === "http" && why === undefined) {
        leftOut.push({ server, key, why: `cannot be offered: ${headers.invalid}` });
        continue;
      }
      const exposed = expose(server.prefix, key);
      const taken = targets.get(exposed)?.server ?? kept.get(exposed);
      if (taken === undefined && why !== undefined) {
        kept.set(exposed, server);
        leftOut.push({ server, key, changed: true, why });
      } else if (taken === undefined) {
        targets.set(exposed, {
          server,
          entry,
          headers: "invalid" in headers ? [] : headers.headers,
        });
      } else {
        const takenBy = taken.server.name;
        leftOut.push({ server, key, takenBy, why: `has the name "${exposed}" of "${takenBy}"` });
      }
    }
  }
  return { targets, leftOut };
}
