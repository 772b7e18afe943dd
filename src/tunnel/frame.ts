/**
 * Tunnel frames: what worker and runner say to each other over one WebSocket of subprotocol
 * `mcpr.v1`. docs/protocol.md is the published contract.
 *
 * A frame is one text message: a header, which is a JSON object on one line whose `type` selects its
 * shape, then, if the frame has a payload, a line feed and the payload: JSON text that is passed on
 * as it is, never parsed and written again.
 *
 *     Opening   runner → worker   hello
 *               worker → runner   welcome, or a close code of close.ts
 *     Steady    runner → worker   offer +payload
 *               worker → runner   call +payload, cancel
 *               runner → worker   accepted, note +payload, result +payload, error +payload
 *     Ending    either            drain
 *     Always    runner → worker   the bare text "p"; the answer is the bare text "P" (heartbeat.ts)
 *
 * A reader ignores unknown types and unknown members, so that either end may be the older one.
 * Binary messages are kept for chunks of large payloads, a feature to be agreed in hello and welcome.
 *
 * @module
 */
import * as v from "valibot";
import { GatewayError } from "../errors.ts";
import { logLevel } from "../mcp/log-level.ts";

/** The WebSocket subprotocol of this version of the tunnel. */
export const SUBPROTOCOL = "mcpr.v1";

/** Longest payload of one frame, in UTF-16 code units; above it a result is refused. */
export const MAX_PAYLOAD_LENGTH = 10 * 1024 * 1024;

/** Longest header, in UTF-16 code units. */
export const MAX_HEADER_LENGTH = 64 * 1024;

/** Most servers that a call may name: with the longest names, a seventh of a header. */
export const MAX_CALL_SERVERS = 256;

/** Longest accepted message in bytes: the longest payload at three bytes a unit, and a header. */
export const MAX_MESSAGE_BYTES = 3 * (MAX_PAYLOAD_LENGTH + MAX_HEADER_LENGTH);

const name = v.pipe(v.string(), v.maxLength(128));
const callId = v.pipe(v.string(), v.nonEmpty(), v.maxLength(64));
const features = v.pipe(v.array(name), v.maxLength(64));
const milliseconds = v.pipe(v.number(), v.integer(), v.minValue(0), v.maxValue(86_400_000));
const json = v.record(v.string(), v.unknown());
const headerValue = v.pipe(v.string(), v.maxLength(8 * 1024));
const listKind = v.picklist(["tools", "prompts", "resources"]);

const header = v.variant("type", [
  /** R→W, first. `boot` is new with every start of the program, `runner` is kept by the machine. */
  v.object({
    type: v.literal("hello"),
    runner: v.object({
      id: v.pipe(v.string(), v.nonEmpty(), v.maxLength(64)),
      machine: name,
      os: name,
      version: name,
    }),
    boot: v.pipe(v.string(), v.nonEmpty(), v.maxLength(64)),
    features,
    /** Calls that the runner takes at a time. */
    maxCalls: v.pipe(v.number(), v.integer(), v.minValue(1)),
  }),
  /** W→R, the answer to hello. */
  v.object({
    type: v.literal("welcome"),
    tunnel: name,
    /** Names this link until it closes; a resumed link keeps its name. */
    link: v.pipe(v.string(), v.maxLength(64)),
    features,
    heartbeatMs: milliseconds,
    maxPayload: v.pipe(v.number(), v.integer(), v.minValue(1)),
  }),
  /**
   * R→W: everything the runner offers, in place of what it offered before. Payload: see offer.ts.
   * `changed`: lists that a server said have changed, which those who listen hear of even if the
   * offer is the same.
   */
  v.object({
    type: v.literal("offer"),
    revision: v.pipe(v.number(), v.integer()),
    changed: v.exactOptional(v.pipe(v.array(listKind), v.maxLength(8))),
  }),
  /** W→R: a canonical call (call.ts). Payload: the request's `params`. */
  v.object({
    type: v.literal("call"),
    id: callId,
    method: name,
    deadlineMs: milliseconds,
    protocolVersion: name,
    clientCapabilities: json,
    caller: v.object({ client: name }),
    /** Least severe `notifications/message` that the caller wants; absent: none. */
    logLevel: v.exactOptional(logLevel),
    /** The `Mcp-Param-<name>` headers of the request, as sent, by `<name>` in lower case. */
    paramHeaders: v.exactOptional(v.record(name, headerValue)),
    /**
     * Names of the servers that the caller may reach for the resources that the params name; nobody
     * else is to be asked for them. Absent: all.
     */
    servers: v.exactOptional(v.pipe(v.array(name), v.maxLength(MAX_CALL_SERVERS))),
  }),
  /** R→W: the call was written to the server's stdin. */
  v.object({ type: v.literal("accepted"), id: callId }),
  /** R→W. Payload: a JSON-RPC notification that belongs to the call, ready for its client. */
  v.object({ type: v.literal("note"), id: callId }),
  /** R→W. Payload: the result, whole. `resultType` as in the payload, left out for `complete`. */
  v.object({ type: v.literal("result"), id: callId, resultType: v.exactOptional(name) }),
  /**
   * R→W. Payload: the JSON-RPC error object. `status`: the HTTP status that MCP 2026-07-28 asks for
   * where an error of the runner refuses the whole request; absent: in band.
   */
  v.object({
    type: v.literal("error"),
    id: callId,
    status: v.exactOptional(v.picklist([400, 404])),
  }),
  /** W→R: nobody waits for this call any more. */
  v.object({ type: v.literal("cancel"), id: callId, reason: name }),
  /** Either: no new calls, please; those in flight have `deadlineMs` to end. */
  v.object({ type: v.literal("drain"), reason: name, deadlineMs: milliseconds }),
]);

/** The header of a frame. */
export type Header = v.InferOutput<typeof header>;

/** The header of one type of frame. */
export type HeaderOf<Type extends Header["type"]> = Extract<Header, { type: Type }>;

/** The shape of each type by its name: a variant would try one after the other for every frame. */
const shapes: ReadonlyMap<unknown, (typeof header.options)[number]> = new Map(
  header.options.map((option) => [option.entries.type.literal, option]),
);

/** One message of the tunnel. */
export interface Frame {
  readonly header: Header;
  /** Raw JSON text; empty when the frame has none. */
  readonly payload: string;
}

/** The text message for a frame. */
export function encodeFrame(frameHeader: Header, payload = ""): string {
  return payload === ""
    ? JSON.stringify(frameHeader)
    : `${JSON.stringify(frameHeader)}\n${payload}`;
}

/**
 * Reads one text message of the peer, which is not trusted. The payload is not looked at.
 *
 * @returns undefined for a type that this version does not know, to be counted and ignored.
 * @throws {GatewayError} `tunnel_protocol`; the caller closes the tunnel.
 */
export function decodeFrame(text: string): Frame | undefined {
  const end = text.indexOf("\n");
  const head = end < 0 ? text : text.slice(0, end);
  const payload = end < 0 ? "" : text.slice(end + 1);
  if (head.length > MAX_HEADER_LENGTH || payload.length > MAX_PAYLOAD_LENGTH) {
    throw new GatewayError(
      "tunnel_protocol",
      `Cannot read frame: length is ${text.length}, limit is ${MAX_PAYLOAD_LENGTH}`,
    );
  }
  const value = parseHeader(head);
  const type = typeOf(value);
  const shape = shapes.get(type);
  if (shape === undefined) return undefined;
  const parsed = v.safeParse(shape, value, { abortEarly: true });
  if (parsed.success) return { header: parsed.output, payload };
  const [issue] = parsed.issues;
  const path = v.getDotPath(issue) ?? "header";
  throw new GatewayError("tunnel_protocol", `Cannot read frame: ${path}: ${issue.message}`);
}

function parseHeader(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new GatewayError("tunnel_protocol", "Cannot read frame: header is not JSON", { cause });
  }
}

function typeOf(value: unknown): string {
  if (typeof value === "object" && value !== null && "type" in value) {
    if (typeof value.type === "string") return value.type;
  }
  throw new GatewayError("tunnel_protocol", "Cannot read frame: type: missing or no string");
}
