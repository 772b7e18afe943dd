/**
 * The JSON-RPC peer of one MCP server over stdio (MCP basic/transports "stdio"): one message a line.
 * Requests carry our own ids, counted up; results and notifications are passed on as the text that
 * the server wrote. What is no message is counted and dropped: servers print such things.
 *
 * @module
 */
import { GatewayError } from "../../src/errors.ts";
import {
  MAX_SERVER_DEPTH,
  type Member,
  type Outline,
  rawMember,
  scan,
  stringMember,
} from "../../src/mcp/scan.ts";

/** Where lines go to and come from: a container's stdin and stdout. */
export interface LinePipe {
  write(line: string): void;
  onLine(listener: (line: string) => void): void;
}

/** What a request hears: notifications that name it, then one end. */
export interface Listener {
  /** `notifications/progress` for this request: the JSON text of its `params`. */
  progress(params: string): void;
  /** JSON text of the result, an object, and its outline's members. */
  result(result: string, members: ReadonlyMap<string, Member>): void;
  /** JSON text of the JSON-RPC error object. */
  error(error: string): void;
  /** The server is gone: there will be no answer. */
  lost(error: GatewayError): void;
}

/** What a server says on its own. */
export interface PeerEvents {
  /** A notification other than progress. */
  notified(method: string): void;
}

/** One server at the other end of a pipe. */
export class Peer {
  /** Lines of stdout that were no JSON-RPC message. */
  garbageLines = 0;
  readonly #pipe: LinePipe;
  readonly #events: PeerEvents;
  readonly #waiting = new Map<number, Listener>();
  #lastId = 0;
  #lost: GatewayError | undefined;

  constructor(pipe: LinePipe, events: PeerEvents) {
    this.#pipe = pipe;
    this.#events = events;
    pipe.onLine((line) => this.#receive(line));
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
    if (this.#lost !== undefined) throw this.#lost;
    const id = ++this.#lastId;
    this.#pipe.write(
      `{"jsonrpc":"2.0","id":${id},"method":${JSON.stringify(method)},"params":${params(id)}}`,
    );
    this.#waiting.set(id, listener);
    return (reason) => {
      if (!this.#waiting.delete(id) || this.#lost !== undefined) return;
      this.notify("notifications/cancelled", JSON.stringify({ requestId: id, reason }));
    };
  }

  /**
   * A request and its result.
   *
   * @returns The result's JSON text.
   * @throws {GatewayError} `server_failed` with the server's own message, or why the server is gone.
   */
  request(method: string, params: string): Promise<string> {
    return new Promise((resolve, reject) => {
      this.send(method, () => params, {
        progress: () => {},
        result: (result) => resolve(result),
        lost: reject,
        error: (error) =>
          reject(
            new GatewayError("server_failed", `The server answered ${method} with ${error}`),
          ),
      });
    });
  }

  /** Writes a notification; `params` is its JSON text. */
  notify(method: string, params = "{}"): void {
    this.#pipe.write(`{"jsonrpc":"2.0","method":${JSON.stringify(method)},"params":${params}}`);
  }

  /** The server is gone: every request that waits, and every later one, ends with `error`. */
  lose(error: GatewayError): void {
    if (this.#lost !== undefined) return;
    this.#lost = error;
    const listeners = [...this.#waiting.values()];
    this.#waiting.clear();
    for (const listener of listeners) listener.lost(error);
  }

  #receive(line: string): void {
    if (this.#lost !== undefined || line.trim() === "") return;
    let root: Outline;
    try {
      root = scan(line, { keep: 2, maxDepth: MAX_SERVER_DEPTH });
    } catch (error) {
      if (!(error instanceof GatewayError)) throw error;
      this.garbageLines++;
      return;
    }
    if (stringMember(line, root, "jsonrpc") !== "2.0") {
      this.garbageLines++;
      return;
    }
    const method = stringMember(line, root, "method");
    const id = rawMember(line, root, "id");
    if (method === undefined) this.#answer(line, root, id);
    else if (id === undefined) this.#notification(method, line, root);
    else this.#serve(method, id);
  }

  #answer(line: string, root: Outline, id: string | undefined): void {
    const key = Number(id);
    const listener = this.#waiting.get(key);
    // An answer to a request that was cancelled, or to none at all.
    if (listener === undefined) return;
    this.#waiting.delete(key);
    const result = root.members.get("result")?.value;
    if (result?.kind === "object") {
      listener.result(line.slice(result.start, result.end), result.members);
    } else {
      const error = root.members.get("error")?.value;
      listener.error(error?.kind === "object" ? line.slice(error.start, error.end) : UNREADABLE);
    }
  }

  #notification(method: string, line: string, root: Outline): void {
    if (method !== "notifications/progress") {
      this.#events.notified(method);
      return;
    }
    const params = root.members.get("params")?.value;
    if (params?.kind !== "object") return;
    const token = Number(rawMember(line, params, "progressToken"));
    this.#waiting.get(token)?.progress(line.slice(params.start, params.end));
  }

  /** Answers a request of the server: we declared no capabilities, so only `ping` has a result. */
  #serve(method: string, id: string): void {
    const outcome = method === "ping"
      ? '"result":{}'
      : '"error":{"code":-32601,"message":"Method not found"}';
    this.#pipe.write(`{"jsonrpc":"2.0","id":${id},${outcome}}`);
  }
}

const UNREADABLE = '{"code":-32603,"message":"The server sent an answer without result or error"}';
