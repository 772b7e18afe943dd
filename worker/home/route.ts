/**
 * Which runner could serve what a call names, judged by what runners offer and what the caller may
 * see. target.ts asks; the runner judges again, by the same order and its own rules.
 *
 * @module
 */
import type { Offer } from "../../src/mcp/offer.ts";
import { MAX_CALL_SERVERS } from "../../src/tunnel/frame.ts";
import { matchesTemplate } from "../../src/mcp/uri-template.ts";
import { isGranted } from "./granted.ts";

/**
 * How surely a runner with `offer` serves something: 0 most surely; undefined not at all, or not for
 * this caller.
 */
export type Rank = (offer: Offer) => number | undefined;

/**
 * The servers of `offer` that `granted` lets a caller reach for the resource `uri`, for its runner, whose
 * lists may have changed since; undefined for all that it has. Of more than a call may name, the first.
 */
export function serversFor(
  { servers }: Offer,
  uri: string,
  granted: readonly string[],
): readonly string[] | undefined {
  if (granted.includes("*")) return undefined;
  return servers.filter((server) => isGranted(server, "resources", uri, granted))
    .slice(0, MAX_CALL_SERVERS).map(({ name }) => name);
}

/** By the exposed name of a tool or prompt that has been granted. */
export function byName(list: "tools" | "prompts", name: string): Rank {
  return ({ servers }) => {
    if (servers.some((server) => server[list].some(({ key }) => key === name))) return 0;
    // What a server that is not up has is left to its runner.
    return servers.some(({ listed, prefix }) => !listed && name.startsWith(prefix)) ? 1 : undefined;
  };
}

/**
 * By the URI of a resource: a runner that lists it, else one with a template for it, else one that reads
 * resources at all. What no list names a runner asks of its servers one after the other, of those that
 * `serversFor` tells it.
 */
export function byUri(uri: string, granted: readonly string[]): Rank {
  return ({ servers }) => {
    const lists = servers.find(({ resources }) => resources.some(({ key }) => key === uri));
    if (lists !== undefined) {
      return isGranted(lists, "resources", uri, granted) ? 0 : undefined;
    }
    const readers = servers.filter((server) =>
      (server.reads || !server.listed) && isGranted(server, "resources", uri, granted)
    );
    if (readers.length === 0) return undefined;
    const expands = readers.some(({ resourceTemplates }) =>
      resourceTemplates.some(({ key }) => matchesTemplate(key, uri))
    );
    return expands ? 1 : 2;
  };
}

/** By what a completion refers to as `ref/resource`: a template as it is listed, or a URI. */
export function byTemplate(uri: string, granted: readonly string[]): Rank {
  const asUri = byUri(uri, granted);
  return (offer) => {
    const lists = offer.servers.find(({ resourceTemplates }) =>
      resourceTemplates.some(({ key }) => key === uri)
    );
    if (lists === undefined) return asUri(offer);
    return isGranted(lists, "resourceTemplates", uri, granted) ? 0 : undefined;
  };
}
