/**
 * A deadline for every call to the engine. An engine can hang for good (moby/moby#41827: `kill` and
 * `inspect` wait for an attach socket that nobody reads), and no call of ours may hang with it.
 *
 *     withDeadline(what, ms, call) → result
 *                                  → GatewayError engine_unavailable   late, or the engine is gone
 *                                  → EngineRefusal                     the engine said no
 *
 * @module
 */
import * as v from "valibot";
import { GatewayError } from "../../src/errors.ts";

/** Longest wait for calls that only read or change a record of the engine, in milliseconds. */
export const QUICK_MS = 15_000;

/** Longest wait for calls that make the engine start or remove processes, in milliseconds. */
export const SLOW_MS = 60_000;

/** The engine understood a request and refused it. */
export class EngineRefusal extends Error {
  override readonly name = "EngineRefusal";
  /** HTTP status of the Docker API: 404 no such object, 409 conflict. */
  readonly status: number;
  /** The engine's own words, one line. */
  readonly reason: string;

  constructor(status: number, reason: string, options?: ErrorOptions) {
    super(`The Docker engine refused: ${reason}`, options);
    this.status = status;
    this.reason = reason;
  }
}

/** Error of docker-modem for an HTTP status that is no success. */
const refusal = v.object({
  statusCode: v.number(),
  message: v.string(),
  json: v.optional(v.nullable(v.unknown())),
});
const refusalBody = v.object({ message: v.string() });
const systemError = v.object({ code: v.string() });

/**
 * Runs one call to the engine and waits for it no longer than `ms` milliseconds.
 *
 * @param what Completes "Cannot …" in messages; may reach a client, so it names no path.
 * @param call Gets the signal to pass to dockerode as `abortSignal`. What the call returns may live
 *   longer than the deadline: the signal never fires once `call` has settled.
 */
export async function withDeadline<T>(
  what: string,
  ms: number,
  call: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const controller = new AbortController();
  const timer = setTimeout(() => controller.abort(), ms);
  try {
    return await call(controller.signal);
  } catch (error) {
    if (controller.signal.aborted) {
      throw new GatewayError(
        "engine_unavailable",
        `Cannot ${what}: the Docker engine did not answer within ${
          ms / 1000
        } s, restart it if this goes on`,
        { cause: error },
      );
    }
    throw engineError(what, error);
  } finally {
    clearTimeout(timer);
  }
}

/** Whether the engine said no with one of these HTTP statuses. */
export function isRefusal(error: unknown, ...statuses: readonly number[]): error is EngineRefusal {
  return error instanceof EngineRefusal &&
    (statuses.length === 0 || statuses.includes(error.status));
}

/** Runs `call`, taking a refusal with one of `statuses` for success: what was asked for is so already. */
export async function unlessRefused(
  statuses: readonly number[],
  call: () => Promise<unknown>,
): Promise<void> {
  try {
    await call();
  } catch (error) {
    if (!isRefusal(error, ...statuses)) throw error;
  }
}

/** Any error of a call to the engine, told apart by who failed. */
export function engineError(what: string, error: unknown): Error {
  const refused = v.safeParse(refusal, error);
  if (refused.success) {
    const { statusCode, message, json } = refused.output;
    const body = v.safeParse(refusalBody, json);
    // Where the answer was to be a stream, the body is in the message alone.
    const reason = body.success
      ? body.output.message
      : message.replace(/^\(HTTP code \d+\) .*? - /, "");
    return new EngineRefusal(statusCode, reason.trim().replace(/\s+/g, " "), { cause: error });
  }
  if (v.is(systemError, error)) {
    return new GatewayError(
      "engine_unavailable",
      `Cannot ${what}: the connection to the Docker engine failed (${error.code}), see whether it still runs`,
      { cause: error },
    );
  }
  return error instanceof Error ? error : new Error(`Cannot ${what}`, { cause: error });
}
