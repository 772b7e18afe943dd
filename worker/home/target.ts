/**
 * Which runner serves a canonical call: the one that offers what the call names, or the one that gave
 * out the state or task id that it brings back.
 *
 * @module
 */
import { GatewayError } from "../../src/errors.ts";
import type { Offer } from "../../src/mcp/offer.ts";
import { stringMember } from "../../src/mcp/scan.ts";
import { unstick } from "../../src/mcp/sticky.ts";
import { declaresTasks, tasksNotDeclared } from "../../src/mcp/tasks-extension.ts";
import { laterRefusal } from "./call-error.ts";
import type { OutgoingCall } from "./dispatch.ts";
import type { RunnerLink } from "./link.ts";
import { byUri, type Rank, serversFor } from "./route.ts";
import type { KnownRunner, Runners } from "./runners.ts";
import { outlineParams, type Params, requireString, type Subject, subjectOf } from "./subject.ts";

/** Where a call goes. */
export interface Target {
  readonly link: RunnerLink;
  /** The servers there that its caller may reach for it; undefined for all. */
  readonly servers: readonly string[] | undefined;
}

/** Where some resources are, for whoever listens to them. */
export type ResourceTarget = Target & { readonly uris: readonly string[] };

/**
 * The runner for `call`; what the call names has then been found granted to its caller.
 *
 * @throws {GatewayError} `invalid_params`, `unknown_tool`, `unknown_resource`, `state_invalid`,
 * `unknown_method`, `missing_capability`, `runner_offline`.
 */
export async function targetOf(runners: Runners, call: OutgoingCall): Promise<Target> {
  const params = outlineParams(call);
  const known = await runners.known();
  if (call.method.startsWith("tasks/")) {
    const { protocolVersion, clientCapabilities: capabilities } = call.meta;
    if (!declaresTasks({ protocolVersion, capabilities })) throw tasksNotDeclared();
    return linkOfTask(known, call.method, params);
  }
  const subject = subjectOf(call, params);
  const able = best(known, subject.rank);
  if (able.length === 0) throw subject.unknown();
  const state = params.outline.members.get("requestState");
  if (state !== undefined) return linkOfState(known, params, subject);
  const target = leastBusy(able, subject.servers);
  if (target === undefined) throw offline(able, subject.deed);
  return target;
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

/** Where `uris` are served now, those that go to the same servers together; left out where nobody does. */
export async function resourceTargets(
  runners: Runners,
  uris: readonly string[],
  granted: readonly string[],
): Promise<readonly ResourceTarget[]> {
  const known = await runners.known();
  const targets: Array<Target & { readonly uris: string[] }> = [];
  for (const uri of uris) {
    const servers = (offer: Offer) => serversFor(offer, uri, granted);
    const target = leastBusy(best(known, byUri(uri, granted)), servers);
    if (target === undefined) continue;
    const same = targets.find((other) =>
      other.link === target.link && String(other.servers) === String(target.servers)
    );
    if (same === undefined) targets.push({ ...target, uris: [uri] });
    else same.uris.push(uri);
  }
  return targets;
}

/** A retry goes where its question came from (MCP 2026-07-28 basic/patterns/mrtr). */
function linkOfState(
  known: readonly KnownRunner[],
  { text, outline }: Params,
  { rank, deed, servers }: Subject,
): Target {
  const state = stringMember(text, outline, "requestState");
  const runner = state === undefined ? undefined : ownerOf(known, state);
  // The grant was judged for whoever serves it best, and a state is no credential.
  if (runner === undefined || rank(runner.offer) === undefined) {
    throw new GatewayError(
      "state_invalid",
      "Cannot go on: this requestState is not one that was given out here, send the request anew",
    );
  }
  if (runner.link === undefined) throw laterRefusal(offline([runner], deed));
  return { link: runner.link, servers: servers(runner.offer) };
}

function linkOfTask(known: readonly KnownRunner[], method: string, params: Params): Target {
  const runner = ownerOf(known, requireString(params, "taskId"));
  if (runner === undefined) throw new GatewayError("state_invalid", "Unknown task");
  if (runner.link === undefined) {
    throw offline([runner], `${method.slice("tasks/".length)} the task`);
  }
  return { link: runner.link, servers: undefined };
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

function leastBusy(
  able: readonly KnownRunner[],
  servers: Subject["servers"],
): Target | undefined {
  let least: { readonly link: RunnerLink; readonly offer: Offer } | undefined;
  for (const { link, offer } of able) {
    if (link === undefined) continue;
    if (least === undefined || link.inFlight < least.link.inFlight) least = { link, offer };
  }
  return least && { link: least.link, servers: servers(least.offer) };
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
