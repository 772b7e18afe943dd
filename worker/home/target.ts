/**
 * Which runner serves a canonical call: the one that offers what the call names, or the one that gave
 * out the state or task id that it brings back.
 *
 * @module
 */
import { GatewayError } from "../../src/errors.ts";
import { stringMember } from "../../src/mcp/scan.ts";
import { unstick } from "../../src/mcp/sticky.ts";
import { declaresTasks, tasksNotDeclared } from "../../src/mcp/tasks-extension.ts";
import type { OutgoingCall } from "./dispatch.ts";
import type { RunnerLink } from "./link.ts";
import { byUri, type Rank } from "./route.ts";
import type { KnownRunner, Runners } from "./runners.ts";
import { outlineParams, type Params, requireString, type Subject, subjectOf } from "./subject.ts";

/**
 * The link of the runner for `call`; what the call names has then been found granted to its caller.
 *
 * @throws {GatewayError} `invalid_params`, `unknown_tool`, `unknown_resource`, `state_invalid`,
 * `unknown_method`, `missing_capability`, `runner_offline`.
 */
export async function targetOf(runners: Runners, call: OutgoingCall): Promise<RunnerLink> {
  const params = outlineParams(call);
  const known = await runners.known();
  if (call.method.startsWith("tasks/")) {
    const { protocolVersion, clientCapabilities: capabilities } = call.meta;
    if (!declaresTasks({ protocolVersion, capabilities })) throw tasksNotDeclared();
    return linkOfTask(known, call.method, params);
  }
  const subject = subjectOf(call, params);
  const able = best(known, subject.rank);
  if (able.length === 0) throw subject.unknown;
  const state = params.outline.members.get("requestState");
  if (state !== undefined) return linkOfState(known, params, subject);
  const link = leastBusy(able);
  if (link === undefined) throw offline(able, subject.deed);
  return link;
}

/** Which of `uris` a known runner serves for this grant, connected or away. */
export async function servedUris(
  runners: Runners,
  uris: readonly string[],
  granted: readonly string[],
): Promise<readonly string[]> {
  const known = await runners.known();
  return uris.filter((uri) => best(known, byUri(uri, granted)).length > 0);
}

/** `uris` by the link of the runner that serves them now; left out where nobody does. */
export async function linksOf(
  runners: Runners,
  uris: readonly string[],
  granted: readonly string[],
): Promise<ReadonlyMap<RunnerLink, readonly string[]>> {
  const known = await runners.known();
  const links = new Map<RunnerLink, string[]>();
  for (const uri of uris) {
    const link = leastBusy(best(known, byUri(uri, granted)));
    if (link === undefined) continue;
    const together = links.get(link);
    if (together === undefined) links.set(link, [uri]);
    else together.push(uri);
  }
  return links;
}

/** A retry goes where its question came from (MCP 2026-07-28 basic/patterns/mrtr). */
function linkOfState(
  known: readonly KnownRunner[],
  { text, outline }: Params,
  { rank, deed }: Subject,
): RunnerLink {
  const state = stringMember(text, outline, "requestState");
  const runner = state === undefined ? undefined : ownerOf(known, state);
  // The grant was judged for whoever serves it best, and a state is no credential.
  if (runner === undefined || rank(runner.offer) === undefined) {
    throw new GatewayError(
      "state_invalid",
      "Cannot go on: this requestState is not one that was given out here, send the request anew",
    );
  }
  if (runner.link === undefined) throw offline([runner], deed);
  return runner.link;
}

function linkOfTask(known: readonly KnownRunner[], method: string, params: Params): RunnerLink {
  const runner = ownerOf(known, requireString(params, "taskId"));
  if (runner === undefined) throw new GatewayError("state_invalid", "Unknown task");
  if (runner.link === undefined) {
    throw offline([runner], `${method.slice("tasks/".length)} the task`);
  }
  return runner.link;
}

/** The runner that gave out `text`; of two ids that begin alike, the longer one names it. */
function ownerOf(known: readonly KnownRunner[], text: string): KnownRunner | undefined {
  return known.filter(({ id }) => unstick(id, text) !== undefined)
    .reduce<KnownRunner | undefined>(
      (longest, runner) =>
        longest === undefined || runner.id.length > longest.id.length ? runner : longest,
      undefined,
    );
}

/** The runners of the best rank that there is. */
function best(known: readonly KnownRunner[], rank: Rank): readonly KnownRunner[] {
  let least = Infinity;
  let able: KnownRunner[] = [];
  for (const runner of known) {
    const found = rank(runner.offer);
    if (found === undefined || found > least) continue;
    if (found < least) able = [];
    least = found;
    able.push(runner);
  }
  return able;
}

function leastBusy(able: readonly KnownRunner[]): RunnerLink | undefined {
  let least: RunnerLink | undefined;
  for (const { link } of able) {
    if (link !== undefined && (least === undefined || link.inFlight < least.inFlight)) least = link;
  }
  return least;
}

function offline([owner]: readonly KnownRunner[], deed: string): GatewayError {
  return new GatewayError(
    "runner_offline",
    `Cannot ${deed}: the runner on "${owner?.machine}" is not connected, last seen ` +
      `${ago(owner?.silentMs ?? 0)}; run "npx mcp-runner connect" there`,
  );
}

function ago(ms: number): string {
  const seconds = Math.max(0, Math.round(ms / 1000));
  if (seconds < 120) return `${seconds} s ago`;
  if (seconds < 7_200) return `${Math.round(seconds / 60)} min ago`;
  return `${Math.round(seconds / 3_600)} h ago`;
}
