/**
 * A server's process without a process: what is written to it is kept, and a test prints, fails and
 * ends in its place.
 *
 * @module
 */
import { GatewayError } from "../../src/errors.ts";
import type { ProcessExit, ServerProcess } from "../../runner/server/process.ts";

/** A message that was written to a pipe. */
export interface Message {
  readonly id?: number;
  readonly method?: string;
  readonly params?: { readonly [name: string]: unknown };
  readonly result?: unknown;
  readonly error?: unknown;
}

/** What the server at the far end does with each message; nothing unless given. */
export type Behaviour = (message: Message, pipe: Pipe) => void;

/** The far end of a process's streams. */
export class Pipe implements ServerProcess {
  readonly id = "c0ffee";
  /** Lines that reached stdin. */
  readonly lines: string[] = [];
  /** Grace of each `stop` so far. */
  readonly stops: number[] = [];
  /** While set, every write fails with it and nothing arrives. */
  broken: GatewayError | undefined;
  /** While true, `stop` waits until a test ends the process. */
  stubborn = false;
  readonly exited: Promise<ProcessExit>;
  readonly #behave: Behaviour;
  readonly #line: ((line: string) => void)[] = [];
  readonly #stderr: ((line: string) => void)[] = [];
  readonly #garbage: ((bytes: number) => void)[] = [];
  /** Whether it has ended. */
  ended = false;
  #exit: (exit: ProcessExit) => void = () => {};

  constructor(behave: Behaviour = () => {}) {
    this.#behave = behave;
    this.exited = new Promise((resolve) => this.#exit = resolve);
  }

  write(line: string): void {
    if (line.includes("\n")) throw new RangeError("Cannot write: the line has a newline");
    if (this.broken !== undefined) throw this.broken;
    this.lines.push(line);
    // As with a real process, no answer comes before the write has returned.
    queueMicrotask(() => this.#behave(JSON.parse(line) as Message, this));
  }

  onLine(listener: (line: string) => void): void {
    this.#line.push(listener);
  }

  onStderr(listener: (line: string) => void): void {
    this.#stderr.push(listener);
  }

  onGarbage(listener: (bytes: number) => void): void {
    this.#garbage.push(listener);
  }

  async stop(graceMs: number): Promise<void> {
    this.stops.push(graceMs);
    if (!this.stubborn) this.end({ reason: "closed", code: 137 });
    await this.exited;
  }

  /** Ends as the process would by itself, with exit code 0 unless said otherwise. */
  end(exit: Partial<ProcessExit> = {}): void {
    this.broken ??= new GatewayError("server_failed", "Cannot write: it has ended");
    this.ended = true;
    this.#exit({ code: 0, oomKilled: false, reason: "exit", ...exit });
  }

  /** Prints a line of stdout; an object becomes a JSON-RPC message. */
  say(line: string | object): void {
    const text = typeof line === "string" ? line : JSON.stringify({ jsonrpc: "2.0", ...line });
    for (const listener of this.#line) listener(text);
  }

  /** Prints a line of stderr. */
  complain(line: string): void {
    for (const listener of this.#stderr) listener(line);
  }

  /** Prints a line of stdout that is no text. */
  printBytes(bytes: number): void {
    for (const listener of this.#garbage) listener(bytes);
  }

  /** The messages that were written, with `method` if given. */
  received(method?: string): readonly Message[] {
    const messages = this.lines.map((line) => JSON.parse(line) as Message);
    return method === undefined ? messages : messages.filter((each) => each.method === method);
  }
}

/** A tool as a server lists it. */
export function tool(name: string): object {
  return { name, inputSchema: { type: "object" } };
}

/**
 * A server that does what is expected of it, with tools of these names; each answers with its name.
 * Methods in `instead` are done in another way.
 */
export function wellBehaved(
  names: readonly string[] = ["echo"],
  instead: Readonly<Record<string, Behaviour>> = {},
): Behaviour {
  const answers: Readonly<Record<string, Behaviour>> = {
    "server/discover": ({ id }, pipe) =>
      pipe.say({ id, error: { code: -32601, message: "Method not found" } }),
    initialize: ({ id }, pipe) =>
      pipe.say({ id, result: { protocolVersion: "2025-11-25", capabilities: { tools: {} } } }),
    "tools/list": ({ id }, pipe) => pipe.say({ id, result: { tools: names.map(tool) } }),
    "tools/call": ({ id, params }, pipe) =>
      pipe.say({ id, result: { content: [{ type: "text", text: params?.["name"] }] } }),
    ...instead,
  };
  return (message, pipe) => answers[message.method ?? ""]?.(message, pipe);
}

/** A well-behaved server that leaves every call to the test. */
export function hanging(): Behaviour {
  return wellBehaved(["echo"], { "tools/call": silent });
}

/** A server of MCP 2026-07-28 with these tools that leaves what is not in `instead` as `wellBehaved` does. */
export function modern(
  names: readonly string[] = ["echo"],
  instead: Readonly<Record<string, Behaviour>> = {},
  capabilities: object = { tools: {} },
): Behaviour {
  return wellBehaved(names, {
    "server/discover": ({ id }, pipe) =>
      pipe.say({
        id,
        result: { resultType: "complete", supportedVersions: ["2026-07-28"], capabilities },
      }),
    initialize: ({ id }, pipe) =>
      pipe.say({ id, error: { code: -32601, message: "Method not found" } }),
    ...instead,
  });
}

/** A behaviour that leaves a message unanswered. */
export const silent: Behaviour = () => {};
