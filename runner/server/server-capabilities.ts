import * as v from "valibot";
import { TASKS_EXTENSION } from "../../src/mcp/tasks-extension.ts";

/** What a server said of itself when it was met, in either era. */
export interface ServerCapabilities {
  readonly tools: boolean;
  readonly prompts: boolean;
  readonly resources: boolean;
  /** Whether it tells of updates of single resources. */
  readonly subscribe: boolean;
  /** Whether it sends log messages. */
  readonly logging: boolean;
  /** Whether it serves the tasks extension of MCP 2026-07-28. */
  readonly tasks: boolean;
  /** Whether it runs tools as experimental tasks of MCP 2025-11-25. */
  readonly taskCalls: boolean;
  /** What it wants models to know of its use; empty for nothing. */
  readonly instructions: string;
}

// Some servers write null for what they do not have.
const declared = v.nullish(v.unknown());
const member = v.nullish(v.looseObject({}));

/** `capabilities` and `instructions` as servers write them. */
export const serverFacts = v.object({
  capabilities: v.looseObject({
    tools: declared,
    prompts: declared,
    resources: declared,
    logging: declared,
    extensions: v.fallback(member, undefined),
    tasks: v.fallback(v.nullish(v.looseObject({ requests: v.unknown() })), undefined),
  }),
  instructions: v.fallback(v.nullish(v.string()), undefined),
});

/** A server that has declared nothing. */
export const NOTHING_DECLARED: ServerCapabilities = {
  tools: false,
  prompts: false,
  resources: false,
  subscribe: false,
  logging: false,
  tasks: false,
  taskCalls: false,
  instructions: "",
};

/** Reads what a server's `initialize` or `server/discover` result declares. */
export function readCapabilities(facts: v.InferOutput<typeof serverFacts>): ServerCapabilities {
  const { tools, prompts, resources, logging, extensions, tasks } = facts.capabilities;
  return {
    tools: isDeclared(tools),
    prompts: isDeclared(prompts),
    resources: isDeclared(resources),
    subscribe: v.is(v.looseObject({ subscribe: v.literal(true) }), resources),
    logging: isDeclared(logging),
    tasks: isDeclared(extensions?.[TASKS_EXTENSION]),
    taskCalls: v.is(
      v.looseObject({ tools: v.looseObject({ call: v.looseObject({}) }) }),
      tasks?.requests,
    ),
    instructions: facts.instructions ?? "",
  };
}

function isDeclared(capability: unknown): boolean {
  return (capability ?? null) !== null;
}
