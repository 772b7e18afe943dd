/**
 * The object side of the store on Cloudflare; the front worker reaches it through remote.ts.
 *
 * @module
 */
import type { ObjectState } from "../platform/cloudflare.ts";
import { durableObjectStore } from "./durable-object.ts";
import { serveStore } from "./remote.ts";
import type { Store } from "./store.ts";

/** The Durable Object that keeps tokens and join codes of a deployment: one, named `store`. */
export class AccessStore {
  readonly #store: Store;

  constructor(state: ObjectState) {
    this.#store = durableObjectStore(state.storage);
  }

  fetch(request: Request): Promise<Response> {
    return serveStore(this.#store, request);
  }
}
