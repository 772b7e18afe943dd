/**
 * subscriptions/listen: one caller that hears of updates of resources, at however many servers. A server
 * that ends is listened to again, until the call does.
 *
 * @module
 */
import * as v from "valibot";
import { type Backoff, nextWaitMs } from "../../src/backoff.ts";
import { GatewayError } from "../../src/errors.ts";
import { isUriAllowed } from "../../src/policy/uri-rules.ts";
import type { GatewayServer } from "./gateway-server.ts";
import type { GatewayRequest, RequestContext } from "./request.ts";
import { rewriteNotificationUri } from "./rewrite.ts";

/** Most resources of one subscription. */
const MAX_URIS = 256;

/** Waits before a server is listened to again. */
const LISTEN_BACKOFF: Backoff = { firstMs: 1_000, maxMs: 60_000 };

/** JSON text of the result of a subscription that ends as it should. */
export const SUBSCRIPTION_ENDED = '{"resultType":"complete"}';

const listenParams = v.object({
  notifications: v.object({
    resourceSubscriptions: v.optional(v.pipe(v.array(v.string()), v.maxLength(MAX_URIS)), []),
  }),
});

/**
 * Serves subscriptions/listen. What the caller may not read, and what no server has, is never updated.
 *
 * @throws {GatewayError} `invalid_params`.
 */
export async function serveSubscription(
  context: RequestContext,
  request: GatewayRequest,
): Promise<void> {
  const { call, params, reply, signal } = request;
  const parsed = v.safeParse(listenParams, JSON.parse(params.text));
  if (!parsed.success) {
    throw new GatewayError(
      "invalid_params",
      "Cannot listen: params.notifications.resourceSubscriptions must be a list of at most " +
        `${MAX_URIS} URIs`,
    );
  }
  const stops = new Set<() => void>();
  signal.addEventListener("abort", () => stops.forEach((stop) => stop()));
  let failures = 0;
  const begin = async (wanted: readonly string[]): Promise<void> => {
    const { found, failed } = await byServer(context, wanted, call.servers);
    if (signal.aborted) return;
    for (const [entry, own] of found) stops.add(keepListening(context, request, { entry, own }));
    if (failed.length === 0) return;
    // A server that may have them could not be started: later perhaps.
    const wait = nextWaitMs(LISTEN_BACKOFF, ++failures);
    stops.add(context.clock.after(wait, () => {
      begin(failed).catch((thrown: unknown) => context.fail(request, thrown));
    }));
  };
  await begin(parsed.output.notifications.resourceSubscriptions);
  if (!signal.aborted) reply.accepted();
}

/** What is to be listened to, by server. */
interface Found {
  /** The servers' own URIs. */
  readonly found: ReadonlyMap<GatewayServer, readonly string[]>;
  /** Exposed URIs that a server may have which could not be started. */
  readonly failed: readonly string[];
}

async function byServer(
  { directory }: RequestContext,
  uris: readonly string[],
  within: readonly string[] | undefined,
): Promise<Found> {
  const found = new Map<GatewayServer, string[]>();
  const failed: string[] = [];
  for (const uri of new Set(uris)) {
    try {
      const { targets } = await directory.resource(uri, within);
      for (const { server, own } of targets) {
        found.set(server, [...found.get(server) ?? [], own]);
      }
    } catch (error) {
      if (!(error instanceof GatewayError)) throw error;
      if (error.code !== "unknown_resource") failed.push(uri);
    }
  }
  return { found, failed };
}

function keepListening(
  { directory, clock }: RequestContext,
  { reply }: GatewayRequest,
  { entry, own }: { readonly entry: GatewayServer; readonly own: readonly string[] },
): () => void {
  const { server, rules } = entry;
  let over = false;
  let failures = 0;
  let stop: () => void = () => {};

  const begin = (): void => {
    let ended = false;
    const stopListening = server.listen(own, {
      updated: (uri, notification) => {
        failures = 0;
        if (over || ended || !isUriAllowed(rules.resources, uri)) return;
        const expose = directory.catalogue().uris.rewriting.get(server.name);
        reply.note(
          expose === undefined ? notification : rewriteNotificationUri(notification, expose),
        );
      },
      ended: () => {
        if (over || ended) return;
        ended = true;
        stop = clock.after(nextWaitMs(LISTEN_BACKOFF, ++failures), begin);
      },
    });
    if (!ended) stop = stopListening;
  };
  begin();
  return () => {
    over = true;
    stop();
  };
}
