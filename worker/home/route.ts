/**
 * Which runner could serve what a call names, judged by what runners offer and what the caller may
 * see. target.ts asks; the runner judges again, by the same order and its own rules.
 *
 * @module
 */
import { resourceScope } from "../../src/mcp/name.ts";
import type { Offer, OfferedServer } from "../../src/mcp/offer.ts";
import { matchesTemplate } from "../../src/mcp/uri-template.ts";
import { matchesAny } from "../../src/policy/pattern.ts";

/**
 * How surely a runner with `offer` serves something: 0 most surely; undefined not at all, or not for
 * this caller.
 */
export type Rank = (offer: Offer) => number | undefined;

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
 * resources at all. What no list names a runner asks of its servers one after the other, so that all of
 * those must have been granted.
 */
export function byUri(uri: string, granted: readonly string[]): Rank {
  const isGranted = ({ name }: OfferedServer): boolean =>
    matchesAny(granted, resourceScope(name, uri));
  return ({ servers }) => {
    const lists = servers.find(({ resources }) => resources.some(({ key }) => key === uri));
    if (lists !== undefined) return isGranted(lists) ? 0 : undefined;
    const readers = servers.filter(({ reads, listed }) => reads || !listed);
    if (readers.length === 0 || !readers.every(isGranted)) return undefined;
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
    return matchesAny(granted, resourceScope(lists.name, uri)) ? 0 : undefined;
  };
}
