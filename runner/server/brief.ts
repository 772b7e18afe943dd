/**
 * What strangers are told of a server that cannot be used. Clients may be anybody with a token: they learn
 * what kind of thing is missing and whom to ask, but no path, no name of a secret, no image, and no word of
 * the engine or of a registry. The owner has the whole message in the log, in `inspect` and in the call log.
 *
 * @module
 */
import { type ErrorCode, GatewayError } from "../../src/errors.ts";

/** Causes that lie at the owner's machine, in words for everybody. */
const CAUSES: ReadonlyMap<ErrorCode, string> = new Map<ErrorCode, string>([
  ["config_invalid", "it cannot be run as the config says"],
  ["engine_unavailable", "its machine cannot run containers now"],
  ["image_missing", "its image could not be pulled or made"],
  ["secret_missing", "a secret that it needs is missing"],
  ["not_approved", "nobody has agreed yet to how it is run"],
  ["image_changed", "its image has changed, and nobody has agreed to that yet"],
  ["image_untrusted", "its image is not signed as the config asks for"],
  ["login_required", "it wants its owner to log in"],
  ["address_refused", "it is at an address that is not allowed"],
  ["store_unavailable", "the state of its machine cannot be read or written"],
  ["credentials_unsafe", "the state of its machine is open to others"],
]);

/** The error with what strangers are told of it, if that is less than all. */
export function withBrief(server: string, error: GatewayError): GatewayError {
  const cause = CAUSES.get(error.code);
  return cause === undefined
    ? error
    : told(error, `Cannot use server "${server}": ${cause}`, server);
}

/** The same for an error of a start, in the words of whatever was to be started. */
export function startError(server: string, error: GatewayError): GatewayError {
  // The message of an internal error tells nothing of the inside.
  if (error.code === "internal") return error;
  const cause = CAUSES.get(error.code);
  return told(
    error,
    `Cannot start server "${server}"${cause === undefined ? "" : `: ${cause}`}`,
    server,
  );
}

function told(error: GatewayError, what: string, server: string): GatewayError {
  if (error.brief !== undefined) return error;
  const { code, message, executed, data, cause } = error;
  const brief = `${what}; its owner sees why with "mcp-runner inspect ${server}"`;
  return new GatewayError(code, message, { executed, data, cause, brief });
}
