/** How much a server does at once. */
export interface AdmissionLimits {
  /** Exchanges that it carries out at once. */
  readonly concurrency: number;
  /** Exchanges that may wait. */
  readonly queue: number;
}

/** An exchange that was let in, or waits for it. */
export interface Ticket {
  /** It has ended, or nobody waits for it any more: its place is free. */
  leave(): void;
}

interface Place extends Ticket {
  readonly go: () => void;
}

/**
 * Lets so many exchanges through at once. The others wait: those of one client in their order, and clients
 * take turns, so that one with many calls does not keep the others waiting for all of them.
 */
export class Admission {
  readonly #limits: AdmissionLimits;
  /** Those of each client that waits; the client whose turn it is comes first. */
  readonly #queues = new Map<string, Set<Place>>();
  readonly #inside = new Set<Place>();
  #waiting = 0;
  #pumping = false;

  constructor(limits: AdmissionLimits) {
    this.#limits = limits;
  }

  /** Exchanges that are carried out. */
  get inside(): number {
    return this.#inside.size;
  }

  /** Exchanges that wait. */
  get waiting(): number {
    return this.#waiting;
  }

  /**
   * @param client Whose exchange it is.
   * @param go Called when it may begin, perhaps at once; must not throw.
   * @returns undefined when too many wait already: then it is never called.
   */
  enter(client: string, go: () => void): Ticket | undefined {
    const { concurrency, queue } = this.#limits;
    if (this.#inside.size >= concurrency && this.#waiting >= queue) return undefined;
    const place: Place = {
      go,
      leave: () => {
        this.#remove(client, place);
        if (this.#inside.delete(place)) this.#pump();
      },
    };
    if (this.#waiting === 0 && this.#inside.size < concurrency) {
      this.#inside.add(place);
      go();
      return place;
    }
    const waiting = this.#queues.get(client);
    if (waiting === undefined) this.#queues.set(client, new Set([place]));
    else waiting.add(place);
    this.#waiting++;
    this.#pump();
    return place;
  }

  #remove(client: string, place: Place): void {
    const waiting = this.#queues.get(client);
    if (waiting?.delete(place) !== true) return;
    this.#waiting--;
    if (waiting.size === 0) this.#queues.delete(client);
  }

  /** Takes the first of the client whose turn it is; the others of that client wait for its next turn. */
  #next(): Place | undefined {
    for (const [client, waiting] of this.#queues) {
      const [place] = waiting;
      if (place === undefined) continue;
      this.#remove(client, place);
      if (this.#queues.delete(client)) this.#queues.set(client, waiting);
      return place;
    }
    return undefined;
  }

  /** One that ends at once makes room for the next without a deeper stack. */
  #pump(): void {
    if (this.#pumping) return;
    this.#pumping = true;
    try {
      while (this.#inside.size < this.#limits.concurrency) {
        const next = this.#next();
        if (next === undefined) break;
        this.#inside.add(next);
        next.go();
      }
    } finally {
      this.#pumping = false;
    }
  }
}
