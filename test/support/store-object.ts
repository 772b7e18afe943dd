/**
 * A worker for workerd with nothing but the store: the object named by the path keeps it, the front
 * reaches it through `remoteStore`, and the test reaches the front in the same way.
 * POST /<name>/clock sets the object's clock to the body.
 *
 * @module
 */
import { durableObjectStore, type ObjectStorage } from "../../worker/store/durable-object.ts";
import { type Fetcher, remoteStore, serveStore } from "../../worker/store/remote.ts";
import type { Store } from "../../worker/store/store.ts";

/** The Durable Object that keeps one store. */
export class StoreObject {
  readonly #store: Store;
  #now = 0;

  constructor(ctx: { readonly storage: ObjectStorage }) {
    this.#store = durableObjectStore(ctx.storage, { now: () => this.#now });
  }

  async fetch(request: Request): Promise<Response> {
    if (!request.url.endsWith("/clock")) return await serveStore(this.#store, request);
    this.#now = Number(await request.text());
    return new Response();
  }
}

interface Namespace {
  idFromName(name: string): unknown;
  get(id: unknown): Fetcher;
}

/** Made once for each object and used by all requests, as the front does. */
const stores = new Map<string, Store>();

// oxlint-disable-next-line import/no-default-export -- workerd looks for the front here
export default {
  async fetch(request: Request, env: { readonly STORE: Namespace }): Promise<Response> {
    const name = new URL(request.url).pathname.split("/")[1] ?? "";
    const stub = () => env.STORE.get(env.STORE.idFromName(name));
    if (request.url.endsWith("/clock")) return await stub().fetch(request);
    const store = stores.get(name) ?? remoteStore(stub);
    stores.set(name, store);
    return await serveStore(store, request);
  },
};
