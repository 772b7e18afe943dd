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
import { type LaunchPlan, launchPlan, planHash, planLines } from "./plan.ts";

/** Name of the file in the state directory. */
export const APPROVALS_FILE = "approvals.json";

/** Says whether a server may start as planned. */
export interface Approvals {
  /**
   * Resolves if it may. Asks a person if one is there.
   *
   * @throws {GatewayError} `not_approved`, with the command that approves it.
   */
  check(plan: LaunchPlan): Promise<void>;
}

/** Shows a person lines and waits for yes or no. */
export type Confirm = (lines: readonly string[], question: string) => Promise<boolean>;

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
}

/** By path of the config, then by name of the server. */
const approvalsFile = v.object({
  version: v.literal(1),
  approved: v.record(v.string(), v.record(v.string(), launchPlan)),
});

type Approved = v.InferOutput<typeof approvalsFile>["approved"];

/** The approvals for one config. */
export function openApprovals(options: ApprovalsOptions): Approvals {
  const { home, config, journal, by, show = () => {} } = options;
  const path = join(home, APPROVALS_FILE);
  const known = async (server: string) => (await read(path))[config]?.[server];
  /** One question at a time: several servers start at once. */
  let turn: Promise<unknown> = Promise.resolve();

  const decide = async (plan: LaunchPlan): Promise<void> => {
    const before = await known(plan.server);
    const hash = await planHash(plan);
    if (before !== undefined && await planHash(before) === hash) return;
    if (by === undefined) throw refusal(plan.server, before);
    const title = `Server "${plan.server}" ${before === undefined ? "is new" : "has changed"}:`;
    const lines = [title, ...planLines(plan, before)];
    if (by === "yes") lines.forEach(show);
    const approved = by === "yes" || await by(lines, "Start it like this?");
    const who = by === "yes" ? "flag" : "person";
    journal.write({ type: "approval", server: plan.server, plan: hash, by: who, approved });
    if (!approved) throw refusal(plan.server, before);
    await keep(path, config, plan);
  };

  return {
    check: async (plan) => {
      if (typeof by !== "function") return await decide(plan);
      const mine = turn.then(() => decide(plan));
      turn = mine.catch(() => {});
      await mine;
    },
  };
}

function refusal(server: string, before: LaunchPlan | undefined): GatewayError {
  const why = before === undefined
    ? "nobody has agreed to how it is run"
    : "it is to be run in another way than was agreed to";
  return new GatewayError(
    "not_approved",
    `Cannot start server "${server}": ${why}, see it and agree with "mcp-runner approve ${server}"`,
  );
}

async function keep(path: string, config: string, plan: LaunchPlan): Promise<void> {
  await withLock(`${path}.lock`, async () => {
    const approved = await read(path);
    const all = { ...approved, [config]: { ...approved[config], [plan.server]: plan } };
    await replaceFile(path, `${JSON.stringify({ version: 1, approved: all }, null, 2)}\n`);
  });
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
