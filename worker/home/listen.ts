/**
 * The stream of notifications that a modern client listens to (MCP 2026-07-28
 * basic/patterns/subscriptions): what lists change, from changes.ts, and what resources are updated,
 * from resource-watch.ts. Nothing but the open stream keeps it.
 *
 * @module
 */
import * as v from "valibot";
import { GatewayError } from "../../src/errors.ts";
import type { RequestMeta } from "../../src/mcp/meta.ts";
import { MAX_URI_LENGTH } from "../../src/mcp/name.ts";
import type { ChangedList } from "./changes.ts";
import { EventStream, SSE_HEADERS } from "./event-stream.ts";
import type { Home } from "./home.ts";
import { META } from "./introduction.ts";
import type { ClientMessage } from "./message.ts";
import { listChanged, SUBSCRIPTION_ID_KEY, withSubscription } from "./notification.ts";
import type { McpRequest } from "./request.ts";
import { ResourceWatch } from "./resource-watch.ts";
import { servedUris } from "./target.ts";

/** Most resources that one stream may ask for. */
const MAX_URIS = 256;

const filter = v.pipe(
  v.unknown(),
  v.check((value) => !Array.isArray(value)),
  v.object({
    toolsListChanged: v.exactOptional(v.boolean()),
    promptsListChanged: v.exactOptional(v.boolean()),
    resourcesListChanged: v.exactOptional(v.boolean()),
    resourceSubscriptions: v.exactOptional(
      v.pipe(v.array(v.pipe(v.string(), v.maxLength(MAX_URI_LENGTH))), v.maxLength(MAX_URIS)),
    ),
  }),
);

/** Which notifications a client asks for, or is promised. */
type Filter = v.InferOutput<typeof filter>;

/** A request to listen. */
export interface ListenRequest {
  readonly request: McpRequest;
  readonly message: ClientMessage;
  /** JSON text of the request's id, which is that of the subscription. */
  readonly id: string;
  readonly meta: RequestMeta;
}

/**
 * Opens the stream. Its first message says what is honoured of the filter: all kinds of lists, and the
 * resources that a runner is known to serve for this caller.
 *
 * @throws {GatewayError} `invalid_params` for a malformed filter, `overloaded`.
 */
export async function listen(home: Home, options: ListenRequest): Promise<Response> {
  const { request: { caller, signal }, message, id, meta } = options;
  const wanted = readFilter(message.rawParam("notifications"));
  const uris = await servedUris(home.runners, wanted.uris, caller.tools);
  let over = false;

  function end(reason: string): boolean {
    if (over) return false;
    over = true;
    stopCounting();
    stopChanges();
    watch?.close(reason);
    signal.removeEventListener("abort", leave);
    return true;
  }
  const stopCounting = home.streams.add(() => {
    if (end("The stream was ended")) stream.finish(completion(id));
  }, caller);
  const stream = new EventStream(home.clock, () => void end("The client has left"));
  const leave = (): void => {
    if (end("The client has left")) stream.close();
  };
  signal.addEventListener("abort", leave);
  stream.send(acknowledgement(id, promised(wanted, uris)));
  const stopChanges = home.changes.subscribe((lists) => {
    for (const list of lists) {
      if (wanted.lists.has(list)) stream.note(withSubscription(listChanged(list), id));
    }
  }, caller.tools);
  const watch = uris.length === 0 ? undefined : new ResourceWatch({
    runners: home.runners,
    dispatch: home.dispatch,
    clock: home.clock,
    uris,
    caller,
    meta,
    updated: (notification) => stream.note(withSubscription(notification, id)),
  });
  if (signal.aborted) leave();
  return new Response(stream.body, { headers: SSE_HEADERS });
}

interface Wanted {
  readonly lists: ReadonlySet<ChangedList>;
  /** Each once. */
  readonly uris: readonly string[];
}

function readFilter(raw: string | undefined): Wanted {
  const parsed = v.safeParse(filter, raw === undefined ? undefined : JSON.parse(raw));
  if (!parsed.success) {
    const path = v.getDotPath(parsed.issues[0]);
    throw new GatewayError(
      "invalid_params",
      `Cannot listen: params.notifications${path === null ? "" : `.${path}`} is not a filter of ` +
        `at most ${MAX_URIS} resources`,
    );
  }
  const { output } = parsed;
  const lists = new Set<ChangedList>();
  for (const list of ["tools", "prompts", "resources"] as const) {
    if (output[`${list}ListChanged`] === true) lists.add(list);
  }
  return { lists, uris: [...new Set(output.resourceSubscriptions)] };
}

function promised({ lists }: Wanted, uris: readonly string[]): Filter {
  return {
    ...(lists.has("tools") && { toolsListChanged: true }),
    ...(lists.has("prompts") && { promptsListChanged: true }),
    ...(lists.has("resources") && { resourcesListChanged: true }),
    ...(uris.length > 0 && { resourceSubscriptions: [...uris] }),
  };
}

function acknowledgement(id: string, honoured: Filter): string {
  return `{"jsonrpc":"2.0","method":"notifications/subscriptions/acknowledged",` +
    `"params":{"_meta":{"${SUBSCRIPTION_ID_KEY}":${id}},` +
    `"notifications":${JSON.stringify(honoured)}}}`;
}

/** The result with which the stream ends before its client does. */
function completion(id: string): string {
  const meta = `${META.slice(0, -1)},"${SUBSCRIPTION_ID_KEY}":${id}}`;
  return `{"jsonrpc":"2.0","id":${id},"result":{"resultType":"complete","_meta":${meta}}}`;
}
