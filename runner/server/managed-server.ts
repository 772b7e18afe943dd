/**
 * A server with its life: it starts when it is needed, rests when it is not, takes so many calls at
 * once, and is given up when it keeps crashing. What the runner and the gateway see of a server.
 *
 *     cold ──▶ starting ──▶ ready ──▶ draining ──▶ cold
 *                  └──▶ failed ◀──┘
 *
 * @module
 */
import type { Clock } from "../../src/clock.ts";
import type { GatewayError } from "../../src/errors.ts";
import type { Log } from "../../src/log.ts";
import type { Life } from "../config/life.ts";
import type { Journal } from "../journal/journal.ts";
import type { Era, EraMemory } from "./era.ts";
import type { ExchangeServer } from "./exchange.ts";
import type { ServerLists } from "./listed.ts";
import type { ListKind } from "./lists.ts";
import type { ServerProcess } from "./process.ts";
import type { StartLimit } from "./start-limit.ts";

/** Where a server is in its life. */
export type ServerState = "cold" | "starting" | "ready" | "draining" | "failed";

/** What a server lists, kept from earlier runs of the same program, so that a cold one can be listed. */
export interface ListMemory {
  get(): ServerLists | undefined;
  set(lists: ServerLists): void;
}

/** Starts a process; `progress` gets one line for each step that takes long. */
export type Launch = (progress: (line: string) => void) => Promise<ServerProcess>;

/** What a managed server is made from. */
export interface ManagedServerContext {
  readonly name: string;
  readonly launch: Launch;
  readonly life: Life;
  readonly clock: Clock;
  readonly log: Log;
  readonly journal: Journal;
  /** See `ServerContext.changed`; also called when its state has changed. */
  readonly changed: (lists: readonly ListKind[]) => void;
  readonly eraMemory?: EraMemory;
  readonly listMemory?: ListMemory;
  readonly probeTimeoutMs?: number;
  /** Takes secrets out of what its process writes to stderr; as it is unless given. */
  readonly redact?: (text: string) => string;
  /** The image that it was started from, for the journal; undefined until that is known. */
  readonly image?: () => string | undefined;
  /** Shared by the servers of a runner; as many as there are start at once unless given. */
  readonly starts?: StartLimit;
}

/** A server and its life. */
export interface ManagedServer extends ExchangeServer {
  readonly state: ServerState;
  /** Why it has failed, while it is `failed`, or why its last start failed. */
  readonly failure: GatewayError | undefined;
  /** The last lines that it printed to stderr before that, without secrets, for the operator alone. */
  readonly lastWords: string | undefined;
  readonly era: Era | undefined;
  /** Ids of its containers that run now, the oldest first. */
  readonly containers: readonly string[];
  /** Processes, or connections that stand for them. */
  readonly processes: number;
  /** Forgets its failures: the next call or `start` tries at once. */
  retry(): void;
  /** Ends its processes and goes cold; the next exchange starts what it needs. */
  rest(): Promise<void>;
  /** Takes no further exchange, waits at most `ms` for those under way, then stops for good. */
  drain(ms: number): Promise<void>;
}
