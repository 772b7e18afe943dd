/**
 * The revisions with a handshake over HTTP: Streamable HTTP (MCP 2025-11-25 basic/transports) with a
 * session and a stream for what belongs to no request, else HTTP+SSE (sse.ts).
 *
 *     POST initialize ─ 2xx ──▶ POST initialized ──▶ GET stream, POSTs … ──▶ DELETE
 *          └─ 400, 404, 405 ──▶ GET, event `endpoint` ──▶ POSTs there   (at once with `transport: sse`)
 *
 * @module
 */
import * as v from "valibot";
import type { Clock } from "../../src/clock.ts";
import { GatewayError } from "../../src/errors.ts";
import { SESSION_HEADER, VERSION_HEADER } from "../../src/mcp/header.ts";
import { stringMember } from "../../src/mcp/scan.ts";
import type { StreamEnd } from "./answer.ts";
import type { UpstreamContext } from "./context.ts";
import { follow } from "./follow.ts";
import type { HttpAnswer } from "./http-client.ts";
import { cancelledId, type OutgoingLine, outlineOf } from "./line.ts";
import type { HeaderFields } from "./mirror.ts";
import { carry, isSuccess, POST_HEADERS, type Posting, tell } from "./post.ts";
import { readRefusal, type Refusal } from "./refusal.ts";
import { openEventStream } from "./sse.ts";
import type { Flight } from "./traffic.ts";

/** Failures in a row after which a broken answer is given up. */
const MAX_FAILED_RESUMES = 5;

/** Notifications and answers of ours that are on their way at a time. */
const MAX_TOLD = 512;

/** Least time to end the session when we stop, in milliseconds. */
const DELETE_MS = 1_000;

/** Characters of an upstream's error that the operator sees. */
const MAX_QUOTE_LENGTH = 500;

/** Codes that only a stateless revision gives: an upstream that uses them speaks one. */
const MODERN_CODES = [-32020, -32021, -32022];

const METHOD_NOT_FOUND = -32601;

/** Code of SDK servers for whatever is wrong with the HTTP request. */
const BAD_REQUEST = -32000;

/** Session ids and versions go back in headers. */
const visible = v.pipe(v.string(), v.regex(/^[\x21-\x7e]{1,1024}$/));

/** One session with a legacy upstream; see the module. */
export class Session {
  readonly #context: UpstreamContext;
  #id: string | undefined;
  #version: string | undefined;
  /** Where HTTP+SSE wants its POSTs; undefined over Streamable HTTP. */
  #endpoint: URL | undefined;
  /** Nothing may overtake `notifications/initialized`: servers refuse what comes before. */
  #ready: Promise<unknown> = Promise.resolve();
  #told = 0;
  #begun = false;

  constructor(context: UpstreamContext) {
    this.#context = context;
  }

  /** Sends a message. Throws a `GatewayError` if it cannot. */
  send(line: OutgoingLine): void {
    if (line.kind === "request") {
      const initialize = line.method === "initialize";
      this.#begun ||= initialize;
      const learn = (answer: string): void => this.#learn(answer);
      const flight = this.#context.traffic.open(line, initialize ? learn : undefined);
      void this.#ready.then(() => flight.over ? undefined : this.#request(flight));
      return;
    }
    // A stateless upstream must not ask, and whoever asks there must not be answered.
    if (!this.#begun) return;
    if (this.#told >= MAX_TOLD) throw this.#context.http.failure("it takes no messages");
    this.#told++;
    const told = this.#ready.then(() => this.#tell(line)).finally(() => void this.#told--);
    if (line.method === "notifications/initialized") {
      this.#ready = told.then(() => void this.#listen());
    }
  }

  /** Ends the session at the upstream, within `graceMs` milliseconds or a little more. */
  async close(graceMs: number, clock: Clock): Promise<void> {
    if (this.#id === undefined) return;
    const abort = new AbortController();
    const cancel = clock.after(Math.max(graceMs, DELETE_MS), () => abort.abort());
    try {
      const { signal } = abort;
      const { headers } = this.#posting();
      const answer = await this.#context.http.send({ method: "DELETE", headers, signal });
      await answer.drop();
    } catch {
      // It forgets the session by itself some day.
    } finally {
      cancel();
    }
  }

  #posting(): Posting {
    if (this.#endpoint !== undefined) return { url: this.#endpoint, headers: POST_HEADERS };
    const headers: HeaderFields = {
      ...POST_HEADERS,
      ...(this.#id !== undefined && { [SESSION_HEADER]: this.#id }),
      ...(this.#version !== undefined && { [VERSION_HEADER]: this.#version }),
    };
    return { headers };
  }

  /** Reads what was agreed on from the answer to `initialize`. */
  #learn(line: string): void {
    const result = outlineOf(line, 2)?.members.get("result")?.value;
    const version = result && stringMember(line, result, "protocolVersion");
    if (v.is(visible, version)) this.#version = version;
  }

  async #request(flight: Flight): Promise<void> {
    const { http, traffic } = this.#context;
    const { line: { text: body, method }, abort: { signal } } = flight;
    try {
      if (method === "initialize" && this.#context.transport === "sse") {
        this.#endpoint ??= await openEventStream(this.#context);
        if (this.#endpoint === undefined) {
          return traffic.fail(flight, http.failure("it does not speak HTTP+SSE, check the URL"));
        }
      }
      const answer = await http.send({ method: "POST", body, signal, ...this.#posting() });
      if (isSuccess(answer)) return await this.#read(flight, answer);
      const refusal = await readRefusal(answer, http);
      if (method === "initialize" && await this.#fallsBack(refusal)) {
        return await this.#request(flight);
      }
      if (this.#isEnd(refusal)) {
        const { error } = refusal;
        const said = typeof error === "string" ? error : error.message;
        traffic.stderr.push(said.slice(0, MAX_QUOTE_LENGTH));
        traffic.fail(flight, http.failure("its session has ended: try again"));
        this.#context.ended();
      } else traffic.fail(flight, refusal.error);
    } catch (error) {
      traffic.fail(flight, error);
    }
  }

  async #read(flight: Flight, answer: HttpAnswer): Promise<void> {
    const { http, traffic } = this.#context;
    // The answer comes on the stream.
    if (this.#endpoint !== undefined) return answer.drop();
    if (flight.line.method === "initialize") {
      const id = answer.header(SESSION_HEADER);
      if (id !== undefined && !v.is(visible, id)) {
        answer.close();
        return traffic.fail(flight, http.failure("its session id cannot go back in a header"));
      }
      this.#id = id;
    }
    const end = await carry(this.#context, flight, answer);
    if (end === undefined) return;
    if (end.lastEventId !== undefined) await this.#resume(flight, end);
    traffic.fail(flight, http.lost("it ended its answer before the result", end.broken));
  }

  /** Goes on with an answer that was broken off, or that the upstream wants to be asked for. */
  async #resume(flight: Flight, from: StreamEnd): Promise<void> {
    const { http, traffic } = this.#context;
    let refused: HttpAnswer | undefined;
    try {
      refused = await follow({
        ...this.#context,
        headers: this.#posting().headers,
        from,
        event: ({ type, data }) => {
          if (type === "message") traffic.deliver(data);
          return flight.over;
        },
        maxFailures: MAX_FAILED_RESUMES,
        signal: flight.abort.signal,
      });
    } catch (error) {
      if (error instanceof GatewayError && error.code === "result_too_large") throw error;
      // Whatever went wrong now, the request itself had arrived.
      throw http.lost("the rest of its answer could not be fetched", error);
    }
    if (refused === undefined || !this.#isEnd(await readRefusal(refused, http))) return;
    traffic.fail(flight, http.lost("its session has ended"));
    this.#context.ended();
  }

  async #tell(line: OutgoingLine): Promise<void> {
    const cancelled = line.method === "notifications/cancelled" ? cancelledId(line) : undefined;
    const refusal = await tell(this.#context, line, this.#posting());
    // Who is told that nobody waits need not answer, nor end the stream that the answer was to come on.
    const flight = cancelled === undefined ? undefined : this.#context.traffic.find(cancelled);
    if (flight !== undefined) this.#context.traffic.withdraw(flight);
    if (refusal !== undefined && this.#isEnd(refusal)) this.#context.ended();
  }

  /** Keeps a stream open for what belongs to no request, if the upstream has one. */
  async #listen(): Promise<void> {
    if (this.#endpoint !== undefined) return;
    const { http, traffic, signal } = this.#context;
    try {
      const refused = await follow({
        ...this.#context,
        headers: this.#posting().headers,
        event: ({ type, data }) => {
          if (type === "message") traffic.deliver(data);
          return false;
        },
        maxFailures: Infinity,
      });
      if (refused !== undefined && this.#isEnd(await readRefusal(refused, http))) {
        this.#context.ended();
      }
    } catch (error) {
      if (signal.aborted) return;
      traffic.stderr.push(error instanceof Error ? error.message : String(error));
    }
  }

  /** Whether the upstream takes `initialize` over HTTP+SSE, as it refuses it here. */
  async #fallsBack({ status, code }: Refusal): Promise<boolean> {
    if (this.#endpoint !== undefined || ![400, 404, 405].includes(status)) return false;
    if (code !== undefined && MODERN_CODES.includes(code)) return false;
    this.#endpoint = await openEventStream(this.#context);
    return this.#endpoint !== undefined;
  }

  /**
   * Whether a refusal means that the upstream does not know the session any more. 404 says so (MCP
   * 2025-11-25 basic/transports "Session Management"); many servers that were restarted answer 400.
   */
  #isEnd({ status, code }: Refusal): boolean {
    if (this.#id === undefined) return false;
    return (status === 404 && code !== METHOD_NOT_FOUND) ||
      (status === 400 && code === BAD_REQUEST);
  }
}
