/**
 * What can go wrong, in one closed table: every failure has a stable name, and the table says what a
 * client sees of it over HTTP and JSON-RPC, whether trying again may help, and whether the tool ran.
 *
 * @module
 */

/** Whether the tool that was called ran: what a caller must know before it calls again. */
export type Executed = "no" | "unknown" | "yes";

/** The answers that one kind of failure gives, wherever it arises. */
export interface FailureFacts {
  /** HTTP status when the whole HTTP request is refused; 200 for errors of a call that was accepted. */
  readonly status: number;
  /** JSON-RPC code. Ours are positive: MCP 2026-07-28 basic/index forbids new codes in -32768..-32000. */
  readonly rpc: number;
  /** Whether the same request may succeed later without anybody changing it. */
  readonly retryable: boolean;
  readonly executed: Executed;
}

const refused = (status: number, rpc: number): FailureFacts => ({
  status,
  rpc,
  retryable: false,
  executed: "no",
});

const failed = (rpc: number, executed: Executed, retryable: boolean): FailureFacts => ({
  status: 200,
  rpc,
  retryable,
  executed,
});

const FAILURES = {
  // The HTTP request is not one that an MCP endpoint serves.
  malformed_json: refused(400, -32700),
  invalid_request: refused(400, -32600),
  too_deep: refused(400, -32600),
  too_large: refused(413, -32600),
  request_timeout: refused(408, -32600),
  unsupported_media_type: refused(415, -32600),
  method_not_allowed: refused(405, -32600),
  not_found: refused(404, -32600),
  unauthorized: refused(401, -32600),
  token_revoked: refused(403, -32600),
  forbidden_host: refused(403, -32600),
  forbidden_origin: refused(403, -32600),
  upgrade_required: refused(426, -32600),
  join_code_invalid: refused(403, -32600),
  header_mismatch: refused(400, -32020),
  unsupported_version: refused(400, -32022),
  invalid_meta: refused(400, -32602),
  missing_capability: refused(400, -32021),
  unknown_method: refused(404, -32601),
  session_required: refused(400, -32600),
  session_unknown: refused(404, -32600),

  // The call was understood and has failed.
  unknown_tool: failed(-32602, "no", false),
  unknown_resource: failed(-32602, "no", false),
  state_invalid: failed(-32602, "no", false),
  invalid_params: failed(-32602, "no", false),
  runner_offline: failed(1001, "no", true),
  runner_lost: failed(1002, "unknown", false),
  server_failed: failed(1003, "no", true),
  server_crashed: failed(1004, "unknown", false),
  call_timeout: failed(1005, "unknown", false),
  result_too_large: failed(1006, "yes", false),
  overloaded: failed(1007, "no", true),
  engine_unavailable: failed(1008, "no", true),
  image_missing: failed(1009, "no", false),
  call_cancelled: failed(1010, "unknown", false),
  secret_missing: failed(1011, "no", false),
  not_approved: failed(1012, "no", false),
  image_changed: failed(1013, "no", false),
  image_untrusted: failed(1014, "no", false),
  login_required: failed(1015, "no", false),
  address_refused: failed(1016, "no", false),

  // The user's machine or command line.
  usage: failed(1100, "no", false),
  config_invalid: failed(1101, "no", false),
  credentials_unsafe: failed(1102, "no", false),
  tunnel_refused: failed(1103, "no", false),
  tunnel_protocol: failed(1104, "unknown", true),
  store_unavailable: { status: 503, rpc: -32603, retryable: true, executed: "no" },
  internal: { status: 500, rpc: -32603, retryable: false, executed: "unknown" },
} as const satisfies Record<string, FailureFacts>;

/** Stable, documented name of a failure; safe to switch on and to log. */
export type ErrorCode = keyof typeof FAILURES;

/** Every code with its facts, for documentation and tests. */
export const failureTable: Readonly<Record<ErrorCode, FailureFacts>> = FAILURES;

/** What an error adds to its code and message. */
export interface GatewayErrorOptions extends ErrorOptions {
  /** Overrides the table's `executed` where the place that failed knows better. */
  readonly executed?: Executed;
  /** Members that the specification or the client's fix needs in `error.data`; sent to the peer. */
  readonly data?: Readonly<Record<string, unknown>>;
  /** Sent to the peer in place of the message, which is for the owner of the machine alone then. */
  readonly brief?: string | undefined;
}

/** The one error class of this codebase; `code` tells failures apart. */
export class GatewayError extends Error {
  override readonly name = "GatewayError";
  readonly code: ErrorCode;
  readonly executed: Executed;
  readonly data: Readonly<Record<string, unknown>>;
  readonly brief: string | undefined;

  /**
   * @param code Stable name, sent to the peer.
   * @param message Sentence case, no final period, never a secret; sent to the peer unless there is a
   * brief, and without one never a path.
   * @param options `cause` is logged where it happened and never sent.
   */
  constructor(code: ErrorCode, message: string, options: GatewayErrorOptions = {}) {
    super(message, options);
    this.code = code;
    this.executed = options.executed ?? FAILURES[code].executed;
    this.data = options.data ?? {};
    this.brief = options.brief;
  }

  /** The table's row of this error. */
  get facts(): FailureFacts {
    return FAILURES[this.code];
  }
}

/**
 * Any thrown value as a `GatewayError`. What is not one of ours becomes `internal` with a text that
 * tells nothing of the inside; the original is its `cause`, for the log.
 */
export function toGatewayError(thrown: unknown): GatewayError {
  if (thrown instanceof GatewayError) return thrown;
  return new GatewayError("internal", "Cannot complete the request: internal error", {
    cause: thrown,
  });
}

/** The JSON-RPC error object that a client or the other end of the tunnel gets for `error`. */
export function toRpcError(error: GatewayError): {
  readonly code: number;
  readonly message: string;
  readonly data: Readonly<Record<string, unknown>>;
} {
  const { rpc, retryable, executed } = error.facts;
  // Whether a call ran is a question only for requests that were accepted: our own codes are of those,
  // and what knows it better than the table.
  const call = rpc > 0 || error.executed !== executed
    ? { executed: error.executed, retryable }
    : {};
  const message = error.brief ?? error.message;
  return { code: rpc, message, data: { code: error.code, ...call, ...error.data } };
}
