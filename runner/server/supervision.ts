import { type ErrorCode, GatewayError } from "../../src/errors.ts";
import { type Fields, printable } from "../../src/log.ts";
import { CrashRecord, FAILURE_WINDOW_MS, MAX_FAILURES } from "./crash-record.ts";
import type { ManagedServerContext } from "./managed-server.ts";
import { StartFailures } from "./start-failures.ts";
import type { Ending, FailedStart, Supervisor } from "./supervisor.ts";

/** Failures of the server itself; others are of the engine or of what the user has to do first. */
const OWN_FAULTS: ReadonlySet<ErrorCode> = new Set(["server_failed", "internal"]);

/** The processes that one supervisor watches over. */
export interface Watched {
  /** Whether a call waits for them. */
  readonly urgent: () => boolean;
  /** Why they are stopped, for the journal. */
  readonly reason: () => string;
}

/** What a supervision needs to know of its server. */
export interface SupervisionContext extends ManagedServerContext {
  /** Whether any process of the server is ready. */
  readonly works: () => boolean;
  /** Called when its state may have changed. */
  readonly moved: () => void;
}

/** How the processes of one server fare, whoever they serve: when it is given up, and what is told of it. */
export class Supervision {
  readonly #context: SupervisionContext;
  readonly #crashes: CrashRecord;
  readonly #failures: StartFailures;
  #failure: GatewayError | undefined;
  #lastWords: string | undefined;

  constructor(context: SupervisionContext) {
    this.#context = context;
    this.#crashes = new CrashRecord(context.clock);
    this.#failures = new StartFailures(context.clock);
  }

  /** Whether the server is given up. */
  get givenUp(): boolean {
    return this.#crashes.givenUp;
  }

  /** Why it is given up, or why its last start failed. */
  get failure(): GatewayError | undefined {
    return this.#failure;
  }

  /** What its last process that failed had printed to stderr. */
  get lastWords(): string | undefined {
    return this.#lastWords;
  }

  /** Forgets every failure. */
  retry(): void {
    this.#crashes.clear();
    this.#failures.clearAll();
    this.#failure = undefined;
    this.#lastWords = undefined;
    this.#context.moved();
  }

  /** The supervisor of some of its processes. */
  over({ urgent, reason }: Watched): Supervisor {
    const { starts, moved } = this.#context;
    return {
      failures: this.#failures,
      check: () => this.#check(),
      turn: (signal) => starts?.enter(urgent, signal) ?? Promise.resolve(() => {}),
      moved,
      started: ({ process: { id } }, ms) => {
        this.#crashes.ready();
        this.#failure = undefined;
        this.#lastWords = undefined;
        this.#write("start", { container: id, ms });
      },
      failed: (start) => this.#failed(start),
      ended: (ending) => this.#ended(ending, reason()),
    };
  }

  #check(): void {
    const refusal = this.#crashes.refusal();
    if (refusal === undefined) return;
    const { name } = this.#context;
    const { givenUp, waitMs, cause } = refusal;
    if (givenUp) throw this.#givenUpError(cause, waitMs);
    const [what, when] = [
      `Server "${name}" keeps ending`,
      `it can be started again in ${seconds(waitMs)} s`,
    ];
    throw new GatewayError("server_failed", `${what}: ${cause}; ${when}`, {
      brief: `${what}: ${when}`,
    });
  }

  #failed({ error, startedAt, lastWords }: FailedStart): void {
    this.#failure = error;
    this.#remember(lastWords);
    if (!OWN_FAULTS.has(error.code)) return;
    const cause = this.#causeOf(error);
    this.#write("crash", { message: `Cannot be started: ${printable(cause)}` });
    // One that cannot be started for a client that can be asked may still serve the others.
    if (!this.#context.works()) this.#note(cause, startedAt, undefined, lastWords);
  }

  #ended({ instance, crash, innocent, startedAt, workedMs }: Ending, reason: string): void {
    const container = instance.process.id;
    if (crash === undefined) {
      this.#write("stop", { container, message: reason });
      return;
    }
    this.#write("crash", { container, ms: workedMs, message: printable(crash) });
    this.#remember(instance.lastWords);
    if (!innocent) this.#note(crash, startedAt, workedMs, instance.lastWords);
  }

  #note(cause: string, startedAt: number, workedMs: number | undefined, lastWords: Fields): void {
    const failure = { cause, startedAt, ...(workedMs !== undefined && { workedMs }) };
    if (!this.#crashes.note(failure)) return;
    const { name, log } = this.#context;
    this.#failure = this.#givenUpError(cause, FAILURE_WINDOW_MS);
    const message = `Server "${name}" has failed ${MAX_FAILURES} times and is given up for ` +
      `${minutes(FAILURE_WINDOW_MS)} min: ${printable(cause)}`;
    log("error", message, lastWords);
    const stderr = this.#lastWords === undefined ? "" : `; stderr: ${this.#lastWords}`;
    this.#write("failed", { message: `${printable(cause)}${stderr}` });
  }

  #givenUpError(cause: string, waitMs: number): GatewayError {
    const what = `Server "${this.#context.name}" has failed too often and is not started for now`;
    const when = `it is tried again in ${minutes(waitMs)} min`;
    return new GatewayError("server_failed", `${what}: ${cause}; ${when}`, {
      brief: `${what}: ${when}`,
    });
  }

  /** The cause without the words that the name of the server comes with. */
  #causeOf({ message }: GatewayError): string {
    const start = `Cannot start server "${this.#context.name}": `;
    return message.startsWith(start) ? message.slice(start.length) : message;
  }

  #remember({ stderr }: Fields): void {
    this.#lastWords = typeof stderr === "string" ? stderr : undefined;
  }

  #write(
    type: "start" | "stop" | "crash" | "failed",
    what: { container?: string; ms?: number; message?: string },
  ): void {
    const { name, image, journal } = this.#context;
    journal.write({ type, server: name, image: image?.(), ...what });
  }
}

function seconds(ms: number): number {
  return Math.max(1, Math.ceil(ms / 1_000));
}

function minutes(ms: number): number {
  return Math.max(1, Math.ceil(ms / 60_000));
}
