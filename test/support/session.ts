/**
 * A client of a legacy revision that reads what its streams bring, as clients do: messages and event
 * ids, live and again.
 *
 * @module
 */
import { PING } from "../../src/tunnel/heartbeat.ts";
import type { FakeClock } from "./fake-clock.ts";
import type { Client, FakeRunner, Message, SendOptions, Session } from "./home.ts";
import { inSession, messageOf, post } from "./home.ts";

/** One event of a stream. */
export interface StreamEvent {
  readonly id?: string;
  readonly retry?: number;
  /** Empty for an event that only tells its id. */
  readonly data: string;
}

/** The events of one response. */
export interface EventReader {
  /** The next event; undefined when the stream has ended. */
  next(): Promise<StreamEvent | undefined>;
  /** The message of the next event that has one. */
  message(): Promise<StreamMessage>;
  /** The id of the last event that was read. */
  readonly lastId: string;
  leave(): Promise<void>;
}

/** A message of a stream as the tests look at it. */
export type StreamMessage = Message & { readonly params?: Readonly<Record<string, unknown>> };

/** Capabilities of a client that can be asked for everything. */
export const ASKABLE = {
  elicitation: { form: {}, url: {} },
  sampling: { tools: {} },
  roots: { listChanged: true },
};

/** Initializes a session of a client with these capabilities. */
export async function openSessionWith(
  client: Client,
  capabilities: object,
  version = "2025-11-25",
): Promise<Session> {
  const params = { protocolVersion: version, capabilities };
  const response = await post(
    client,
    JSON.stringify({ jsonrpc: "2.0", id: 0, method: "initialize", params }),
  );
  const id = response.headers.get("mcp-session-id");
  if (id === null) throw new Error(`No session: ${await response.text()}`);
  return { client, id };
}

/** Reads the events of a response that is a stream. */
export function eventsOf(response: Response): EventReader {
  const type = response.headers.get("content-type");
  if (type !== "text/event-stream") throw new Error(`No stream: ${response.status} ${type}`);
  const reader = response.body?.pipeThrough(new TextDecoderStream()).getReader();
  let text = "";
  let lastId = "";
  const events: EventReader = {
    get lastId() {
      return lastId;
    },
    async next() {
      for (;;) {
        const end = text.indexOf("\n\n");
        if (end >= 0) {
          const event = readEvent(text.slice(0, end));
          text = text.slice(end + 2);
          if (event === undefined) continue;
          lastId = event.id ?? lastId;
          return event;
        }
        const { value, done } = await reader?.read() ?? { done: true };
        if (done) return undefined;
        text += value;
      }
    },
    async message() {
      for (;;) {
        const event = await events.next();
        if (event === undefined) throw new Error("The stream has ended");
        if (event.data !== "") return JSON.parse(event.data) as StreamMessage;
      }
    },
    leave: async () => await reader?.cancel(),
  };
  return events;
}

/** One event; undefined for what is only a comment. */
function readEvent(block: string): StreamEvent | undefined {
  const fields = new Map<string, string>();
  for (const line of block.split("\n")) {
    const colon = line.indexOf(":");
    if (colon <= 0) continue;
    const [name, value] = [line.slice(0, colon), line.slice(colon + 1).replace(/^ /, "")];
    const before = fields.get(name);
    fields.set(name, before === undefined ? value : `${before}\n${value}`);
  }
  const data = fields.get("data");
  if (data === undefined) return undefined;
  const id = fields.get("id");
  const retry = fields.get("retry");
  return { data, ...(id !== undefined && { id }), ...(retry && { retry: Number(retry) }) };
}

/** Sends a GET or DELETE of a session. */
export function sendOf(
  { client, id }: Session,
  method: "GET" | "DELETE",
  { lastId, headers = {}, signal }: SendOptions & { readonly lastId?: string } = {},
): Promise<Response> {
  const all = {
    authorization: `Bearer ${client.token}`,
    "mcp-session-id": id,
    accept: "text/event-stream",
    ...(lastId !== undefined && { "last-event-id": lastId }),
    ...headers,
  };
  const sent = Object.entries(all).filter((entry): entry is [string, string] =>
    entry[1] !== undefined
  );
  return client.worker.request("/mcp", { method, headers: sent, ...(signal && { signal }) });
}

/** Connects to a stream of the session: the one of `lastId`, or else the standalone one. */
export async function listen(session: Session, lastId?: string): Promise<EventReader> {
  return eventsOf(await sendOf(session, "GET", lastId === undefined ? {} : { lastId }));
}

/** Answers a question of the server: `answer` is a result, or an error under that name. */
export async function reply(
  session: Session,
  id: unknown,
  answer: { readonly result: unknown } | { readonly error: unknown },
): Promise<number> {
  const body = JSON.stringify({ jsonrpc: "2.0", id, ...answer });
  const headers = { "mcp-session-id": session.id };
  const response = await post(session.client, body, { headers });
  return response.status;
}

/** The stream of a call that the runner has got, and the call's id there. */
export async function startStream(
  session: Session,
  runner: FakeRunner,
  options?: SendOptions,
): Promise<{ readonly events: EventReader; readonly callId: string }> {
  const answer = inSession(session, "tools/call", { name: "notes__read" }, options);
  const { header } = await runner.next("call");
  runner.say({ type: "note", id: header.id }, NOTE);
  return { events: eventsOf(await answer), callId: header.id };
}

/** A notification of a call. */
export const NOTE =
  '{"jsonrpc":"2.0","method":"notifications/message","params":{"level":"info","data":1}}';

/** The result of a request in a session, whatever way it takes. */
export async function resultOf(response: Response): Promise<Message> {
  if (response.headers.get("content-type") === "application/json") return messageOf(response);
  return await eventsOf(response).message();
}

/** Lets time pass in which the runner shows that it is alive. */
export function beat(runner: FakeRunner, clock: FakeClock, ms: number): void {
  for (let passed = 0; passed < ms; passed += 10_000) {
    clock.advance(Math.min(10_000, ms - passed));
    runner.text(PING);
  }
}
