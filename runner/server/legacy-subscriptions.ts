import { GatewayError, toGatewayError } from "../../src/errors.ts";
import type { LegacyInstance } from "./legacy-instance.ts";
import { IGNORED } from "./peer.ts";
import type { ResourceWatch } from "./resource-watch.ts";

/** Characters of a server's error that a message of ours quotes. */
const MAX_QUOTE_LENGTH = 500;

/** Where the subscriptions of a legacy server are made. */
export interface SubscriptionContext {
  /** Whether the server tells of updates; undefined while that is not known. */
  readonly tells: () => boolean | undefined;
  /** The plain process, started if need be. */
  readonly plain: () => Promise<LegacyInstance>;
}

/** `resources/subscribe` at a legacy server: once for each URI that somebody listens to. */
export class LegacySubscriptions {
  readonly #server: string;
  readonly #watch: ResourceWatch;
  readonly #context: SubscriptionContext;
  readonly #subscribed = new Map<string, LegacyInstance>();

  constructor(server: string, watch: ResourceWatch, context: SubscriptionContext) {
    this.#server = server;
    this.#watch = watch;
    this.#context = context;
  }

  /** Somebody listens to these. A server that tells nobody of updates is not asked: they hear nothing. */
  async add(uris: readonly string[]): Promise<void> {
    if (this.#context.tells() === false) return;
    try {
      const plain = await this.#context.plain();
      if (!plain.instance.capabilities.subscribe) return;
      const fresh = uris.filter((uri) => this.#watch.has(uri) && !this.#subscribed.has(uri));
      if (fresh.length === 0) return;
      if (![...this.#subscribed.values()].includes(plain)) {
        void plain.instance.ended.then(() => this.#lose(plain));
      }
      for (const uri of fresh) this.#subscribe(plain, uri);
    } catch (thrown) {
      this.#watch.end(toGatewayError(thrown), uris);
    }
  }

  /** Nobody listens to these any more. */
  remove(uris: readonly string[]): void {
    for (const uri of uris) {
      const at = this.#subscribed.get(uri);
      this.#subscribed.delete(uri);
      at?.instance.peer.ask("resources/unsubscribe", JSON.stringify({ uri }), IGNORED);
    }
  }

  #subscribe(plain: LegacyInstance, uri: string): void {
    const { peer } = plain.instance;
    this.#subscribed.set(uri, plain);
    peer.ask("resources/subscribe", JSON.stringify({ uri }), {
      ...IGNORED,
      error: (error) => {
        this.#subscribed.delete(uri);
        const quoted = error.slice(0, MAX_QUOTE_LENGTH);
        const what = "it answered resources/subscribe with";
        this.#watch.end(peer.failure(`${what} ${quoted}`, `${what} an error`), [uri]);
      },
    });
  }

  /** A process holds no subscription of the one before it: who listens must ask again. */
  #lose(plain: LegacyInstance): void {
    const lost = [...this.#subscribed].filter(([, at]) => at === plain).map(([uri]) => uri);
    for (const uri of lost) this.#subscribed.delete(uri);
    this.#watch.end(new GatewayError("server_failed", `Server "${this.#server}" has ended`), lost);
  }
}
