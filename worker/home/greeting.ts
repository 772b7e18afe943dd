/**
 * The first moments of a runner's socket: nothing but heartbeats until its hello, which must come soon.
 * Afterwards every message goes to the link that the hello has made.
 *
 * @module
 */
import type { Clock } from "../../src/clock.ts";
import { GatewayError } from "../../src/errors.ts";
import { CLOSE } from "../../src/tunnel/close.ts";
import { decodeFrame, type HeaderOf } from "../../src/tunnel/frame.ts";
import { PING, PONG } from "../../src/tunnel/heartbeat.ts";
import type { Wire, WireEvents } from "../../src/tunnel/wire.ts";
import type { RunnerLink } from "./link.ts";

/** Milliseconds that an open socket has for its hello. */
const HELLO_DEADLINE_MS = 10_000;

/** How to greet. */
export interface GreetOptions {
  readonly clock: Clock;
  /** The link of a connection that has said hello before. */
  readonly link: RunnerLink | undefined;
  /** Makes a link of a hello; undefined if it has refused the runner and closed the socket. */
  readonly adopt: (hello: HeaderOf<"hello">) => RunnerLink | undefined;
}

/** Takes a runner's open socket, whose first message must be its hello unless there is a link. */
export function greet(wire: Wire, options: GreetOptions): WireEvents {
  let { link } = options;
  // A socket that we close may go on speaking until the other end has closed too.
  let refused = false;

  function refuse(reason: string): void {
    refused = true;
    cancelDeadline();
    wire.close(CLOSE.protocol, reason);
  }
  const cancelDeadline = link === undefined
    ? options.clock.after(HELLO_DEADLINE_MS, () => refuse("No hello in time"))
    : () => {};

  return {
    message: (text) => {
      if (refused) return;
      if (text === PING) {
        link?.heard();
        wire.send(PONG);
      } else if (link !== undefined) link.receive(text);
      else {
        const hello = readHello(text);
        if (hello === undefined) return refuse("Expected hello as the first frame");
        cancelDeadline();
        link = options.adopt(hello);
        refused = link === undefined;
      }
    },
    closed: () => {
      cancelDeadline();
      link?.lost();
    },
  };
}

function readHello(text: string): HeaderOf<"hello"> | undefined {
  try {
    const header = decodeFrame(text)?.header;
    return header?.type === "hello" ? header : undefined;
  } catch (error) {
    if (error instanceof GatewayError) return undefined;
    throw error;
  }
}
