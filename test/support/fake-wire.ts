import { decodeFrame, encodeFrame, type Header } from "../../src/tunnel/frame.ts";
import type { Wire, WireEvents } from "../../src/tunnel/wire.ts";

/** The worker's `welcome`, with the limits that it has unless a test says otherwise. */
export const WELCOME: Extract<Header, { type: "welcome" }> = {
  type: "welcome",
  tunnel: "default",
  link: "link-1",
  features: [],
  heartbeatMs: 12_000,
  maxPayload: 10 * 1024 * 1024,
};

/** One end of a WebSocket whose other end is the test. */
export class FakeWire implements Wire {
  /** All texts that were sent. */
  readonly texts: string[] = [];
  /** How it was closed from this end. */
  closedWith: { readonly code: number; readonly reason: string } | undefined;
  /** What the test tells the owner of the wire; set by whoever opens it. */
  events: WireEvents = { message: () => {}, closed: () => {} };

  send(text: string): void {
    if (this.closedWith === undefined) this.texts.push(text);
  }

  close(code: number, reason: string): void {
    this.closedWith ??= { code, reason };
  }

  /** Says a frame in the worker's place. */
  say(header: Header, payload?: string): void {
    this.events.message(encodeFrame(header, payload));
  }

  /** The frames that were sent, of `type` if given: header and payload. */
  frames(type?: Header["type"]): readonly { readonly header: Header; readonly payload: string }[] {
    return this.texts.map((text) => text === "p" ? undefined : decodeFrame(text))
      .filter((frame) => frame !== undefined)
      .filter(({ header }) => type === undefined || header.type === type);
  }
}

/** A `call` frame's header. */
export function callHeader(
  id: string,
  more: Partial<Extract<Header, { type: "call" }>> = {},
): Extract<Header, { type: "call" }> {
  return {
    type: "call",
    id,
    method: "tools/call",
    deadlineMs: 60_000,
    protocolVersion: "2026-07-28",
    clientCapabilities: {},
    caller: { client: "test" },
    ...more,
  };
}
