import * as v from "valibot";
import { GatewayError } from "../../src/errors.ts";
import { printable } from "../../src/log.ts";
import { readJson } from "./read-body.ts";

/** Milliseconds for an answer of the worker. */
const DEADLINE_MS = 15_000;

/** Bytes of an answer that are read: a list of some thousand tokens. */
const MAX_BODY_BYTES = 4 * 1024 * 1024;

/** Characters of a worker's words that are shown. */
const MAX_QUOTE_LENGTH = 500;

const errorBody = v.object({ error: v.object({ message: v.string() }) });

/** A request to the worker's own HTTP API (src/access-api.ts). */
export interface ApiRequest<Schema extends v.GenericSchema> {
  readonly method: "GET" | "POST" | "DELETE";
  /** The worker's origin. */
  readonly origin: string;
  readonly path: string;
  /** Tunnel token, where one is needed. */
  readonly token?: string;
  readonly body?: unknown;
  /** What the answer must be. */
  readonly answer: Schema;
}

/**
 * Asks the worker.
 *
 * @throws {GatewayError} `tunnel_refused` with the worker's own words, or `tunnel_protocol` when it
 * cannot be reached or answers something else.
 */
export async function askWorker<Schema extends v.GenericSchema>(
  { method, origin, path, token, body, answer }: ApiRequest<Schema>,
): Promise<v.InferOutput<Schema>> {
  let response: Response;
  let value: unknown;
  try {
    response = await fetch(new URL(path, origin), {
      method,
      redirect: "error",
      signal: AbortSignal.timeout(DEADLINE_MS),
      headers: {
        "content-type": "application/json",
        ...(token !== undefined && { authorization: `Bearer ${token}` }),
      },
      ...(body !== undefined && { body: JSON.stringify(body) }),
    });
    value = await readJson(response, MAX_BODY_BYTES);
  } catch (cause) {
    throw new GatewayError(
      "tunnel_protocol",
      `Cannot reach a worker at ${origin}: check the URL, and that the worker is running`,
      { cause },
    );
  }
  const parsed = v.safeParse(answer, value);
  if (response.ok && parsed.success) return parsed.output;
  const refusal = v.safeParse(errorBody, value);
  throw new GatewayError(
    "tunnel_refused",
    refusal.success
      ? printable(refusal.output.error.message.slice(0, MAX_QUOTE_LENGTH))
      : `${origin} is no mcp-runner worker`,
  );
}
