/**
 * Who has agreed to what: a server runs only as a person was shown, or as `--yes` was given for. Kept
 * for this user and config in the state directory, since a config that came from somebody else must not
 * bring its own approvals.
 *
 * @module
 */
import { join } from "node:path";
import { readFile } from "node:fs/promises";
import * as v from "valibot";
import { GatewayError } from "../../src/errors.ts";
import type { Journal } from "../journal/journal.ts";
import { replaceFile } from "../local/atomic-file.ts";
import { withLock } from "../local/lock.ts";
import { type LaunchPlan, launchPlan, planHash, planLines, serverOf } from "./plan.ts";

/** Name of the file in the state directory. */
export const APPROVALS_FILE = "approvals.json";

/** Says whether a server may start as planned. */
export interface Approvals {
  /**
   * Resolves if it may. Asks a person if one is there, once: a no holds as long as the program runs.
   *
   * @throws {GatewayError} `not_approved`, with the command that approves it.
   */
  check(plan: LaunchPlan): Promise<void>;
}

/** Shows a person lines and waits for yes or no; rejects when `signal` ends the wait. */
export type Confirm = (
  lines: readonly string[],
  question: string,
  signal?: AbortSignal,
) => Promise<boolean>;

/** Whose approvals, and who can give new ones. */
export interface ApprovalsOptions {
  readonly home: string;
  /** Absolute path of the config. */
  readonly config: string;
  readonly journal: Journal;
  /** `yes` approves all; a function asks; undefined: nobody is there to be asked. */
  readonly by: "yes" | Confirm | undefined;
  /** Gets what `yes` has approved, line by line. */
  readonly show?: (line: string) => void;
  /** Ends a question that nobody answers any more. */
  readonly signal?: AbortSignal;
}

/** By path of the config, then by name of the server. */
const approvalsFile = v.object({
  version: v.literal(1),
  approved: v.record(v.string(), v.record(v.string(), launchPlan)),
});

type Approved = v.InferOutput<typeof approvalsFile>["approved"];

/** The approvals for one config. */
export function openApprovals(options: ApprovalsOptions): Approvals {
  const { home, config, journal, by, show = () => {}, signal } = options;
  const path = join(home, APPROVALS_FILE);
  const known = async (server: string) => approvedOf(await read(path), config).get(server);
  /** Hashes of what a person has said no to: who wants it after all runs `approve`. */
  const declined = new Set<string>();
  /** One question at a time: several servers start at once. */
  let turn: Promise<unknown> = Promise.resolve();

  const decide = async (plan: LaunchPlan, hash: string): Promise<void> => {
    // Again: another program may have been told while this waited for its turn.
    const before = await known(plan.server);
    if (before !== undefined && await planHash(before) === hash) return;
    if (by === undefined || declined.has(hash)) throw refusal(plan, before);
    if (signal?.aborted) throw new GatewayError("call_cancelled", "Interrupted");
    const title = `Server "${plan.server}" ${before === undefined ? "is new" : "has changed"}:`;
    const lines = [title, ...planLines(plan, before)];
    if (by === "yes") lines.forEach(show);
    const approved = by === "yes" || await by(lines, "Start it like this?", signal);
    journal.write({
      type: "approval",
      server: serverOf(plan),
      plan: hash,
      by: by === "yes" ? "flag" : "person",
      approved,
    });
    if (!approved) {
      declined.add(hash);
      throw refusal(plan, before);
    }
    await keep(path, config, plan).catch((cause: NodeJS.ErrnoException) => {
      if (cause instanceof GatewayError || cause.code === undefined) throw cause;
      throw new GatewayError(
        "store_unavailable",
        `Cannot keep in the state directory that this was agreed to: the system answers ${cause.code}`,
        { cause },
      );
    });
  };

  return {
    check: async (plan) => {
      const hash = await planHash(plan);
      const before = await known(plan.server);
      // A question about another server must not hold up one that needs none.
      if (before !== undefined && await planHash(before) === hash) return;
      if (typeof by !== "function") return await decide(plan, hash);
      const mine = turn.then(() => decide(plan, hash));
      turn = mine.catch(() => {});
      await mine;
    },
  };
}

function refusal(plan: LaunchPlan, before: LaunchPlan | undefined): GatewayError {
  const why = before === undefined
    ? "nobody has agreed to how it is run"
    : "it is to be run in another way than was agreed to";
  const name = serverOf(plan);
  return new GatewayError(
    "not_approved",
    `Cannot start server "${name}": ${why}, see it and agree with "mcp-runner approve ${name}"`,
  );
}

async function keep(path: string, config: string, plan: LaunchPlan): Promise<void> {
  await withLock(`${path}.lock`, async () => {
    const approved = await read(path);
    const mine = approvedOf(approved, config).set(plan.server, plan);
    const all = { ...approved, [config]: Object.fromEntries(mine) };
    await replaceFile(path, `${JSON.stringify({ version: 1, approved: all }, null, 2)}\n`);
  });
}

/** By name; as a map, since a server may have the name of what every object has. */
function approvedOf(approved: Approved, config: string): Map<string, LaunchPlan> {
  return new Map(Object.hasOwn(approved, config) ? Object.entries(approved[config] ?? {}) : []);
}

/** A file that is missing or damaged approves nothing. */
async function read(path: string): Promise<Approved> {
  try {
    const parsed = v.safeParse(approvalsFile, JSON.parse(await readFile(path, "utf8")));
    return parsed.success ? parsed.output.approved : {};
  } catch {
    return {};
  }
}
