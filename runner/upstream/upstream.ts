/**
 * A remote MCP server behind the same lines as one in a container. Made by launch.ts.
 *
 *     line ── names a revision in _meta ──▶ modern.ts ──┐
 *        └── else ──▶ session.ts (sse.ts) ──────────────┴──▶ traffic.ts ──▶ onLine
 *
 * @module
 */
import { GatewayError } from "../../src/errors.ts";
import type { Clock } from "../../src/clock.ts";
import type { ProcessExit, ServerProcess } from "../server/process.ts";
import { HeldBytes } from "./held-bytes.ts";
import type { HttpClient } from "./http-client.ts";
import { type OutgoingLine, readOutgoing } from "./line.ts";
import { Modern } from "./modern.ts";
import { Session } from "./session.ts";
import { Traffic } from "./traffic.ts";

const METHOD_NOT_FOUND = -32601;

/** One upstream; see the module. */
export class Upstream implements ServerProcess {
  readonly id: string;
  readonly exited: Promise<ProcessExit>;
  readonly #http: HttpClient;
  readonly #clock: Clock;
  readonly #traffic: Traffic;
  readonly #modern: Modern;
  readonly #session: Session;
  readonly #transport: "sse" | undefined;
  readonly #life = new AbortController();
  #reason: ProcessExit["reason"] | undefined;
  #exit: (exit: ProcessExit) => void = () => {};

  /** @param transport `sse` for HTTP+SSE alone. */
  constructor(http: HttpClient, clock: Clock, transport?: "sse") {
    this.id = http.url.origin;
    this.#http = http;
    this.#traffic = new Traffic(http);
    this.#clock = clock;
    this.#transport = transport;
    const context = {
      http,
      clock,
      held: new HeldBytes(),
      traffic: this.#traffic,
      transport,
      signal: this.#life.signal,
      ended: () => void this.#end("exit"),
    };
    this.#modern = new Modern(context);
    this.#session = new Session(context);
    this.exited = new Promise((resolve) => this.#exit = resolve);
  }

  write(text: string): void {
    if (this.#reason !== undefined) {
      throw new GatewayError("server_failed", "Cannot write to the server: its session has ended");
    }
    const line = readOutgoing(text);
    if (line.method === "notifications/cancelled" && this.#modern.cancel(line)) return;
    if (line.version === undefined) this.#session.send(line);
    else if (this.#transport === "sse") this.#refuse(line);
    else this.#modern.send(line);
  }

  onLine(listener: (line: string) => void): void {
    this.#traffic.lines.listen(listener);
  }

  failureOf(error: string): GatewayError | undefined {
    return this.#traffic.failureOf(error);
  }

  onGarbage(listener: (bytes: number) => void): void {
    this.#traffic.garbage.listen(listener);
  }

  onStderr(listener: (line: string) => void): void {
    this.#traffic.stderr.listen(listener);
  }

  async stop(graceMs: number): Promise<void> {
    await this.#end("closed", graceMs);
    await this.exited;
  }

  /** Answers for an upstream whose transport is older than the revision of the message. */
  #refuse(line: OutgoingLine): void {
    if (line.kind !== "request") return;
    const error = { code: METHOD_NOT_FOUND, message: "Method not found" };
    this.#traffic.fail(this.#traffic.open(line), JSON.stringify(error));
  }

  /** Ends everything that is under way, tells the upstream if it was us who ended it, and exits. */
  async #end(reason: ProcessExit["reason"], graceMs = 0): Promise<void> {
    if (this.#reason !== undefined) return;
    this.#reason = reason;
    this.#life.abort();
    this.#traffic.close();
    if (reason === "closed") await this.#session.close(graceMs, this.#clock);
    await this.#http.close();
    this.#exit({ code: null, oomKilled: false, reason });
  }
}
