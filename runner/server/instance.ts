/**
 * One process of a server: from the launch over the opening of its era to its end, with the lists that
 * it gives. launcher.ts makes them; what era a process is of and what it is for is said by its opening.
 *
 * @module
 */
import type { Clock } from "../../src/clock.ts";
import { GatewayError, toGatewayError } from "../../src/errors.ts";
import { type Fields, type Log, printable } from "../../src/log.ts";
import { diagnose } from "./diagnosis.ts";
import { declaredKinds, type ListKind, type Lists, NO_LISTS, readLists } from "./lists.ts";
import { answerAlone, type Ask, Peer } from "./peer.ts";
import { describeExit, type ProcessExit, type ServerProcess } from "./process.ts";
import type { ServerCapabilities } from "./server-capabilities.ts";
import { StallCheck } from "./stall-check.ts";
import { StderrTail } from "./stderr-tail.ts";
import { Throttle } from "./throttle.ts";

/** Milliseconds from the container's start to the end of the opening, unless the context says otherwise. */
export const START_DEADLINE_MS = 30_000;

/** Milliseconds from the news that lists have changed to the question for them: often more news follow. */
export const RELIST_DELAY_MS = 100;

/** Milliseconds between two lists that a server asks for by saying that they have changed. */
const RELIST_PAUSE_MS = 1_000;

/** Milliseconds between the end of stdin and force. */
const STOP_GRACE_MS = 2_000;

const CHANGED: ReadonlyMap<string, ListKind> = new Map([
  ["notifications/tools/list_changed", "tools"],
  ["notifications/prompts/list_changed", "prompts"],
  ["notifications/resources/list_changed", "resources"],
]);

/** What an instance needs to know. */
export interface InstanceContext {
  /** Name of the server. */
  readonly name: string;
  readonly clock: Clock;
  readonly log: Log;
  /** Milliseconds that it has to open, in place of `START_DEADLINE_MS`. */
  readonly startMs?: number;
  /** Takes secrets out of a line of stderr, before it is kept. */
  readonly redact?: (text: string) => string;
  /** Called for each line that is no message. */
  readonly garbage?: () => void;
}

/** What happens at an instance that is ready. */
export interface InstanceEvents {
  /** A notification that is neither progress nor about lists, with the JSON text of its params. */
  notified(method: string, params: string): void;
  /** A request of the server. */
  asked(ask: Ask): void;
  /** Lists were read again because the server said that these have changed, or was slow to say so. */
  relisted(before: Lists, told: readonly ListKind[]): void;
}

/** What the opening of an instance finds out. */
export interface Opened {
  readonly capabilities: ServerCapabilities;
  /** JSON text of the `_meta` that its list requests need; undefined for none. */
  readonly listMeta?: string;
}

/** Speaks to a process for the first time; `doing` says which method it waits for, for messages. */
export type Opening = (instance: Instance, doing: (method: string) => void) => Promise<Opened>;

const SILENT: InstanceEvents = { notified: () => {}, asked: answerAlone, relisted: () => {} };

/** A process and what it has said so far. */
export class Instance {
  readonly process: ServerProcess;
  readonly peer: Peer;
  /** Resolves when the process has ended and its requests have been told. */
  readonly ended: Promise<ProcessExit>;
  /** Whom it tells of what happens; nobody until somebody wants to know. */
  events: InstanceEvents = SILENT;
  /** Log messages that reached nobody, because nobody could tell whose they were. */
  droppedMessages = 0;
  readonly #context: InstanceContext;
  readonly #stderr: StderrTail;
  readonly #relist: Throttle;
  readonly #stall: StallCheck;
  /** Why it was ended as one that does not work; undefined if it was not. */
  #condemned: string | undefined;
  #state: "starting" | "ready" | "ended" = "starting";
  #exit: ProcessExit | undefined;
  #opened: Opened | undefined;
  #lists: Lists = NO_LISTS;
  /** Kinds that have changed since they were asked for, and whether others must hear of it. */
  readonly #stale = new Map<ListKind, "told" | "early">();
  #listFailed = false;

  constructor(process: ServerProcess, context: InstanceContext) {
    this.process = process;
    this.#context = context;
    this.#stderr = new StderrTail(context.redact);
    this.peer = new Peer(process, {
      server: context.name,
      notified: (method, params) => this.#notified(method, params),
      asked: (ask) => this.events.asked(ask),
      garbage: () => context.garbage?.(),
      silent: () => this.ready && this.#stall.ask(),
    });
    this.#stall = new StallCheck({
      clock: context.clock,
      peer: this.peer,
      question: () => this.#signOfLife(),
      stalled: () => this.#condemn("it did not answer"),
    });
    this.#relist = new Throttle({
      clock: context.clock,
      delayMs: RELIST_DELAY_MS,
      pauseMs: RELIST_PAUSE_MS,
      work: () => this.#listAgain(),
    });
    process.onStderr((line) => {
      this.peer.hear();
      this.#stderr.add(line);
    });
    process.onGarbage(() => {
      this.peer.hear();
      this.peer.garbage();
    });
    this.ended = process.exited.then((exit) => this.#end(exit));
  }

  /** Whether it has been opened and the process has not ended since. */
  get ready(): boolean {
    return this.#state === "ready";
  }

  /** Whether it has ended, or is about to, because it did not work any more. */
  get condemned(): boolean {
    return this.#condemned !== undefined;
  }

  /** What it declared when it was opened. */
  get capabilities(): ServerCapabilities {
    if (this.#opened === undefined) throw new TypeError("The instance has not been opened");
    return this.#opened.capabilities;
  }

  /** What it lists, as last read. */
  get lists(): Lists {
    return this.#lists;
  }

  /** What the operator should see beside the news that it has ended. */
  get lastWords(): Fields {
    const { garbageLines } = this.peer;
    const { droppedMessages } = this;
    return {
      stderr: this.#stderr.text(),
      ...(garbageLines > 0 && { garbageLines }),
      ...(droppedMessages > 0 && { droppedMessages }),
    };
  }

  /**
   * Opens it and reads its lists.
   *
   * @throws {GatewayError} `server_failed`; the process may still be there then.
   */
  async open(opening: Opening): Promise<void> {
    let awaited = "answer initialize";
    const { clock, startMs = START_DEADLINE_MS } = this.#context;
    const cancelDeadline = clock.after(startMs, () => {
      const hint = awaited.endsWith("initialize") ? ", is it an MCP server over stdio?" : "";
      const seconds = startMs / 1000;
      this.peer.lose(this.failure(`it did not ${awaited} within ${seconds} s${hint}`));
    });
    try {
      this.#opened = await opening(this, (method) => void (awaited = `answer ${method}`));
      awaited = "give its lists";
      // What it said before it was asked is in its answer.
      this.#stale.clear();
      this.#lists = { ...NO_LISTS, ...await this.#read(declaredKinds(this.#opened.capabilities)) };
    } finally {
      cancelDeadline();
    }
    // It may have ended together with its last answer.
    if (this.#exit !== undefined) throw this.#failed(this.#exit);
    this.#state = "ready";
    if (this.#stale.size > 0) this.#relist.ask();
  }

  /** Ends the process, by itself first; resolves when nothing of it is left. */
  async stop(graceMs = STOP_GRACE_MS): Promise<void> {
    await this.process.stop(graceMs);
    await this.ended;
  }

  /** Ends the process while nobody waits for that. */
  retire(graceMs = STOP_GRACE_MS): void {
    this.stop(graceMs).catch((error: unknown) => {
      this.#context.log("warn", `Cannot stop a process of server "${this.#context.name}"`, {
        error: printable(toGatewayError(error).message),
      });
    });
  }

  /** Its end in words, with what the owner can do: for the owner alone. */
  describe(exit: ProcessExit): string {
    const cause = this.#cause(exit);
    if (this.#condemned !== undefined) return cause;
    const stderr = exit.reason === "exit" && !exit.oomKilled ? this.#stderr.text() : undefined;
    const diagnosis = stderr && diagnose(stderr);
    return diagnosis ? `${cause}: ${diagnosis}` : cause;
  }

  /** That the server cannot be started because of `cause`; `brief` is what strangers are told of that. */
  failure(cause: string, brief = cause): GatewayError {
    const what = `Cannot start server "${this.#context.name}": `;
    return new GatewayError("server_failed", what + cause, { brief: what + brief });
  }

  /** The server says that lists of this kind have changed. */
  changed(kind: ListKind): void {
    if (this.#opened?.capabilities[kind] !== true) return;
    this.#stale.set(kind, this.ready ? "told" : "early");
    if (this.ready) this.#relist.ask();
  }

  #end(exit: ProcessExit): ProcessExit {
    const error = this.ready
      ? this.#crash(this.describe(exit), this.#cause(exit))
      : this.#failed(exit);
    this.peer.lose(error);
    this.#relist.stop();
    this.#stall.stop();
    this.#exit = exit;
    this.#state = "ended";
    return exit;
  }

  #crash(cause: string, brief = cause): GatewayError {
    const what = `Server "${this.#context.name}" ended during the call: `;
    return new GatewayError("server_crashed", what + cause, { brief: what + brief });
  }

  #failed(exit: ProcessExit): GatewayError {
    return this.failure(this.describe(exit), this.#cause(exit));
  }

  /** Its end in words for everybody: what it wrote before that names paths and hosts. */
  #cause(exit: ProcessExit): string {
    return this.#condemned ?? describeExit(exit);
  }

  /** It does not work any more: whoever waits for it is told at once, and it is ended by force. */
  #condemn(cause: string): void {
    if (!this.ready) return;
    this.#condemned = cause;
    this.peer.lose(this.#crash(cause));
    this.retire(0);
  }

  #signOfLife(): readonly [string, string] {
    const meta = this.#opened?.listMeta;
    return meta === undefined ? ["ping", "{}"] : ["server/discover", `{"_meta":${meta}}`];
  }

  #notified(method: string, params: string): void {
    const kind = CHANGED.get(method);
    if (kind === undefined) this.events.notified(method, params);
    else this.changed(kind);
  }

  #read(kinds: readonly ListKind[]): Promise<Partial<Lists>> {
    return readLists(this.peer, kinds, this.#opened?.listMeta);
  }

  /** A server that does not answer is not asked again: the throttle waits for it. */
  async #listAgain(): Promise<void> {
    const stale = [...this.#stale];
    this.#stale.clear();
    try {
      const read = await this.#read(stale.map(([kind]) => kind));
      this.#listFailed = false;
      if (!this.ready) return;
      const before = this.#lists;
      this.#lists = { ...before, ...read };
      const told = stale.filter(([, when]) => when === "told").map(([kind]) => kind);
      this.events.relisted(before, told);
    } catch (error) {
      if (!this.ready || this.#listFailed) return;
      this.#listFailed = true;
      this.#context.log("warn", `Cannot list what "${this.#context.name}" offers again`, {
        error: printable(toGatewayError(error).message),
      });
    }
  }
}
