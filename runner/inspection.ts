/**
 * What is known of a server: how it is, what clients may use of it, and what they do not see as it is
 * and why. Printed by `inspect`, and said by a running runner to who asks it.
 *
 * @module
 */
import * as v from "valibot";
import { isAllowed } from "../src/policy/allowlist.ts";
import { isUriAllowed } from "../src/policy/uri-rules.ts";
import { listNames, type OfferedList } from "../src/mcp/offer.ts";
import { targetText } from "./config/egress-target.ts";
import { sourceText } from "./config/source-text.ts";
import type { Gateway } from "./gateway/gateway.ts";
import { PROBLEM_KINDS } from "./gateway/problem.ts";
import type { OwnedServer } from "./fleet.ts";

/** Denied names of one list that are told. */
const MAX_DENIED = 100;

const count = v.object({
  listed: v.number(),
  allowed: v.number(),
  /** Names or URIs that the rules do not let through, the first of them. */
  denied: v.optional(v.array(v.string()), []),
});

const inspection = v.object({
  name: v.string(),
  state: v.picklist(["cold", "starting", "ready", "draining", "failed"]),
  /** Why it has failed, or why its last start has. */
  error: v.optional(v.string()),
  source: v.string(),
  image: v.optional(v.string()),
  /** Of which era of MCP it is. */
  era: v.optional(v.picklist(["modern", "legacy"])),
  /** Its processes that run now, or the connections that stand for them. */
  processes: v.number(),
  /** Ids of its containers that run now. */
  containers: v.array(v.string()),
  prefix: v.string(),
  network: v.array(v.string()),
  lists: v.object({
    tools: count,
    prompts: count,
    resources: count,
    resourceTemplates: count,
  }),
  problems: v.array(
    v.object({
      kind: v.picklist(PROBLEM_KINDS),
      list: v.picklist([...listNames(), "instructions"]),
      key: v.string(),
      exposed: v.optional(v.string()),
      why: v.string(),
      fix: v.optional(v.string()),
    }),
  ),
  /** Problems beside these. */
  moreProblems: v.optional(v.number()),
});

/** Problems that are told of one server: it decides how many it has, and all are read at once. */
const MAX_PROBLEMS = 200;

/** What is known of one server. */
export type Inspection = v.InferOutput<typeof inspection>;

/** What a running runner says of itself. */
export const runnerStatus = v.object({
  pid: v.number(),
  /** Absolute path of its config. */
  config: v.string(),
  /** Origin of the worker that it serves; undefined for one that serves nobody. */
  origin: v.optional(v.string()),
  /** Since when, in milliseconds since the epoch. */
  since: v.optional(v.number()),
  /** Why the config as it is now is not the one in use. */
  problem: v.optional(v.string()),
  servers: v.array(inspection),
});

/** What a running runner says of itself. */
export type RunnerStatus = v.InferOutput<typeof runnerStatus>;

/** What is known of `owned` now, secrets taken out by `redact`; nothing is started for it. */
export function inspectionOf(
  gateway: Gateway,
  owned: OwnedServer,
  redact: (text: string) => string,
): Inspection {
  const { server, config } = owned;
  const { name, prefix, source, network } = config;
  const image = owned.image();
  const problems = gateway.problems(name);
  const countOf = (list: OfferedList) => {
    const keys = (server.lists?.[list] ?? []).map(({ key }) => key);
    const lets = (key: string): boolean =>
      list === "tools" || list === "prompts"
        ? isAllowed(config[list], key)
        : isUriAllowed(config.resources, key);
    const denied = keys.filter((key) => !lets(key));
    return {
      listed: keys.length,
      allowed: keys.length - denied.length,
      denied: denied.slice(0, MAX_DENIED),
    };
  };
  return {
    name,
    // Whoever looks at a server that could not be started wants to hear that, not that it is not running.
    state: server.state === "cold" && server.failure !== undefined ? "failed" : server.state,
    ...(server.failure !== undefined && { error: redact(server.failure.message) }),
    source: sourceText(source),
    ...(image !== undefined && { image }),
    ...(server.era !== undefined && { era: server.era }),
    processes: server.processes,
    containers: [...server.containers],
    prefix,
    network: network.map(targetText),
    lists: {
      tools: countOf("tools"),
      prompts: countOf("prompts"),
      resources: countOf("resources"),
      resourceTemplates: countOf("resourceTemplates"),
    },
    problems: problems.slice(0, MAX_PROBLEMS),
    ...(problems.length > MAX_PROBLEMS && { moreProblems: problems.length - MAX_PROBLEMS }),
  };
}
