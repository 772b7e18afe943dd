/**
 * The store of a Durable Object as the front worker sees it: each method is one POST to the object.
 *
 *     front worker   remoteStore(() => stub)   { method, … }  →  { result } or { error }
 *     object         serveStore(store, request)
 *
 * Both ends are ours, but the object checks every request anyway: JSON turns `undefined` into `null`
 * and drops what it cannot say. Only the worker itself may reach `serveStore`; a client's request is
 * never passed on to the object that keeps the store.
 *
 * @module
 */
import * as v from "valibot";
import { GatewayError } from "../../src/errors.ts";
import { DEFAULT_LIST_LIMIT } from "./limits.ts";
import type { Store } from "./store.ts";

/** Where the requests go, in the eyes of the object; the host has no meaning. */
const STORE_URL = "https://store.internal/store";

/** The part of a Durable Object stub that the client uses. */
export interface Fetcher {
  fetch(request: Request): Promise<Response>;
}

const key = v.string();
const version = v.number();
const entry = v.object({ value: v.string(), version });

const call = v.variant("method", [
  v.strictObject({ method: v.literal("get"), key }),
  v.strictObject({
    method: v.literal("commit"),
    check: v.array(v.strictObject({ key, version })),
    set: v.array(v.strictObject({ key, value: v.string(), ttlMs: v.exactOptional(v.number()) })),
    del: v.array(key),
  }),
  v.strictObject({ method: v.literal("list"), prefix: v.string(), limit: v.number() }),
]);

type Call = v.InferOutput<typeof call>;

const results = {
  get: v.nullable(entry),
  commit: v.boolean(),
  list: v.array(v.tuple([key, entry])),
};

/**
 * A store that asks the object where `serveStore` answers.
 *
 * @param stub Gets a stub of the object, for each call anew: the platform lets no request use a stub
 * that another request made.
 */
export function remoteStore(stub: () => Fetcher): Store {
  return {
    async get(key) {
      return await ask(stub, { method: "get", key }, results.get) ?? undefined;
    },
    commit({ check = [], set = [], del = [] }) {
      const change = { check: [...check], set: [...set], del: [...del] };
      return ask(stub, { method: "commit", ...change }, results.commit);
    },
    list(prefix, limit = DEFAULT_LIST_LIMIT) {
      return ask(stub, { method: "list", prefix, limit }, results.list);
    },
  };
}

/**
 * Answers one request of `remoteStore` from `store`. What the store throws is thrown on, so that the
 * platform logs it here and fails the caller's `fetch`; only a bad request has an answer of its own.
 */
export async function serveStore(store: Store, request: Request): Promise<Response> {
  let parsed: Call;
  try {
    parsed = v.parse(call, await request.json());
  } catch {
    // Nobody but our own other end speaks here, so which part was wrong helps nobody.
    return refusal("Cannot read store request: it has no known shape");
  }
  try {
    return Response.json({ result: await answer(store, parsed) ?? null });
  } catch (error) {
    if (error instanceof RangeError) return refusal(error.message);
    throw error;
  }
}

function refusal(error: string): Response {
  return Response.json({ error }, { status: 400 });
}

function answer(store: Store, call: Call): Promise<unknown> {
  switch (call.method) {
    case "get":
      return store.get(call.key);
    case "commit":
      return store.commit(call);
    case "list":
      return store.list(call.prefix, call.limit);
  }
}

async function ask<Result extends v.GenericSchema>(
  stub: () => Fetcher,
  call: Call,
  result: Result,
): Promise<v.InferOutput<Result>> {
  let status: number;
  let body: unknown;
  try {
    const request = new Request(STORE_URL, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify(call),
    });
    const response = await stub().fetch(request);
    status = response.status;
    body = await response.json();
  } catch (cause) {
    throw unavailable(cause);
  }
  if (status === 400) throw new RangeError(v.parse(v.object({ error: v.string() }), body).error);
  const parsed = v.safeParse(v.object({ result }), body);
  if (!parsed.success) throw unavailable(new TypeError(`Store answered ${status}`));
  return parsed.output.result;
}

function unavailable(cause: unknown): GatewayError {
  return new GatewayError("store_unavailable", "Cannot reach the store: try again shortly", {
    cause,
  });
}
