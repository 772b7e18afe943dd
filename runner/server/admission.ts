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

/** Lets so many exchanges through at once, and the others one after the other, in their order. */
export class Admission {
  readonly #limits: AdmissionLimits;
  readonly #queue = new Set<Place>();
  readonly #inside = new Set<Place>();
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
    return this.#queue.size;
  }

  /**
   * @param go Called when it may begin, perhaps at once; must not throw.
   * @returns undefined when too many wait already: then it is never called.
   */
  enter(go: () => void): Ticket | undefined {
    const { concurrency, queue } = this.#limits;
    if (this.#inside.size >= concurrency && this.#queue.size >= queue) return undefined;
    const place: Place = {
      go,
      leave: () => {
        this.#queue.delete(place);
        if (this.#inside.delete(place)) this.#pump();
      },
    };
    this.#queue.add(place);
    this.#pump();
    return place;
  }

  /** One that ends at once makes room for the next without a deeper stack. */
  #pump(): void {
    if (this.#pumping) return;
    this.#pumping = true;
    try {
      while (this.#inside.size < this.#limits.concurrency) {
        const [next] = this.#queue;
        if (next === undefined) break;
        this.#queue.delete(next);
        this.#inside.add(next);
        next.go();
      }
    } finally {
      this.#pumping = false;
    }
  }
}
