/**
 * What the call log tells of: one event, one line of JSON. An event says what happened to whom and how
 * it ended; of arguments it holds the shape, of secrets nothing.
 *
 * @module
 */
import type { Executed } from "../../src/errors.ts";
import type { Shape } from "./shape.ts";

/** Milliseconds that a call spent where. */
export interface Stages {
  /** Waiting because the server carried out as many calls as it may. */
  readonly queue: number;
  /** Waiting until a process of the server was ready. */
  readonly start: number;
  /** From the moment that it was written to the server to the end. */
  readonly server: number;
  /** From the moment that the runner got it to the end. */
  readonly total: number;
}

/** How a call ended. `error` is a JSON-RPC error of the server, `tool_error` a result with `isError`. */
export type Outcome =
  | "ok"
  | "tool_error"
  | "error"
  | "failed"
  | "input_required"
  | "task"
  | "cancelled";

/** A request that a server was to carry out, once it has ended. */
export interface CallEvent {
  readonly type: "call";
  /** Id of the call in the tunnel. */
  readonly call: string;
  /** Id of the client token. */
  readonly client: string;
  readonly method: string;
  readonly server?: string | undefined;
  /**
   * The server's own name of the tool or prompt, or the URI of the resource without its query; what the
   * client asked for, if no server was found for it.
   */
  readonly tool?: string | undefined;
  readonly outcome: Outcome;
  readonly executed: Executed;
  /** Code of our error, if it failed. */
  readonly code?: string | undefined;
  readonly message?: string | undefined;
  readonly ms: Stages;
  /** Shape of the arguments; see `Journal.write`. */
  readonly args?: Shape | undefined;
  /** Characters of the answer's text. */
  readonly size?: number | undefined;
  /** Trace id (W3C trace context), 32 hex digits. */
  readonly trace?: string | undefined;
}

/** A request that no server was asked to carry out, because a rule or a limit forbids it. */
export interface RefusalEvent extends Omit<CallEvent, "type" | "outcome" | "executed"> {
  readonly type: "refusal";
  /** What it names exists, and a rule denies it; clients cannot tell that from what does not exist. */
  readonly denied?: true | undefined;
}

/** Something that happened to a server. */
export interface ServerEvent {
  readonly type: "start" | "stop" | "crash" | "failed" | "pull" | "drift" | "secret";
  readonly server: string;
  readonly container?: string | undefined;
  readonly image?: string | undefined;
  readonly ms?: number | undefined;
  readonly message?: string | undefined;
}

/** A server may start as it was shown, because a person said so or `--yes` was given. */
export interface ApprovalEvent {
  readonly type: "approval";
  readonly server: string;
  /** Hash of what was shown. */
  readonly plan: string;
  readonly by: "person" | "flag";
  readonly approved: boolean;
}

/** A server tried to reach what it may not reach. */
export interface EgressEvent {
  readonly type: "egress_blocked";
  readonly server: string;
  /** The name or address that it asked for, escaped. */
  readonly host: string;
  readonly port?: number | undefined;
  readonly reason: string;
  /** How often this happened since it was last told. */
  readonly count: number;
}

/** A tool or prompt is hidden: its definition is not the one that was agreed to. */
export interface QuarantineEvent {
  readonly type: "quarantine";
  readonly server: string;
  /** The server's own name of it. */
  readonly tool: string;
  readonly list: "tools" | "prompts";
  /** Hash of the definition as it is now, and as it was agreed to. */
  readonly hash: string;
  readonly pinned: string;
  readonly message: string;
}

/** The configuration was read again. */
export interface ConfigEvent {
  readonly type: "config";
  readonly outcome: "applied" | "refused";
  readonly started: readonly string[];
  readonly changed: readonly string[];
  readonly removed: readonly string[];
  readonly message?: string | undefined;
}

/** Events could not be written for some time; told once it works again. */
export interface LostEvent {
  readonly type: "lost";
  readonly count: number;
  /** When the first of them happened, ISO 8601. */
  readonly since: string;
  readonly message?: string | undefined;
}

/** Any event. */
export type JournalEvent =
  | CallEvent
  | RefusalEvent
  | ServerEvent
  | ApprovalEvent
  | EgressEvent
  | QuarantineEvent
  | ConfigEvent
  | LostEvent;
