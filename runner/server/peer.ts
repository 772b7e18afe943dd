/**
 * The JSON-RPC peer of one MCP server over stdio (MCP basic/transports "stdio"): one message a line.
 * Requests carry our own ids, counted up; results and notifications are passed on as the text that
 * the server wrote. What is no message is counted and dropped: servers print such things.
 *
 * @module
 */
import { GatewayError } from "../../src/errors.ts";
import type { Member } from "../../src/mcp/scan.ts";
import { type Outcome, readMessage } from "./message.ts";

/** Where lines go to and come from: a container's stdin and stdout. */
export interface LinePipe {
  /** Throws a `GatewayError` when the line cannot be written. */
  write(line: string): void;
  onLine(listener: (line: string) => void): void;
  /** The failure of ours that the JSON text of an error stands for; undefined if it is the server's own. */
  failureOf?(error: string): GatewayError | undefined;
}

/** What a request hears: notifications that name it, then one end. */
export interface Listener {
  /** Whether it is a call, which has a deadline; a request of our own unless given. */
  readonly isCall?: boolean;
  /** `notifications/progress` for this request: the JSON text of its `params`. */
  progress(params: string): void;
  /** JSON text of the result, an object, and its outline's members. */
  result(result: string, members: ReadonlyMap<string, Member>): void;
  /** JSON text of the JSON-RPC error object. */
  error(error: string): void;
  /** The server is gone: there will be no answer. */
  lost(error: GatewayError): void;
}

/** For requests of which nobody waits for the answer. */
export const IGNORED: Listener = {
  progress: () => {},
  result: () => {},
  error: () => {},
  lost: () => {},
};

/** A request of the server, which waits for one answer of ours. */
export interface Ask {
  readonly method: string;
  /** Its JSON text; empty when it has none. */
  readonly params: string;
  /** JSON text of its id, by which the server may take it back with `notifications/cancelled`. */
  readonly id: string;
  /** Answers with the JSON text of a result; a server that is gone is not told. */
  answer(result: string): void;
  /** Answers with the JSON text of a JSON-RPC error object; a server that is gone is not told. */
  refuse(error: string): void;
}

/** What a peer needs to know. */
export interface PeerContext {
  /** Name of the server, for messages. */
  readonly server: string;
  /** Called for a notification other than progress, with the JSON text of its params, or empty. */
  readonly notified: (method: string, params: string) => void;
  /** Called for a request of the server; `answerAlone` unless given. */
  readonly asked?: (ask: Ask) => void;
  /** Called for each line that is no message. */
  readonly garbage?: () => void;
  /**
   * Called when a request has reached its deadline and nothing was heard since it was written, unless an
   * older one still has time.
   */
  readonly silent?: () => void;
}

/** Why a request is withdrawn when its time is over. */
export const DEADLINE = "Deadline";

const METHOD_NOT_FOUND = '{"code":-32601,"message":"Method not found"}';

/** Answers a server that asks outside of any exchange: only `ping` has a result. */
export function answerAlone(ask: Ask): void {
  if (ask.method === "ping") ask.answer("{}");
  else ask.refuse(METHOD_NOT_FOUND);
}

/** Characters of a server's error that a message of ours quotes. */
const MAX_QUOTE_LENGTH = 500;

/** One server at the other end of a pipe. */
export class Peer {
  /** Name of the server. */
  readonly server: string;
  /** Lines of stdout that were no JSON-RPC message, or answers to requests that were never sent. */
  garbageLines = 0;
  readonly #pipe: LinePipe;
  readonly #context: PeerContext;
  readonly #waiting = new Map<number, Listener>();
  readonly #progressing = new Map<number, Listener>();
  #lastId = 0;
  #heard = 0;
  #lost: GatewayError | undefined;

  constructor(pipe: LinePipe, context: PeerContext) {
    this.server = context.server;
    this.#pipe = pipe;
    this.#context = context;
    pipe.onLine((line) => this.#receive(line));
  }

  /** Whether the server is gone. */
  get lost(): boolean {
    return this.#lost !== undefined;
  }

  /** How often anything came from the server, whatever it was. */
  get heard(): number {
    return this.#heard;
  }

  /** Something came from the server by another way than as a line of stdout. */
  hear(): void {
    this.#heard++;
  }

  /** The server has said something that is no message. */
  garbage(): void {
    this.garbageLines++;
    this.#context.garbage?.();
  }

  /** Requests that the server has not answered yet. */
  get inFlight(): number {
    return this.#waiting.size;
  }

  /**
   * Writes a request.
   *
   * @param params Its JSON text, made with the id that the request will have, so that it can name
   * itself as progress token.
   * @returns Tells the server that nobody waits any more; the listener hears nothing afterwards.
   * @throws {GatewayError} when the server is gone or does not read: nothing was sent then.
   */
  send(
    method: string,
    params: (id: number) => string,
    listener: Listener,
  ): (reason: string) => void {
    if (this.#lost !== undefined) {
      const { code, message, brief } = this.#lost;
      throw new GatewayError(code, message, { executed: "no", brief });
    }
    const id = ++this.#lastId;
    this.#write(
      `{"jsonrpc":"2.0","id":${id},"method":${JSON.stringify(method)},"params":${params(id)}}`,
    );
    this.#waiting.set(id, listener);
    const heard = this.#heard;
    return (reason) => {
      if (!this.#waiting.delete(id)) return;
      this.#tryNotify(id, reason);
      if (reason === DEADLINE && this.#heard === heard && !this.#worksSince(id)) {
        this.#context.silent?.();
      }
    };
  }

  /**
   * A request of our own and its result.
   *
   * @returns The result's JSON text.
   * @throws {GatewayError} `server_failed` with the server's own message, or why the server is gone.
   */
  request(method: string, params: string): Promise<string> {
    return new Promise((resolve, reject) => {
      this.ask(method, params, {
        progress: () => {},
        result: (result) => resolve(result),
        lost: reject,
        error: (error) =>
          reject(
            this.failureOf(error) ??
              this.failure(
                `it answered ${method} with ${error.slice(0, MAX_QUOTE_LENGTH)}`,
                `it answered ${method} with an error`,
              ),
          ),
      });
    });
  }

  /** A request of our own. A server that cannot be written to is told of by its end, or by `lost` at once. */
  ask(method: string, params: string, listener: Listener): void {
    try {
      this.send(method, () => params, listener);
    } catch (error) {
      if (!(error instanceof GatewayError)) throw error;
      // A server that takes no input is about to end, and its end tells more than this does.
      if (this.#lost === undefined) this.#waiting.set(this.#lastId, listener);
      else listener.lost(this.#lost);
    }
  }

  /** Tells a listener of progress of a request that was answered, until the returned function is called. */
  followProgress(id: number, listener: Listener): () => void {
    this.#progressing.set(id, listener);
    return () => void this.#progressing.delete(id);
  }

  /** Writes a notification; `params` is its JSON text. Throws as `send` does. */
  notify(method: string, params = "{}"): void {
    this.#write(`{"jsonrpc":"2.0","method":${JSON.stringify(method)},"params":${params}}`);
  }

  /** The failure of ours that the JSON text of an error stands for; undefined if it is the server's own. */
  failureOf(error: string): GatewayError | undefined {
    return this.#pipe.failureOf?.(error);
  }

  /** That the server cannot be used because of `cause`; `brief` is what strangers are told of that. */
  failure(cause: string, brief = cause): GatewayError {
    const what = `Cannot use server "${this.server}": `;
    return new GatewayError("server_failed", what + cause, { brief: what + brief });
  }

  /** The server is gone: every request that waits, and every later one, ends with `error`. */
  lose(error: GatewayError): void {
    if (this.#lost !== undefined) return;
    this.#lost = error;
    const listeners = [...this.#waiting.values()];
    this.#waiting.clear();
    for (const listener of listeners) listener.lost(error);
  }

  /**
   * Every message is one line. In JSON a line break can only stand between two tokens, where a space
   * means the same; written as it is, a bare CR would let a caller put a whole message of their own
   * before a server that takes it for the end of a line, as Python's text streams do.
   */
  #write(message: string): void {
    this.#pipe.write(message.replace(/[\r\n]/g, " "));
  }

  /**
   * Whether a call that was sent before `id` still waits. It may be what the server works on, deaf to all
   * else: that is found out when its own time is over.
   */
  #worksSince(id: number): boolean {
    for (const [older, { isCall }] of this.#waiting) {
      if (older < id && isCall === true) return true;
    }
    return false;
  }

  #tryNotify(requestId: number, reason: string): void {
    try {
      this.notify("notifications/cancelled", JSON.stringify({ requestId, reason }));
    } catch (error) {
      // The server does not read any more: it cannot be told, and nobody waits for it.
      if (!(error instanceof GatewayError)) throw error;
    }
  }

  #receive(line: string): void {
    this.#heard++;
    if (this.#lost !== undefined || line.trim() === "") return;
    const message = readMessage(line);
    switch (message?.kind) {
      case "answer":
        this.#answer(message.id, message.outcome);
        return;
      case "progress":
        (this.#waiting.get(message.token) ?? this.#progressing.get(message.token))
          ?.progress(message.params);
        return;
      case "notification":
        this.#context.notified(message.method, message.params);
        return;
      case "request":
        (this.#context.asked ?? answerAlone)(this.#ask(message));
        return;
      case undefined:
        this.garbage();
    }
  }

  #answer(id: number, outcome: Outcome): void {
    const listener = this.#waiting.get(id);
    if (listener === undefined) {
      // The answer to a request that was cancelled is only late.
      if (!(Number.isInteger(id) && id > 0 && id <= this.#lastId)) this.garbage();
      return;
    }
    this.#waiting.delete(id);
    if ("result" in outcome) listener.result(outcome.result, outcome.members);
    else listener.error(outcome.error);
  }

  #ask({ method, params, id }: { method: string; params: string; id: string }): Ask {
    const reply = (outcome: string): void => {
      try {
        this.#write(`{"jsonrpc":"2.0","id":${id},${outcome}}`);
      } catch (error) {
        // It asks and does not read, or has just been told to end.
        if (!(error instanceof GatewayError)) throw error;
      }
    };
    return {
      method,
      params,
      id,
      answer: (result) => reply(`"result":${result}`),
      refuse: (error) => reply(`"error":${error}`),
    };
  }
}
