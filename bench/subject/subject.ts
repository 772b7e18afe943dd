import type { Echo } from "../echo.ts";

/** A call that is ready to be sent, made before the clock starts. */
export interface Request {
  readonly id: number;
  readonly body: string;
  /** Text that the right answer contains, and no other. */
  readonly expected: string;
}

/** Something that answers the echo, by one path or another. */
export interface Subject {
  readonly name: string;
  prepare(echo: Echo): Request;
  /** Sends one request; any number may be under way. Resolves with the text of the answer. */
  send(request: Request): Promise<string>;
}

/** A subject did not answer, or not what it should have: the run is worth nothing. */
export class SubjectError extends Error {
  readonly subject: string;

  constructor(subject: string, message: string, options?: ErrorOptions) {
    super(`Cannot measure ${subject}: ${message}`, options);
    this.name = "SubjectError";
    this.subject = subject;
  }
}
