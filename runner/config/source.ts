import { GatewayError } from "../../src/errors.ts";
import type { CommandTool } from "./command-tool.ts";
import { quote } from "./problem.ts";

/** Where the program of a server comes from: an image as it is, or a package put into a local image. */
export type ContainerSource =
  | { readonly kind: "image"; readonly reference: string }
  | { readonly kind: "npm"; readonly package: string; readonly version?: string }
  | { readonly kind: "pypi"; readonly package: string; readonly version?: string };

/** A source whose server is described elsewhere: it is expanded to another one before it can run. */
export type CatalogSource =
  /** An entry of Docker's catalog, or of one of the config's own catalogs. */
  | { readonly kind: "docker"; readonly entry: string }
  /** A server of the official MCP registry; its latest version unless given. */
  | { readonly kind: "registry"; readonly name: string; readonly version?: string };

/** A server that needs no description from elsewhere. */
export type ConcreteSource =
  | ContainerSource
  /** An MCP endpoint somewhere else. */
  | { readonly kind: "http"; readonly url: string; readonly transport?: "sse" }
  /** A program that is started within a container which somebody else runs. */
  | { readonly kind: "running"; readonly container: string }
  /** Tools that are each one run of a container; only catalogs describe such servers. */
  | { readonly kind: "commands"; readonly tools: readonly CommandTool[] };

/** What a server is. */
export type ServerSource = ConcreteSource | CatalogSource;

/** How a source is written, for messages. */
export const SOURCE_GRAMMAR =
  "npm:<package>[@version], pypi:<package>[@version], image:<reference>, docker:<catalog entry>, " +
  "registry:<name>[@version], container:<name> or https://<host>/<path>";

/** Hosts of this machine, to which nobody else can listen. */
const LOOPBACK = /^(?:localhost|127(?:\.\d{1,3}){3}|\[::1\])$/;

const MAX_URL_LENGTH = 2048;

const MAX_REFERENCE_LENGTH = 512;

/** The limit of the npm registry. */
const MAX_PACKAGE_LENGTH = 214;

// The grammar of image references. Its parts cannot match the same text in two ways, so that the time
// stays linear.
const HOST = /^(?:[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?|\[[0-9A-Fa-f:]+\])(?::[0-9]{1,5})?$/;
const PART = "[a-z0-9]+(?:(?:\\.|_|__|-+)[a-z0-9]+)*";
const NAME = new RegExp(
  `^${PART}(?:/${PART})*(?::[A-Za-z0-9_][A-Za-z0-9_.-]{0,127})?(?:@sha256:[0-9a-f]{64})?$`,
);

// A name never begins with "-": package managers would read it as an option.
const PACKAGE = /^(?:@[a-z0-9][a-z0-9._~-]*\/)?[a-z0-9][a-z0-9._~-]*$/;

const CONTAINER = /^[A-Za-z0-9][A-Za-z0-9_.-]{0,127}$/;

// PEP 508: names begin and end with a letter or digit.
const PYPI_PACKAGE = /^[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?$/;

// What PEP 440 allows, without epochs, local versions and wildcards.
const PYPI_VERSION = /^\d{1,9}(?:\.\d{1,9}){0,4}(?:(?:a|b|rc)\d{1,9})?(?:\.(?:post|dev)\d{1,9})?$/;

const ENTRY = /^[A-Za-z0-9][A-Za-z0-9_.-]{0,127}$/;

// server.schema.json: a reverse domain name, a slash, a name.
const REGISTRY_NAME = /^[A-Za-z0-9][A-Za-z0-9.-]{0,127}\/[A-Za-z0-9][A-Za-z0-9._-]{0,127}$/;

const REGISTRY_VERSION = /^[0-9A-Za-z][0-9A-Za-z.+-]{0,127}$/;

const VERSION = /^\d{1,16}\.\d{1,16}\.\d{1,16}(?:-[0-9A-Za-z.-]{1,64})?(?:\+[0-9A-Za-z.-]{1,64})?$/;

/**
 * Reads the `source` of a server.
 *
 * @throws {GatewayError} `config_invalid`; the message says what is wrong and what is allowed.
 */
export function parseSource(text: string): ServerSource {
  const colon = text.indexOf(":");
  const scheme = colon < 0 ? "" : text.slice(0, colon);
  const rest = text.slice(colon + 1);
  switch (scheme) {
    case "image":
      return { kind: "image", reference: parseReference(rest) };
    case "npm":
      return parsePackage(rest, NPM);
    case "pypi":
      return parsePackage(rest, PYPI);
    case "docker":
      return parseEntry(rest);
    case "registry":
      return parseRegistry(rest);
    case "container":
      if (CONTAINER.test(rest)) return { kind: "running", container: rest };
      throw refused(`${quote(rest)} is not the name of a container, as docker ps shows it`);
    case "https":
    case "http":
      return { kind: "http", url: parseUrl(text) };
    case "":
      throw refused(
        `${quote(text)} does not say where the server comes from, write ${SOURCE_GRAMMAR}`,
      );
    default:
      throw refused(
        `${quote(text)} has the unknown scheme ${quote(scheme)}, write ${SOURCE_GRAMMAR}`,
      );
  }
}

/** The messages do not repeat the URL: its query may be private. */
function parseUrl(text: string): string {
  if (text.length > MAX_URL_LENGTH || !/^https?:\/\//.test(text) || !URL.canParse(text)) {
    throw refused("is not a URL, write one such as https://mcp.example.com/mcp");
  }
  const url = new URL(text);
  if (url.username !== "" || url.password !== "") {
    throw refused("has a user or password in its URL, write them as a header under headers");
  }
  if (url.hash !== "") throw refused("has a fragment in its URL, leave out # and what follows");
  if (url.protocol === "http:" && !LOOPBACK.test(url.hostname)) {
    throw refused(
      "is not encrypted, write https: (http: only for this machine, such as http://127.0.0.1:3000/mcp)",
    );
  }
  return url.href;
}

function parseReference(reference: string): string {
  if (isReference(reference)) return reference;
  if (isReference(reference.toLowerCase())) {
    throw refused(
      `${quote(reference)} has capital letters, write the name of an image in small ones`,
    );
  }
  throw refused(
    `${quote(reference)} is not an image, write image:[host/]name[:tag][@sha256:…]`,
  );
}

function isReference(text: string): boolean {
  if (text.length > MAX_REFERENCE_LENGTH) return false;
  const slash = text.indexOf("/");
  const first = text.slice(0, Math.max(slash, 0));
  // As the engine reads it: a first part is a host when it cannot be the name of an account.
  const hasHost = first === "localhost" || /[.:]/.test(first);
  return hasHost ? HOST.test(first) && NAME.test(text.slice(slash + 1)) : NAME.test(text);
}

/** What names and versions of a registry look like. */
interface PackageGrammar {
  readonly kind: "npm" | "pypi";
  /** What such a thing is called, for messages. */
  readonly called: string;
  readonly name: RegExp;
  readonly version: RegExp;
  /** How a name is written, for messages. */
  readonly written: string;
}

const NPM: PackageGrammar = {
  kind: "npm",
  called: "an npm package",
  name: PACKAGE,
  version: VERSION,
  written: "npm:name or npm:@scope/name",
};

const PYPI: PackageGrammar = {
  kind: "pypi",
  called: "a PyPI package",
  name: PYPI_PACKAGE,
  version: PYPI_VERSION,
  written: "pypi:name",
};

function parsePackage(text: string, grammar: PackageGrammar): ServerSource {
  const { kind, called, written } = grammar;
  // The first "@" of a scoped name belongs to the scope.
  const at = text.indexOf("@", 1);
  const name = at < 0 ? text : text.slice(0, at);
  if (name.length > MAX_PACKAGE_LENGTH || !grammar.name.test(name)) {
    throw refused(`${quote(name)} is not the name of ${called}, write ${written}`);
  }
  if (at < 0) return { kind, package: name };
  const version = text.slice(at + 1);
  if (grammar.version.test(version)) return { kind, package: name, version };
  throw refused(
    `${
      quote(version)
    } is not an exact version, write one such as @1.2.3 or leave it out for the newest`,
  );
}

function parseEntry(entry: string): ServerSource {
  if (ENTRY.test(entry)) return { kind: "docker", entry };
  throw refused(
    `${quote(entry)} is not the name of a catalog entry, "mcp-runner catalog ls" shows them`,
  );
}

function parseRegistry(text: string): ServerSource {
  const at = text.indexOf("@");
  const name = at < 0 ? text : text.slice(0, at);
  const version = at < 0 ? undefined : text.slice(at + 1);
  if (!REGISTRY_NAME.test(name)) {
    throw refused(
      `${quote(name)} is not the name of a server in the registry, such as io.github.ada/notes`,
    );
  }
  if (version === undefined) return { kind: "registry", name };
  if (REGISTRY_VERSION.test(version)) return { kind: "registry", name, version };
  throw refused(`${quote(version)} is not a version, write one such as @1.2.3`);
}

function refused(message: string): GatewayError {
  return new GatewayError("config_invalid", message);
}
