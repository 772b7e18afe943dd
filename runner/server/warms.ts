import type { GatewayError } from "../../src/errors.ts";
import { toGatewayError } from "../../src/errors.ts";
import { type StopReason, Warm, type WarmContext, type WarmOptions } from "./warm.ts";

/** Every set of processes of one server, also those that are about to end. */
export class Warms {
  readonly #context: WarmContext;
  readonly #failed: (error: GatewayError) => void;
  readonly #all = new Set<Warm>();
  readonly #ending = new Map<Warm, Promise<void>>();

  /** @param failed Called when processes cannot be stopped. */
  constructor(context: WarmContext, failed: (error: GatewayError) => void) {
    this.#context = context;
    this.#failed = failed;
  }

  /** All of them, the oldest first. */
  get all(): readonly Warm[] {
    return [...this.#all];
  }

  /** Makes the set that sees to the lists. */
  makeListing(options: WarmOptions): Warm {
    return this.#add(new Warm(this.#context, options));
  }

  /** Makes one that lists nothing for others: what it shows is of one client alone. */
  makePrivate(options: WarmOptions): Warm {
    const { listMemory: _, ...context } = this.#context;
    const changed = (): void => {};
    return this.#add(new Warm({ ...context, changed, listedElsewhere: true }, options));
  }

  /** Ends one for good; resolves when nothing of it is left. Never rejects. */
  end(warm: Warm, reason: StopReason): Promise<void> {
    const known = this.#ending.get(warm);
    if (known !== undefined) return known;
    const ending = warm.stop(reason).catch((error: unknown) => this.#failed(toGatewayError(error)))
      .finally(() => {
        this.#all.delete(warm);
        this.#ending.delete(warm);
      });
    this.#ending.set(warm, ending);
    return ending;
  }

  /** Ends all for good; resolves when nothing of them is left. */
  async stop(reason: StopReason): Promise<void> {
    await Promise.all(this.all.map((warm) => this.end(warm, reason)));
  }

  #add(warm: Warm): Warm {
    this.#all.add(warm);
    return warm;
  }
}
