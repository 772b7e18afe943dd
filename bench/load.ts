/**
 * Puts a steady load on a subject: a number of callers, each of which sends its next call when its
 * last one was answered and found right.
 *
 * @module
 */
import type { Echo } from "./echo.ts";
import { percentile } from "./statistics.ts";
import { type Request, type Subject, SubjectError } from "./subject/subject.ts";

/** Milliseconds within which at least one call must be answered. */
const SILENCE_MS = 30_000;

/** What to do. */
export interface LoadOptions {
  readonly calls: number;
  /** Callers, and so calls in flight. */
  readonly inFlight: number;
  readonly nextEcho: () => Echo;
  readonly signal: AbortSignal;
}

/** How it went. */
export interface Measured {
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly callsPerSecond: number;
}

/**
 * Runs one load to its end.
 *
 * @throws {SubjectError} When a call fails, is answered wrongly, or for 30 s none is answered.
 */
export async function runLoad(subject: Subject, options: LoadOptions): Promise<Measured> {
  const { calls, inFlight, nextEcho, signal } = options;
  const requests = Array.from({ length: calls }, () => subject.prepare(nextEcho()));
  const latenciesMs = new Float64Array(calls);
  let next = 0;
  let answered = 0;

  async function caller(): Promise<void> {
    while (next < calls && !signal.aborted) {
      const index = next++;
      const request = requests[index];
      if (request === undefined) return;
      const sentAt = performance.now();
      const answer = await subject.send(request);
      latenciesMs[index] = performance.now() - sentAt;
      check(subject, request, answer);
      answered++;
    }
  }

  const startedAt = performance.now();
  const callers = Promise.all(Array.from({ length: inFlight }, caller));
  await unlessSilent(subject, () => answered, callers);
  const elapsedMs = performance.now() - startedAt;
  signal.throwIfAborted();
  return {
    p50Ms: percentile(latenciesMs, 0.5),
    p99Ms: percentile(latenciesMs, 0.99),
    callsPerSecond: calls / elapsedMs * 1_000,
  };
}

/**
 * Sends one call.
 *
 * @returns Milliseconds to its answer, which was right.
 * @throws {SubjectError} As `runLoad`.
 */
export async function timeCall(subject: Subject, echo: Echo): Promise<number> {
  const request = subject.prepare(echo);
  const sentAt = performance.now();
  const answer = await unlessSilent(subject, () => 0, subject.send(request));
  const elapsedMs = performance.now() - sentAt;
  check(subject, request, answer);
  return elapsedMs;
}

function check(subject: Subject, request: Request, answer: string): void {
  if (answer.includes(request.expected)) return;
  throw new SubjectError(
    subject.name,
    `it answered call ${request.id} with ${answer.slice(0, 300) || "nothing"}`,
  );
}

/** Waits for `work`, as long as `answered` goes up. */
async function unlessSilent<T>(
  subject: Subject,
  answered: () => number,
  work: Promise<T>,
): Promise<T> {
  const { promise: silent, reject } = Promise.withResolvers<never>();
  let before = answered();
  const timer = setInterval(() => {
    const now = answered();
    if (now > before) before = now;
    else reject(new SubjectError(subject.name, `no answer within ${SILENCE_MS / 1_000} s`));
  }, SILENCE_MS);
  try {
    return await Promise.race([work, silent]);
  } catch (error) {
    if (error instanceof SubjectError) throw error;
    const cause = error instanceof Error ? error.message : String(error);
    throw new SubjectError(subject.name, cause, { cause: error });
  } finally {
    clearInterval(timer);
  }
}
