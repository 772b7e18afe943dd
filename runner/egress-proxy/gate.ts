/**
 * Decides over each place that a server wants to reach, tells of it, and opens the way.
 *
 * @module
 */
import type { Socket } from "node:net";
import type { Allowlist } from "./allowlist.ts";
import { Blocked, type Decide } from "./decision.ts";
import type { Dialler } from "./dial.ts";
import { MAX_CONNECTIONS } from "./settings.ts";

/** The one place where connections are allowed. */
export interface Gate {
  /**
   * Finds out whether this place may be reached, without reaching it.
   *
   * @param host As `hostOf` gives it.
   * @throws {Blocked} when the config does not allow it; told already.
   * @throws {Unreachable} when the name cannot be found.
   */
  check(host: string, port: number): Promise<readonly string[]>;
  /** Connects to an allowed place; throws as `check` does. */
  reach(host: string, port: number): Promise<Socket>;
  /** Tells of a connection that was ended before a host was known; returns what may be thrown then. */
  block(host: string | undefined, port: number | undefined, reason: string): Blocked;
  /** HTTP status and text for what was thrown; tells of a `Blocked` that was not told yet. */
  answerTo(error: unknown): [status: number, why: string];
}

/** An allowed host that cannot be found or does not accept. */
export class Unreachable extends Error {
  override readonly name = "Unreachable";
}

class Told extends Blocked {}

/** A gate for these rules. */
export function createGate(allowlist: Allowlist, dialler: Dialler, decide: Decide): Gate {
  let open = 0;

  function blocked(host: string, port: number | undefined, reason: string): Told {
    decide({ verdict: "blocked", host, port, reason });
    return new Told(
      `${host}${
        port === undefined ? "" : `:${port}`
      } ${reason}, see "network:" of the server in the configuration`,
    );
  }

  async function check(host: string, port: number): Promise<readonly string[]> {
    if (!allowlist.allows(host, port)) throw blocked(host, port, "is not allowed");
    try {
      return await dialler.find(host, port);
    } catch (error) {
      if (error instanceof Blocked) throw blocked(host, port, error.message);
      throw failed(host, port, error);
    }
  }

  function failed(host: string, port: number, error: unknown): Unreachable {
    const reason = error instanceof Error && "code" in error ? String(error.code) : "no answer";
    decide({ verdict: "failed", host, port, reason });
    return new Unreachable(`Cannot reach ${host}:${port}: ${reason}`);
  }

  return {
    check,
    async reach(host, port) {
      const addresses = await check(host, port);
      // Requests that follow each other on one connection of HTTP each have one of their own here.
      if (open >= MAX_CONNECTIONS) throw blocked(host, port, "is one connection too many");
      open += 1;
      try {
        const socket = await dialler.connect(addresses, port);
        socket.once("close", () => {
          open -= 1;
        });
        decide({ verdict: "allowed", host, port });
        return socket;
      } catch (error) {
        open -= 1;
        throw failed(host, port, error);
      }
    },
    block: (host, port, reason) => blocked(host ?? "(none)", port, reason),
    answerTo(error) {
      if (error instanceof Told) return [403, error.message];
      if (error instanceof Blocked) {
        return [403, blocked("(none)", undefined, error.message).message];
      }
      return [502, error instanceof Unreachable ? error.message : "The request failed"];
    },
  };
}
