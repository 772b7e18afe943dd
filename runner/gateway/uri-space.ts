/**
 * The URIs of all servers together. They stay as they are, but where two servers have the same one: then
 * the first in the order of the config keeps it, and the others are seen in rewritten form.
 *
 * @module
 */
import { matchesTemplate } from "../../src/mcp/uri-template.ts";
import { isUriAllowed } from "../../src/policy/uri-rules.ts";
import type { GatewayServer } from "./gateway-server.ts";
import { readRewritten, rewriteUri } from "./rewritten-uri.ts";

/**
 * Shared templates that each URI of a server is held against. A server with more has all its URIs
 * rewritten: thousands of templates by thousands of URIs would hold up the runner.
 */
const MAX_MATCHED = 8;

/** A resource or resource template of one server. */
export interface UriTarget {
  readonly server: GatewayServer;
  /** Its own URI or template. */
  readonly own: string;
}

/** The form in which clients see the URIs of one server. */
export type ExposeUri = (uri: string) => string;

/** All URIs that callers may use. */
export interface UriSpace {
  /** By exposed URI. */
  readonly resources: ReadonlyMap<string, UriTarget>;
  /** By exposed template, in order. */
  readonly templates: ReadonlyMap<string, UriTarget>;
  /** By server's name; without an entry its URIs are exposed as they are. */
  readonly rewriting: ReadonlyMap<string, ExposeUri>;
}

/** Puts the allowed URIs of these servers together. */
export function uriSpaceOf(servers: readonly GatewayServer[]): UriSpace {
  const resources = new Map<string, UriTarget>();
  const templates = new Map<string, UriTarget>();
  const rewriting = new Map<string, ExposeUri>();
  for (const entry of servers) {
    const uris = allowed(entry, "resources");
    const patterns = allowed(entry, "resourceTemplates");
    const { name } = entry.server;
    const taken = new Set(uris.filter((uri) => resources.has(uri) || isReserved(uri)));
    const shared = patterns.filter((it) => templates.has(it) || isReserved(it));
    for (const template of shared) taken.add(template);
    const matches = (uri: string): boolean =>
      shared.length > MAX_MATCHED || shared.some((it) => matchesTemplate(it, uri));
    const expose: ExposeUri = taken.size === 0
      ? (uri) => uri
      : (uri) => taken.has(uri) || matches(uri) ? rewriteUri(name, uri) : uri;
    if (taken.size > 0) rewriting.set(name, expose);
    for (const own of uris) resources.set(expose(own), { server: entry, own });
    for (const own of patterns) {
      const exposed = taken.has(own) ? rewriteUri(name, own) : own;
      templates.set(exposed, { server: entry, own });
    }
  }
  return { resources, templates, rewriting };
}

/** A server's own URIs or templates that the rules let through. */
function allowed(
  { server, rules }: GatewayServer,
  list: "resources" | "resourceTemplates",
): readonly string[] {
  return (server.lists?.[list] ?? []).map(({ key }) => key)
    .filter((key) => isUriAllowed(rules.resources, key));
}

/** Whether `uri` looks like one that we have rewritten: no server may pass for another. */
function isReserved(uri: string): boolean {
  return readRewritten(uri) !== undefined;
}
