import * as v from "valibot";
import { GatewayError } from "../../src/errors.ts";
import { RESERVED_PREFIX } from "../../src/mcp/meta.ts";
import { MAX_SERVER_DEPTH, type Outline, scan, spliceObject } from "../../src/mcp/scan.ts";
import type { ResourceListener } from "./exchange.ts";

/** Who listens to which resource of a server: each URI is watched once, however many listen. */
export class ResourceWatch {
  readonly #listeners = new Map<string, Set<ResourceListener>>();

  /** The URIs that somebody listens to. */
  get uris(): readonly string[] {
    return [...this.#listeners.keys()];
  }

  /** Whether somebody listens to this URI. */
  has(uri: string): boolean {
    return this.#listeners.has(uri);
  }

  /** @returns The URIs that nobody had listened to before. */
  add(uris: readonly string[], listener: ResourceListener): readonly string[] {
    const fresh: string[] = [];
    for (const uri of new Set(uris)) {
      const listeners = this.#listeners.get(uri);
      if (listeners === undefined) {
        this.#listeners.set(uri, new Set([listener]));
        fresh.push(uri);
      } else listeners.add(listener);
    }
    return fresh;
  }

  /** @returns The URIs that nobody listens to any more. */
  remove(uris: readonly string[], listener: ResourceListener): readonly string[] {
    const left: string[] = [];
    for (const uri of uris) {
      const listeners = this.#listeners.get(uri);
      if (listeners?.delete(listener) !== true || listeners.size > 0) continue;
      this.#listeners.delete(uri);
      left.push(uri);
    }
    return left;
  }

  /**
   * Tells of an update to those who listen to the resource, or to one that it is a part of.
   *
   * @param params JSON text of the params of `notifications/resources/updated`.
   */
  updated(params: string): void {
    const read = readUpdate(params);
    if (read === undefined) return;
    for (const [uri, listeners] of this.#listeners) {
      if (!isPartOf(read.uri, uri)) continue;
      for (const listener of listeners) listener.updated(read.uri, read.notification);
    }
  }

  /** Nothing more will come for these URIs: their listeners are told why, and forgotten. */
  end(error: GatewayError, uris: readonly string[] = this.uris): void {
    const told = new Set(uris.flatMap((uri) => [...this.#listeners.get(uri) ?? []]));
    for (const uri of uris) this.#listeners.delete(uri);
    for (const listener of told) listener.ended(error);
  }
}

/** Servers may tell of the part that has changed of what was subscribed to. */
function isPartOf(uri: string, whole: string): boolean {
  return uri === whole || uri.startsWith(whole.endsWith("/") ? whole : `${whole}/`);
}

function readUpdate(params: string): { uri: string; notification: string } | undefined {
  let outline: Outline;
  try {
    outline = scan(params, { keep: 2, maxDepth: MAX_SERVER_DEPTH });
  } catch (error) {
    // Empty params.
    if (!(error instanceof GatewayError)) throw error;
    return undefined;
  }
  const uri = v.safeParse(v.object({ uri: v.string() }), JSON.parse(params));
  if (!uri.success) return undefined;
  const own = withoutReserved(params, outline);
  return {
    uri: uri.output.uri,
    notification: `{"jsonrpc":"2.0","method":"notifications/resources/updated","params":${own}}`,
  };
}

/** The params without the `_meta` keys that are between the server and us. */
function withoutReserved(params: string, outline: Outline): string {
  const meta = outline.members.get("_meta")?.value;
  if (meta === undefined) return params;
  const reserved = [...meta.members.keys()].filter((key) => key.startsWith(RESERVED_PREFIX));
  const kept = spliceObject(params, meta, Object.fromEntries(reserved.map((key) => [key, null])));
  return spliceObject(params, outline, { _meta: kept === "{}" ? null : kept });
}
