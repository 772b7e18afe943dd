import * as v from "valibot";
import { GatewayError, toRpcError } from "../../src/errors.ts";
import { rawMember, stringMember } from "../../src/mcp/scan.ts";
import { readText } from "./answer.ts";
import { HeldBytes } from "./held-bytes.ts";
import type { HttpAnswer, HttpClient } from "./http-client.ts";
import { outlineOf, toLine } from "./line.ts";

/** Longest body of a refusal that is looked at, in bytes. */
const MAX_REFUSAL_BYTES = 64 * 1024;

const code = v.pipe(v.number(), v.safeInteger());

/** Why an upstream did not do what it was asked for. */
export interface Refusal {
  readonly status: number;
  /** Code of the JSON-RPC error in the body; undefined when there is none. */
  readonly code: number | undefined;
  /** For whoever asked: JSON text of the upstream's own JSON-RPC error, or a failure of ours. */
  readonly error: string | GatewayError;
}

/**
 * Reads an answer whose status is no success: the JSON-RPC error in its body, or one of ours. What
 * else is in the body is not passed on, and nothing that repeats a credential of the config.
 */
export async function readRefusal(answer: HttpAnswer, http: HttpClient): Promise<Refusal> {
  const { status } = answer;
  const own: Refusal = { status, code: undefined, error: explain(status, http) };
  let body: string;
  try {
    body = toLine(await readText(answer, { maxBytes: MAX_REFUSAL_BYTES, held: new HeldBytes() }));
  } catch {
    // Too long, no text, or broken off: the status says what there is to say.
    return own;
  }
  const root = outlineOf(body, 2);
  const error = root?.members.get("error")?.value;
  if (error === undefined || stringMember(body, error, "message") === undefined) return own;
  const parsed = v.safeParse(code, Number(rawMember(body, error, "code")));
  if (!parsed.success) return own;
  const text = body.slice(error.start, error.end);
  const ours = status === 401 || status === 403 || http.leaks(text);
  return { status, code: parsed.output, error: ours ? own.error : text };
}

/** JSON text of the JSON-RPC error that `error` is. */
export function errorText(error: GatewayError): string {
  return JSON.stringify(toRpcError(error));
}

function explain(status: number, http: HttpClient): GatewayError {
  switch (status) {
    case 401:
    case 403:
      return http.failure(
        `it refuses the credentials (HTTP ${status}), check the headers of this server in ` +
          "mcp-runner.yaml",
      );
    case 404:
    case 405:
      return http.failure(`there is no MCP endpoint at its URL (HTTP ${status}), check the URL`);
    case 413:
    case 431:
      return http.failure(`the request is too large for it (HTTP ${status})`);
    case 429:
    case 503:
      return new GatewayError(
        "overloaded",
        `Upstream ${http.url.host} takes no more requests now (HTTP ${status}): try again later`,
        { brief: "The upstream of the server takes no more requests now: try again later" },
      );
    default:
      return status >= 500
        ? http.lost(`it answered with HTTP ${status}`)
        : http.failure(`it answered with HTTP ${status}`);
  }
}
