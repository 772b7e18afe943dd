/**
 * Finds out of which era a server is, in place on the process that will serve (MCP 2026-07-28
 * transports/stdio "Backward Compatibility").
 *
 *     server/discover ── DiscoverResult, or an error that only modern servers send ──▶ modern
 *                     └─ any other error, or silence ──▶ legacy: initialize
 *
 * @module
 */
import * as v from "valibot";
import type { Clock } from "../../src/clock.ts";
import { isLegacyRevision, MODERN_REVISION } from "../../src/mcp/revisions.ts";
import { EVERYTHING } from "./client-capabilities.ts";
import { ownMeta } from "./params.ts";
import type { Peer } from "./peer.ts";
import { readCapabilities, type ServerCapabilities, serverFacts } from "./server-capabilities.ts";

/** Milliseconds that a server has to answer the probe: some legacy ones never do. */
export const PROBE_TIMEOUT_MS = 1_000;

/** The same for a server that was modern before: it is worth the wait of a slow start. */
export const KNOWN_MODERN_TIMEOUT_MS = 10_000;

/** Codes that only servers of MCP 2026-07-28 give: header mismatch, missing capability, version. */
const MODERN_CODES: readonly number[] = [-32020, -32021, -32022];

const discoverResult = v.object({
  supportedVersions: v.array(v.string()),
  ...serverFacts.entries,
});

const rpcError = v.object({
  code: v.number(),
  data: v.optional(v.unknown()),
});

const versions = v.object({ supported: v.array(v.string()) });

/** What came of a probe. */
export type Discovery =
  | { readonly era: "modern"; readonly capabilities: ServerCapabilities }
  | { readonly era: "legacy" };

type Answer = { readonly result: string } | { readonly error: string };

/** A probe under way. */
export interface Probe {
  /** What the server answered within the time; silence means legacy. */
  readonly inTime: Promise<Discovery>;
  /** Resolves when it answers after all that it is modern; stays open otherwise. */
  readonly late: Promise<void>;
}

/**
 * Probes a server that has not been spoken to yet.
 *
 * @param waitMs Milliseconds until silence means legacy.
 * @returns Its `inTime` rejects with a `GatewayError`: `server_failed` for a server of revisions that are not
 * served, or why it is gone.
 */
export function probe(peer: Peer, clock: Clock, waitMs = PROBE_TIMEOUT_MS): Probe {
  let cancelWait: () => void = () => {};
  const silence = new Promise<Discovery>((resolve) => {
    cancelWait = clock.after(waitMs, () => resolve({ era: "legacy" }));
  });
  const answered = discover(peer);
  const inTime = Promise.race([answered, silence]).finally(cancelWait);
  const late = new Promise<void>((resolve) => {
    answered.then(({ era }) => era === "modern" && resolve(), () => {});
  });
  return { inTime, late };
}

async function discover(peer: Peer, retried = false): Promise<Discovery> {
  const answer = await ask(peer);
  if ("result" in answer) {
    const parsed = v.safeParse(discoverResult, JSON.parse(answer.result));
    if (!parsed.success) return { era: "legacy" };
    const { supportedVersions } = parsed.output;
    if (supportedVersions.includes(MODERN_REVISION)) {
      return { era: "modern", capabilities: readCapabilities(parsed.output) };
    }
    return otherVersions(peer, supportedVersions);
  }
  const { code, data } = v.parse(rpcError, JSON.parse(answer.error));
  if (!MODERN_CODES.includes(code)) return { era: "legacy" };
  const supported = v.safeParse(versions, data);
  if (supported.success && !supported.output.supported.includes(MODERN_REVISION)) {
    return otherVersions(peer, supported.output.supported);
  }
  if (retried) throw peer.failure(`it answered server/discover with error ${code} twice`);
  return await discover(peer, true);
}

/** A server of other revisions may have a legacy one beside them. */
function otherVersions(peer: Peer, supported: readonly string[]): Discovery {
  if (supported.some(isLegacyRevision)) return { era: "legacy" };
  const listed = JSON.stringify(supported.slice(0, 8).map((version) => version.slice(0, 40)));
  throw peer.failure(`it speaks protocol versions that are not served: ${listed}`);
}

function ask(peer: Peer): Promise<Answer> {
  return new Promise((resolve, reject) => {
    peer.ask("server/discover", `{"_meta":${ownMeta(EVERYTHING)}}`, {
      progress: () => {},
      result: (result) => resolve({ result }),
      error: (error) => resolve({ error }),
      lost: reject,
    });
  });
}
