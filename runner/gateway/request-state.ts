/**
 * The `requestState` of a request that needs input (MCP 2026-07-28 mrtr). The client keeps it between two
 * rounds, so it is signed, bound to caller, server and request, short-lived, and good for one retry. It
 * wraps what the server gave as its own state.
 *
 *     <runner>.<payload>.<signature>
 *
 * @module
 */
import { randomUUID } from "node:crypto";
import * as v from "valibot";
import type { Clock } from "../../src/clock.ts";
import { GatewayError } from "../../src/errors.ts";
import { stickTo, unstick } from "../../src/mcp/sticky.ts";
import { digestOf } from "./argument-digest.ts";
import { Seal } from "./seal.ts";

/** Milliseconds in which the input must come: what a person needs to answer, and no more. */
export const STATE_TTL_MS = 600_000;

/** Times that one request may be asked for input. */
export const MAX_ROUNDS = 10;

/** Longest state of a server, in bytes of UTF-8. */
const MAX_INNER_BYTES = 64 * 1024;

/** Longest state that is looked at, in characters: the longest that we can have given. */
const MAX_STATE_LENGTH = 1024 * 1024;

/** Most states that may come back within the time of one: far more than people answer. */
export const MAX_USED = 20_000;

/** What a state is bound to. */
export interface StateSubject {
  /** Id of the client token. */
  readonly client: string;
  readonly method: string;
  /** The exposed name or URI. */
  readonly name: string;
  /** JSON text of the arguments; undefined without. */
  readonly args: string | undefined;
}

/** What a state says. */
export interface OpenedState {
  readonly server: string;
  /** The rounds so far, from 1 on. */
  readonly round: number;
  /** What the server had given; undefined if nothing. */
  readonly inner: string | undefined;
}

const payload = v.object({
  server: v.string(),
  client: v.string(),
  digest: v.string(),
  round: v.number(),
  expires: v.number(),
  nonce: v.string(),
  inner: v.exactOptional(v.string()),
});

/** The states that one runner has given out. */
export class RequestStates {
  readonly #runner: string;
  readonly #clock: Clock;
  readonly #seal = new Seal("requestState");
  /** States that have come back, until they would have expired; the oldest first. */
  readonly #used = new Map<string, number>();

  constructor(runner: string, clock: Clock) {
    this.#runner = runner;
    this.#clock = clock;
  }

  /**
   * A state for the next round.
   *
   * @throws {GatewayError} `server_failed` when the server asks too often or has too much to keep.
   */
  give(subject: StateSubject, { server, round, inner }: OpenedState): string {
    if (round > MAX_ROUNDS) {
      throw refused(server, `asked for input more than ${MAX_ROUNDS} times`);
    }
    if (inner !== undefined && Buffer.byteLength(inner) > MAX_INNER_BYTES) {
      throw refused(server, `gave a requestState of more than ${MAX_INNER_BYTES} bytes`);
    }
    const value: v.InferOutput<typeof payload> = {
      server,
      client: subject.client,
      digest: digestOf(subject.method, subject.name, subject.args),
      round,
      expires: this.#clock.now() + STATE_TTL_MS,
      nonce: randomUUID(),
      ...(inner !== undefined && { inner }),
    };
    return stickTo(this.#runner, this.#seal.seal(value));
  }

  /**
   * Takes a state back, once.
   *
   * @throws {GatewayError} `state_invalid` in the same words whatever is wrong with it; `overloaded`,
   * which leaves it good.
   */
  take(text: string, subject: StateSubject): OpenedState {
    const sealed = text.length > MAX_STATE_LENGTH ? undefined : unstick(this.#runner, text);
    const parsed = v.safeParse(payload, sealed === undefined ? sealed : this.#seal.open(sealed));
    if (!parsed.success) throw stateInvalid();
    const { server, client, digest, round, expires, nonce, inner } = parsed.output;
    const now = this.#clock.now();
    this.#forget(now);
    if (
      now >= expires || client !== subject.client || this.#used.has(nonce) ||
      digest !== digestOf(subject.method, subject.name, subject.args)
    ) throw stateInvalid();
    if (this.#used.size >= MAX_USED) throw tooMany();
    this.#used.set(nonce, expires);
    return { server, round, inner };
  }

  /** Drops what has expired. States expire in the order in which they were given, nearly that of use. */
  #forget(now: number): void {
    for (const [nonce, expires] of this.#used) {
      if (expires > now) return;
      this.#used.delete(nonce);
    }
  }
}

function refused(server: string, what: string): GatewayError {
  return new GatewayError(
    "server_failed",
    `Cannot go on with the call: server "${server}" ${what}`,
    {
      executed: "unknown",
    },
  );
}

function tooMany(): GatewayError {
  return new GatewayError(
    "overloaded",
    "Too many requests have gone on after a question: try again in some minutes",
  );
}

/** The one answer for a state that cannot be used, whatever is wrong with it. */
export function stateInvalid(): GatewayError {
  return new GatewayError(
    "state_invalid",
    "Cannot go on with the request: its requestState has expired, was used, or belongs to another " +
      "request; make the request anew, what it did before may have had effects",
  );
}
