/**
 * The runner's end of the tunnel: dials, hands the socket to a connection, and dials again when that
 * has ended, until the worker says that it is of no use or the runner stops.
 *
 *     dial (socket.ts) → hello → welcome → offer → calls … (connection.ts) → wait (backoff) → dial
 *
 * @module
 */
import { type Backoff, nextWaitMs } from "../../src/backoff.ts";
import { GatewayError, toGatewayError } from "../../src/errors.ts";
import { printable } from "../../src/log.ts";
import { permanentReason } from "../../src/tunnel/close.ts";
import { type ChangedList, Connection, type ConnectionContext } from "./connection.ts";
import { type Dial, dialTunnel } from "./socket.ts";

/** Waits between dials. */
const DIAL_BACKOFF: Backoff = { firstMs: 250, maxMs: 30_000 };

/** Milliseconds that a connection must last before its end counts as a first failure again. */
const STABLE_MS = 5_000;

/** What a tunnel needs of the runner. */
export interface TunnelContext extends Omit<ConnectionContext, "ended"> {
  readonly dial: Dial;
}

/** A tunnel that keeps itself open. */
export class Tunnel {
  /** Resolves after `close`; rejects with `tunnel_refused` when the worker ends it for good. */
  readonly ended: Promise<void>;
  readonly #context: TunnelContext;
  readonly #dial: typeof dialTunnel;
  /** Present from the worker's welcome on. */
  #connection: Connection | undefined;
  /** Ends the dial or the connection that is under way. */
  #abandon: () => void = () => {};
  /** When the worker welcomed the connection that is open, or was open last. */
  #welcomedAt: number | undefined;
  #failures = 0;
  #closing = false;

  /** @param dial Opens sockets; tests pass one that opens none. */
  constructor(context: TunnelContext, dial: typeof dialTunnel = dialTunnel) {
    this.#context = context;
    this.#dial = dial;
    this.ended = this.#keep();
  }

  /**
   * Sends the gateway's offer anew; nothing while there is no connection.
   *
   * @param changed Lists that a server said have changed.
   */
  offer(changed: readonly ChangedList[] = []): void {
    this.#connection?.offer(this.#context.gateway.offer(), changed);
  }

  /** Tells the worker to send no more calls; those in flight go on. */
  drain(deadlineMs: number): void {
    this.#connection?.drain(deadlineMs);
  }

  /** Closes the connection and dials no more. */
  close(): void {
    this.#closing = true;
    this.#abandon();
  }

  async #keep(): Promise<void> {
    const { clock, log, dial } = this.#context;
    while (!this.#closing) {
      this.#welcomedAt = undefined;
      try {
        await this.#connect();
        if (!this.#closing) log("warn", `Lost the connection to ${dial.origin}, dialling again`);
      } catch (thrown) {
        const error = toGatewayError(thrown);
        if (error.code === "tunnel_refused") throw error;
        if (this.#failures === 0) log("warn", printable(`${error.message}; dialling again`));
      }
      const lastedMs = clock.now() - (this.#welcomedAt ?? Infinity);
      this.#failures = lastedMs > STABLE_MS ? 1 : this.#failures + 1;
      if (!this.#closing) await this.#wait(nextWaitMs(DIAL_BACKOFF, this.#failures));
    }
  }

  #wait(ms: number): Promise<void> {
    return new Promise((resolve) => {
      const cancel = this.#context.clock.after(ms, resolve);
      this.#abandon = () => {
        cancel();
        resolve();
      };
    });
  }

  /** One connection, from the dial to its end. */
  #connect(): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#abandon = resolve;
      this.#dial(this.#context.dial, (wire) => {
        const connection = new Connection(wire, {
          ...this.#context,
          welcomed: (tunnel) => {
            this.#connection = connection;
            this.#welcomedAt = this.#context.clock.now();
            this.offer();
            this.#context.welcomed(tunnel);
          },
          ended: (code) => {
            if (this.#connection === connection) this.#connection = undefined;
            const permanent = permanentReason(code);
            if (permanent === undefined || this.#closing) resolve();
            else reject(new GatewayError("tunnel_refused", permanent));
          },
        });
        this.#abandon = () => connection.close(1000, "The runner has stopped");
        if (this.#closing) this.#abandon();
        return connection.events;
      }).catch(reject);
    });
  }
}
