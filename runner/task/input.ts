/**
 * The questions that a server asks during one task, round by round: under keys of the task's own where
 * the server uses one again, and answered in as many parts as the client likes.
 *
 * @module
 */
import { GatewayError } from "../../src/errors.ts";
import { MAX_SERVER_DEPTH, scan } from "../../src/mcp/scan.ts";
import type { Input } from "../server/exchange.ts";

/** Most questions of one round: far above what anybody can answer. */
const MAX_QUESTIONS = 100;

/** A question without an answer. */
interface Question {
  /** The server's key. */
  readonly own: string;
  /** JSON text of the request. */
  readonly request: string;
}

/** What a task is asked. */
export class TaskInput {
  /** Every key that clients have seen: MCP SEP-2663 wants them unique for the task's lifetime. */
  readonly #seen = new Set<string>();
  readonly #open = new Map<string, Question>();
  #answers = new Map<string, string>();
  #state: string | undefined;

  /**
   * Begins a round.
   *
   * @param result JSON text of an InputRequiredResult.
   * @param state What the answers must bring along.
   * @throws {GatewayError} `server_failed` when it cannot be read.
   */
  ask(result: string, state: string | undefined): void {
    const questions = readQuestions(result);
    this.#open.clear();
    this.#answers = new Map();
    this.#state = state;
    for (const question of questions) {
      const key = this.#unused(question.own);
      this.#seen.add(key);
      this.#open.set(key, question);
    }
  }

  /** Whether a question has no answer. */
  get waiting(): boolean {
    return this.#open.size > 0;
  }

  /** JSON text of the questions without an answer; undefined if there are none. */
  get requests(): string | undefined {
    if (!this.waiting) return undefined;
    const members = [...this.#open].map(([key, { request }]) =>
      `${JSON.stringify(key)}:${request}`
    );
    return `{${members.join(",")}}`;
  }

  /**
   * Takes JSON texts of answers by key, and ignores those to keys that wait for none.
   *
   * @returns Whether it was the last answer of the round.
   */
  answer(responses: ReadonlyMap<string, string>): boolean {
    if (!this.waiting) return false;
    for (const [key, response] of responses) {
      const question = this.#open.get(key);
      if (question === undefined) continue;
      this.#open.delete(key);
      this.#answers.set(question.own, response);
    }
    return !this.waiting;
  }

  /** The answers of the round, under the server's own keys. */
  get input(): Input {
    return { state: this.#state, responses: this.#answers, errors: new Map() };
  }

  #unused(own: string): string {
    let key = own;
    for (let n = 2; this.#seen.has(key); n++) key = `${own}-${n}`;
    return key;
  }
}

/** The requests of an InputRequiredResult; none when it only asks to be called again with its state. */
function readQuestions(result: string): Question[] {
  try {
    const outline = scan(result, { keep: 2, maxDepth: MAX_SERVER_DEPTH, maxKept: 10_000 });
    const requests = [...outline.members.get("inputRequests")?.value.members ?? []];
    if (requests.length > MAX_QUESTIONS) {
      throw new GatewayError("invalid_request", `More than ${MAX_QUESTIONS} questions`);
    }
    return requests.map(([own, { value }]) => ({
      own,
      request: result.slice(value.start, value.end),
    }));
  } catch (cause) {
    throw new GatewayError(
      "server_failed",
      "Cannot go on with the task: the server asked for input in a form that nobody can read",
      { cause, executed: "unknown" },
    );
  }
}
