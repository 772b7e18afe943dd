import type { Clock } from "../../src/clock.ts";
import { GatewayError } from "../../src/errors.ts";

/**
 * Milliseconds that a person has to answer what a server asks, unless the call says otherwise. Longer than
 * the worker waits for a legacy client, so that the server still hears that there was no answer.
 */
export const PARKED_TTL_MS = 6 * 60_000;

/** Calls of one server that wait for a person at a time. */
export const MAX_PARKED = 64;

/** The same of one client. */
export const MAX_PARKED_OF_CLIENT = 16;

/** A call whose server waits for an answer of the client. */
export interface Parked {
  /** Id of the client token that it belongs to. */
  readonly client: string;
  /** Milliseconds that it may wait; undefined for the usual time. */
  readonly patienceMs: number | undefined;
  /** Nobody has come back in time. */
  expire(): void;
}

interface Place<Call> {
  readonly parked: Call;
  readonly cancelExpiry: () => void;
}

/** The parked calls of one server, each under a state that only its client was given. */
export class Parking<Call extends Parked> {
  readonly #server: string;
  readonly #clock: Clock;
  readonly #places = new Map<string, Place<Call>>();

  constructor(server: string, clock: Clock) {
    this.#server = server;
    this.#clock = clock;
  }

  /**
   * Parks a call for as long as it may wait.
   *
   * @returns Its state, new each time.
   * @throws {GatewayError} `overloaded`.
   */
  park(parked: Call): string {
    const ofClient = [...this.#places.values()].filter((place) =>
      place.parked.client === parked.client
    );
    if (this.#places.size >= MAX_PARKED || ofClient.length >= MAX_PARKED_OF_CLIENT) {
      throw new GatewayError(
        "overloaded",
        `Too many calls to server "${this.#server}" wait for answers: answer or cancel some first`,
        { executed: "unknown" },
      );
    }
    const state = crypto.randomUUID();
    const cancelExpiry = this.#clock.after(parked.patienceMs ?? PARKED_TTL_MS, () => {
      this.#places.delete(state);
      parked.expire();
    });
    this.#places.set(state, { parked, cancelExpiry });
    return state;
  }

  /** The call that is parked under this state for this client. */
  find(state: string, client: string): Call | undefined {
    const parked = this.#places.get(state)?.parked;
    return parked?.client === client ? parked : undefined;
  }

  /** Gives the place up: the state is worth nothing any more. */
  leave(state: string): void {
    this.#places.get(state)?.cancelExpiry();
    this.#places.delete(state);
  }

  /** Gives all places up. */
  close(): void {
    for (const state of this.#places.keys()) this.leave(state);
  }

  /** The answer to a state that is unknown, expired, or of somebody else. */
  expired(): GatewayError {
    return new GatewayError(
      "state_invalid",
      `The call to server "${this.#server}" has expired while it waited for an answer: side ` +
        "effects may already have happened, call again if that does no harm",
      { executed: "unknown" },
    );
  }
}
