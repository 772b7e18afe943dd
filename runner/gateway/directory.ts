/**
 * Finds the servers that a call may reach. What the rules deny is not in it, so that it looks like what
 * does not exist. A server whose lists are not known yet is started if it may have what is asked for.
 *
 * @module
 */
import { type GatewayError, toGatewayError } from "../../src/errors.ts";
import {
  MAX_EXPOSED_LENGTH,
  MAX_NAME_LENGTH,
  MAX_URI_LENGTH,
  unknownName,
  unknownResource,
} from "../../src/mcp/name.ts";
import { matchesTemplate } from "../../src/mcp/uri-template.ts";
import { isAllowed } from "../../src/policy/allowlist.ts";
import { isUriAllowed } from "../../src/policy/uri-rules.ts";
import { type Catalogue, keepCatalogue } from "./catalogue.ts";
import type { GatewayServer } from "./gateway-server.ts";
import type { NamedTarget } from "./name-table.ts";
import { readRewritten } from "./rewritten-uri.ts";
import type { UriTarget } from "./uri-space.ts";

/** Templates of one server that a URI is held against: they decide only who is asked first. */
const MAX_TEMPLATES = 200;

/** Who may have a resource. */
export interface ResourceTargets {
  /** In the order in which they are to be asked; at least one. */
  readonly targets: readonly UriTarget[];
  /** Whether the first one lists the resource: then it alone has it. */
  readonly listed: boolean;
}

/** The servers of a gateway, by what they have. */
export class Directory {
  #servers: readonly GatewayServer[];
  /** What is known now. */
  readonly catalogue: () => Catalogue;

  constructor(servers: readonly GatewayServer[]) {
    this.#servers = servers;
    this.catalogue = keepCatalogue(() => this.#servers);
  }

  /** All of them, in the order of the config. */
  get servers(): readonly GatewayServer[] {
    return this.#servers;
  }

  /** From now on these are the servers; requests under way stay with the ones that they were given. */
  replace(servers: readonly GatewayServer[]): void {
    this.#servers = servers;
  }

  /** The server of this name. */
  server(name: string): GatewayServer | undefined {
    return this.#servers.find(({ server }) => server.name === name);
  }

  /**
   * The tool or prompt with this exposed name.
   *
   * @throws {GatewayError} `unknown_tool`; or why a server that may have it could not be started.
   */
  async named(list: "tools" | "prompts", name: string): Promise<NamedTarget> {
    const find = () => this.catalogue()[list].targets.get(name);
    const mayHave = ({ prefix, rules }: GatewayServer): boolean =>
      name.startsWith(prefix) && (isAllowed(rules[list], name.slice(prefix.length)) ||
        // A shortened name does not tell which one it stands for.
        (name.length === MAX_EXPOSED_LENGTH && rules[list].allow.length > 0));
    const kind = list === "tools" ? "tool" : "prompt";
    if (name.length > MAX_NAME_LENGTH) throw unknownName(kind, name);
    const found = find();
    if (found !== undefined) return found;
    const failures = await this.#start(mayHave);
    const started = find();
    if (started !== undefined) return started;
    throw failures[0] ?? unknownName(kind, name);
  }

  /**
   * The servers that may have the resource with this exposed URI: the one that lists it, else those
   * with a template that it may come from, then those that may read what they do not list.
   *
   * @param within Names of the servers that the caller may reach for it; all unless given.
   * @throws {GatewayError} `unknown_resource`; or why a server that may have it could not be started.
   */
  async resource(uri: string, within?: readonly string[]): Promise<ResourceTargets> {
    const listing = () => this.catalogue().uris.resources.get(uri);
    const { found, failures } = await this.#find(uri, listing, within);
    if (found !== undefined) return { targets: [found], listed: true };
    const targets = this.#unlisted(uri).filter(({ server }) => isWithin(server, within));
    if (targets.length > 0) return { targets, listed: false };
    throw failures[0] ?? unknownResource(uri);
  }

  /**
   * The template, or the resource, with this exposed text, as a completion names it.
   *
   * @throws {GatewayError} as `resource`.
   */
  async template(text: string, within?: readonly string[]): Promise<UriTarget> {
    const listing = () => {
      const { templates, resources } = this.catalogue().uris;
      return templates.get(text) ?? resources.get(text);
    };
    const { found, failures } = await this.#find(text, listing, within);
    if (found !== undefined) return found;
    throw failures[0] ?? unknownResource(text);
  }

  /**
   * What `listing` gives, now or once the servers that may list `text` have started.
   *
   * @throws {GatewayError} `unknown_resource` for a text that is too long, and for what a server lists that
   * the caller may not reach: nobody else is asked for it.
   */
  async #find(
    text: string,
    listing: () => UriTarget | undefined,
    within: readonly string[] | undefined,
  ): Promise<
    { readonly found: UriTarget | undefined; readonly failures: readonly GatewayError[] }
  > {
    if (text.length > MAX_URI_LENGTH) throw unknownResource(text);
    let found = listing();
    let failures: readonly GatewayError[] = [];
    if (found === undefined) {
      const own = readRewritten(text)?.own ?? text;
      failures = await this.#start((entry) =>
        isUriAllowed(entry.rules.resources, own) && isWithin(entry, within)
      );
      found = listing();
    }
    if (found !== undefined && !isWithin(found.server, within)) throw unknownResource(text);
    return { found, failures };
  }

  #unlisted(uri: string): readonly UriTarget[] {
    const { templates, rewriting } = this.catalogue().uris;
    const own = readRewritten(uri)?.own ?? uri;
    const readers = this.#servers.filter(({ server: { name, lists }, rules }) =>
      lists?.reads === true && isUriAllowed(rules.resources, own) &&
      // Under another URI than the one that it shows, a server's resource cannot be had.
      (rewriting.get(name)?.(own) ?? own) === uri
    );
    const matching = new Set<GatewayServer>();
    const looked = new Map<GatewayServer, number>();
    for (const [template, { server }] of templates) {
      const before = looked.get(server) ?? 0;
      looked.set(server, before + 1);
      if (before >= MAX_TEMPLATES || matching.has(server)) continue;
      if (matchesTemplate(template, uri)) matching.add(server);
    }
    const first = readers.filter((entry) => matching.has(entry));
    const rest = readers.filter((entry) => !matching.has(entry));
    return [...first, ...rest].map((server) => ({ server, own }));
  }

  /**
   * Starts the servers of unknown lists that may have what is asked for; gives why some could not. One that
   * is replaced while it starts has not failed: its successor is started.
   */
  async #start(mayHave: (entry: GatewayServer) => boolean): Promise<readonly GatewayError[]> {
    for (;;) {
      const servers = this.#servers;
      const cold = servers.filter((entry) => entry.server.lists === undefined && mayHave(entry));
      const starts = await Promise.allSettled(cold.map(({ server }) => server.start()));
      if (servers !== this.#servers) continue;
      return starts.flatMap((start) =>
        start.status === "rejected" ? [toGatewayError(start.reason)] : []
      );
    }
  }
}

function isWithin({ server }: GatewayServer, names: readonly string[] | undefined): boolean {
  return names === undefined || names.includes(server.name);
}
