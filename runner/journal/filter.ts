import { matches } from "../../src/policy/pattern.ts";
import type { CallEvent, JournalEvent, Outcome } from "./event.ts";
import type { JournalLine } from "./read-line.ts";

type Status = "ok" | "failed" | "refused" | "denied" | Outcome | JournalEvent["type"];

/** Which events are wanted; all that a member does not rule out. */
export interface JournalFilter {
  readonly server?: string | undefined;
  /** Pattern over servers' own names and URIs, as in the config. */
  readonly tool?: string | undefined;
  readonly client?: string | undefined;
  /** One of `statuses()`. */
  readonly status?: string | undefined;
  /** Milliseconds since the epoch. */
  readonly since?: number | undefined;
  /** Whether events other than calls and refusals are wanted, too. */
  readonly all?: boolean | undefined;
}

/** What each status means. */
const STATUSES: Readonly<Record<Status, (event: JournalLine["event"]) => boolean>> = {
  ok: ({ outcome }) => outcome === "ok",
  failed: ({ type, outcome }) =>
    type === "failed" || type === "crash" ||
    (type === "call" && (outcome === "tool_error" || outcome === "error" || outcome === "failed")),
  refused: ({ type }) => type === "refusal",
  denied: ({ denied }) => denied === true,
  ...named(["tool_error", "error", "input_required", "task", "cancelled"], "outcome"),
  ...named(
    [
      "call",
      "refusal",
      "start",
      "stop",
      "crash",
      "pull",
      "drift",
      "secret",
      "approval",
      "egress_blocked",
      "quarantine",
      "config",
      "lost",
    ],
    "type",
  ),
};

/** Types that everybody wants to see: `lost` says that some of the others are missing. */
const CALLS: ReadonlySet<string> = new Set<CallEvent["type"] | "refusal" | "lost">([
  "call",
  "refusal",
  "lost",
]);

/** Everything that `status` may be. */
export function statuses(): readonly string[] {
  return Object.keys(STATUSES);
}

/** Whether `line` is wanted. */
export function isWanted({ event, time }: JournalLine, filter: JournalFilter): boolean {
  const { server, tool, client, status, since, all = false } = filter;
  if (since !== undefined && time < since) return false;
  if (status !== undefined) {
    if (!Object.hasOwn(STATUSES, status) || !STATUSES[status as Status](event)) return false;
  } else if (!all && !CALLS.has(event.type)) return false;
  if (event.type === "lost") return true;
  return (server === undefined || event.server === server) &&
    (client === undefined || event.client === client) &&
    (tool === undefined || (event.tool !== undefined && matches(tool, event.tool)));
}

function named<const Name extends string>(
  names: readonly Name[],
  member: "outcome" | "type",
): Record<Name, (event: JournalLine["event"]) => boolean> {
  const entries = names.map((name) =>
    [name, (event: JournalLine["event"]) => event[member] === name] as const
  );
  return Object.fromEntries(entries) as Record<Name, (event: JournalLine["event"]) => boolean>;
}
