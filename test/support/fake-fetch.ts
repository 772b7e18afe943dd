import { mock } from "node:test";

/** A request that was made. */
export interface Requested {
  readonly url: string;
  readonly init: RequestInit;
}

/** `fetch` that answers what a test gives it. */
export interface FakeFetch extends Disposable {
  readonly requests: readonly Requested[];
}

/** Puts a fake in the place of `fetch`; the real one is back at the end of the block. */
export function fakeFetch(answer: () => Response | Promise<Response>): FakeFetch {
  const requests: Requested[] = [];
  const mocked = mock.method(
    globalThis,
    "fetch",
    async (url: string | URL, init: RequestInit = {}) => {
      requests.push({ url: String(url), init });
      return await answer();
    },
  );
  return { requests, [Symbol.dispose]: () => mocked.mock.restore() };
}

/** A body that breaks off after `text`. */
export function brokenBody(text: string): ReadableStream<Uint8Array> {
  return new ReadableStream({
    start(controller) {
      controller.enqueue(new TextEncoder().encode(text));
    },
    pull(controller) {
      controller.error(new TypeError("terminated"));
    },
  });
}
