/**
 * What the streams of one session have said lately, so that a client whose connection broke gets the
 * rest. It lives in memory alone: after a restart of the worker no stream can be taken up again, and
 * its calls are gone as well.
 *
 * @module
 */

/** Most messages that are kept for a session. */
const MAX_MESSAGES = 256;

/** Longest that messages of a session may be together, in UTF-16 code units; one result may be longer. */
const MAX_LENGTH = 1024 * 1024;

/** Longest that the messages of all sessions of a home may be together, in UTF-16 code units. */
const MAX_TOTAL_LENGTH = 32 * 1024 * 1024;

/** What the buffers of one home have in common. */
export interface ReplayTotal {
  /** How much they hold together, in UTF-16 code units. */
  length: number;
  /** Lets go of what is too old in any of them; called when they are full. */
  readonly sweep: () => void;
}

/** A message as it stands in its stream. */
export interface Kept {
  readonly stream: string;
  /** Its place in the stream. */
  readonly place: number;
  readonly message: string;
}

/** The last messages of one session, the oldest first. */
export class ReplayBuffer {
  readonly #total: ReplayTotal;
  #kept: Kept[] = [];
  #length = 0;
  /** The one message that is longer than all the others may be together. */
  #long: Kept | undefined;
  #closed = false;

  constructor(total: ReplayTotal) {
    this.#total = total;
  }

  /** Keeps a message, in place of older ones if there is no room. */
  keep(kept: Kept): void {
    const { length } = kept.message;
    if (this.#total.length + length > MAX_TOTAL_LENGTH) this.#total.sweep();
    // Perhaps by that very sweep.
    if (this.#closed) return;
    if (length > MAX_LENGTH) {
      if (this.#long !== undefined) this.#forget(this.#long);
      this.#long = undefined;
      if (this.#total.length + length > MAX_TOTAL_LENGTH) return;
      this.#long = kept;
      this.#total.length += length;
      return;
    }
    while (this.#kept.length >= MAX_MESSAGES || this.#length + length > MAX_LENGTH) this.#shift();
    // Other sessions have filled the home: newer messages of this one take the place of its own.
    while (this.#kept.length > 0 && this.#total.length + length > MAX_TOTAL_LENGTH) this.#shift();
    if (this.#total.length + length > MAX_TOTAL_LENGTH) return;
    this.#kept.push(kept);
    this.#length += length;
    this.#total.length += length;
  }

  /** What `stream` said after `place` and is still kept. */
  after(stream: string, place: number): readonly Kept[] {
    const all = this.#long === undefined ? this.#kept : [...this.#kept, this.#long];
    return all.filter((kept) => kept.stream === stream && kept.place > place)
      .toSorted((one, other) => one.place - other.place);
  }

  /** Lets go of everything that `stream` said. */
  drop(stream: string): void {
    const gone = this.#kept.filter((kept) => kept.stream === stream);
    this.#kept = this.#kept.filter((kept) => kept.stream !== stream);
    for (const kept of gone) {
      this.#length -= kept.message.length;
      this.#forget(kept);
    }
    if (this.#long?.stream === stream) {
      this.#forget(this.#long);
      this.#long = undefined;
    }
  }

  /** Lets go of everything, now and from now on. */
  close(): void {
    this.#closed = true;
    for (const stream of new Set([...this.#kept, this.#long].map((kept) => kept?.stream))) {
      if (stream !== undefined) this.drop(stream);
    }
  }

  #shift(): void {
    const oldest = this.#kept.shift();
    if (oldest === undefined) return;
    this.#length -= oldest.message.length;
    this.#forget(oldest);
  }

  #forget({ message }: Kept): void {
    this.#total.length -= message.length;
  }
}
