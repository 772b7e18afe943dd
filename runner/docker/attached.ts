/**
 * A running server and its standard streams. Made by container.ts, and by exec.ts in a container of somebody
 * else; what it means to end the server is theirs to say.
 *
 *     socket → Demultiplexer → LineSplitter → onLine, onStderr, onGarbage
 *     stop: end of stdin → grace → terminate → SIGTERM_MS → socket closed → remove
 *
 * An engine whose attach socket nobody reads hangs on `kill` (moby/moby#41827). So the socket is read always,
 * a flood of stderr in short steps, and it is destroyed before the container is killed.
 *
 * @module
 */
import type { Duplex } from "node:stream";
import { batchWrites } from "../../src/batch.ts";
import { GatewayError } from "../../src/errors.ts";
import type { Exit, StdioContainer } from "./container.ts";
import { ByteBudget } from "./budget.ts";
import { Demultiplexer } from "./demultiplexer.ts";
import type { ExitWatch } from "./exit.ts";
import { LineSplitter } from "./lines.ts";
import { Outlet } from "./outlet.ts";
import { within } from "./within.ts";

/** Longest line of stdout unless the attachment says otherwise, in bytes. */
const MAX_LINE_BYTES = 16 * 1024 * 1024;

const MAX_STDERR_LINE_BYTES = 8 * 1024;

const MAX_STDERR_BYTES_PER_SECOND = 1024 * 1024;

/**
 * Bytes of stderr after which the socket rests, and for how many milliseconds. Read as fast as it comes, a
 * flood of short lines would keep this process, the engine and its shim busy at the cost of others.
 */
const REST_AFTER_BYTES = 64 * 1024;
const REST_MS = 10;

/** Most lines of stdout in a second; one that cannot be a message counts as many as `GARBAGE_WEIGHT`. */
const MAX_LINES_PER_SECOND = 100_000;

/** What a line that cannot be a message costs: nobody needs it, and a flood of them would hold up all others. */
const GARBAGE_WEIGHT = 5;

/** Input that a server may leave unread before more is refused, in bytes. */
const MAX_UNREAD_BYTES = 32 * 1024 * 1024;

/** How long a server may leave input unread before it is given up, in milliseconds. */
const STALLED_MS = 60_000;

/** How long the server may take to end after SIGTERM, in milliseconds. */
const SIGTERM_MS = 1_000;

/** How long output and end of a container may lie apart, in milliseconds. */
const DRAIN_MS = 2_000;

/** What is attached to, and how. */
export interface Attachment {
  readonly id: string;
  readonly warnings: readonly string[];
  readonly socket: Duplex;
  readonly watch: ExitWatch;
  /** Longest line of stdout, in bytes. */
  readonly maxLineBytes?: number | undefined;
  /** The memory limit, to be told when the server has run into it. */
  readonly memoryBytes?: number | undefined;
  /** Whether a line of stderr is none of the server's. */
  readonly isOurs?: (line: string) => boolean;
  /** Sends SIGTERM; its failure does not matter. */
  terminate(): Promise<void>;
  /** Ends it for good. Rejects when that failed, and then nobody waits for it any more. */
  remove(): Promise<void>;
  /** Clears away what was made for it, once it has ended. */
  release(): Promise<void>;
}

/** One server, from the attach on; see the module. */
export class AttachedContainer implements StdioContainer {
  readonly id: string;
  readonly warnings: readonly string[];
  readonly exited: Promise<Exit>;
  readonly #attachment: Attachment;
  readonly #socket: Duplex;
  readonly #watch: ExitWatch;
  readonly #lines = new Outlet<string>();
  readonly #garbage = new Outlet<number>();
  readonly #stderr = new Outlet<string>();
  readonly #splitters: Readonly<Record<"stdout" | "stderr", LineSplitter>>;
  readonly #lineBudget = new ByteBudget(MAX_LINES_PER_SECOND);
  readonly #stderrBudget = new ByteBudget(MAX_STDERR_BYTES_PER_SECOND);
  readonly #socketClosed: Promise<void>;
  readonly #beforeWrite: () => void;
  #reason: Exit["reason"] | undefined;
  #stalled: NodeJS.Timeout | undefined;
  /** Bytes of stderr since the socket rested. */
  #unrested = 0;

  constructor(attachment: Attachment) {
    const { id, warnings, socket, watch, isOurs, maxLineBytes = MAX_LINE_BYTES } = attachment;
    this.id = id;
    this.warnings = warnings;
    this.#attachment = attachment;
    this.#socket = socket;
    this.#watch = watch;
    this.#splitters = {
      stdout: new LineSplitter({
        maxBytes: maxLineBytes,
        tooLong: "refuse",
        onLine: (line) => {
          if (this.#mayPass(line.startsWith("{"))) this.#lines.push(line);
        },
        onGarbage: (bytes) => {
          if (this.#mayPass(false)) this.#garbage.push(bytes);
        },
      }),
      stderr: new LineSplitter({
        maxBytes: MAX_STDERR_LINE_BYTES,
        tooLong: "cut",
        onLine: (line) => {
          if (isOurs?.(line) !== true) this.#stderr.push(line);
        },
      }),
    };
    this.#beforeWrite = batchWrites(socket, setImmediate);
    this.#socketClosed = new Promise((resolve) => socket.once("close", () => resolve()));
    this.#read();
    this.exited = this.#end();
  }

  write(line: string): void {
    if (line.includes("\n")) {
      throw new RangeError("Cannot write to the server: the line has a newline");
    }
    if (this.#reason !== undefined || !this.#socket.writable) {
      throw new GatewayError(
        "server_failed",
        "Cannot write to the server: it has ended",
      );
    }
    if (this.#socket.writableLength > MAX_UNREAD_BYTES) {
      throw new GatewayError(
        "overloaded",
        "Cannot write to the server: it does not read its input",
      );
    }
    this.#beforeWrite();
    if (!this.#socket.write(`${line}\n`)) {
      this.#stalled ??= setTimeout(() => this.kill("stalled"), STALLED_MS);
    }
  }

  onLine(listener: (line: string) => void): void {
    this.#lines.listen(listener);
  }

  onGarbage(listener: (bytes: number) => void): void {
    this.#garbage.listen(listener);
  }

  onStderr(listener: (line: string) => void): void {
    this.#stderr.listen(listener);
  }

  async stop(graceMs: number): Promise<void> {
    this.#reason ??= "closed";
    if (graceMs > 0) {
      this.#socket.end();
      if (await this.#endsWithin(graceMs)) return;
      await this.#attachment.terminate().catch(() => {});
      if (await this.#endsWithin(SIGTERM_MS)) return;
    }
    await this.#remove();
    await this.exited;
  }

  /** Ends the server now, because of `reason`. */
  kill(reason: Exit["reason"]): void {
    this.#reason ??= reason;
    void this.#remove();
  }

  #read(): void {
    const demultiplexer = new Demultiplexer((output, payload) => {
      if (output === "stderr") this.#readStderr(payload);
      else if (!this.#splitters.stdout.push(payload)) this.kill("overflow");
    });
    this.#socket.on("data", (chunk: Uint8Array) => {
      try {
        demultiplexer.push(chunk);
      } catch (error) {
        if (!(error instanceof SyntaxError)) throw error;
        this.kill("lost");
      }
      if (this.#unrested >= REST_AFTER_BYTES) this.#rest();
    });
    this.#socket.on("drain", () => {
      clearTimeout(this.#stalled);
      this.#stalled = undefined;
    });
    // "close" follows, where it is dealt with.
    this.#socket.on("error", () => {});
    this.#socket.on("close", () => void this.#afterOutput());
  }

  /** Whether a line is handed on; a flood of lines ends the server. */
  #mayPass(maybeMessage: boolean): boolean {
    if (this.#lineBudget.take(maybeMessage ? 1 : GARBAGE_WEIGHT) === "pass") return true;
    if (this.#reason === undefined) this.kill("flood");
    return false;
  }

  #readStderr(payload: Uint8Array): void {
    this.#unrested += payload.length;
    switch (this.#stderrBudget.take(payload.length)) {
      case "pass":
        this.#splitters.stderr.push(payload);
        break;
      case "full":
        this.#splitters.stderr.end();
        this.#stderr.push("(more on stderr in this second was dropped)");
        break;
      case "drop":
        break;
    }
  }

  #rest(): void {
    this.#unrested = 0;
    this.#socket.pause();
    setTimeout(() => this.#socket.resume(), REST_MS);
  }

  /** A server that has closed its output, or an engine that has gone: nothing will come any more. */
  async #afterOutput(): Promise<void> {
    if (!(await within(DRAIN_MS, this.#watch.ended))) this.kill("lost");
  }

  async #end(): Promise<Exit> {
    const { code, oomKilled, signalled, ended, removed } = await this.#watch.gone;
    clearTimeout(this.#stalled);
    await within(DRAIN_MS, this.#socketClosed);
    this.#socket.destroy();
    this.#splitters.stdout.end();
    this.#splitters.stderr.end();
    this.#reason ??= !ended ? "lost" : signalled ? "outside" : "exit";
    // If only the connection broke, nothing may stay behind; else the reaper of the next start sees to it.
    if (!removed) void this.#attachment.remove().catch(() => {});
    await this.#attachment.release().catch(() => {});
    const reason = this.#reason;
    const { memoryBytes } = this.#attachment;
    const atLimit = memoryBytes !== undefined && (oomKilled || reason === "memory");
    return { code, oomKilled, reason, ...(atLimit && { memoryBytes }) };
  }

  async #remove(): Promise<void> {
    this.#socket.destroy();
    try {
      await this.#attachment.remove();
    } catch {
      // The engine hangs or is gone: stop waiting for it; the reaper of the next start removes the rest.
      this.#watch.close();
    }
  }

  #endsWithin(ms: number): Promise<boolean> {
    return within(ms, this.#watch.gone);
  }
}
