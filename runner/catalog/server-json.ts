/**
 * Servers of the official MCP registry: `server.json`, schema 2025-12-11.
 *
 *     packages (npm, pypi, oci over stdio; the first that can be run) → a program in a container
 *     else remotes → a server at a URL
 *     inputs → parameters, or secrets where isSecret is set
 *
 * @module
 */
import * as v from "valibot";
import { GatewayError } from "../../src/errors.ts";
import { quote } from "../config/problem.ts";
import type { CatalogEntry, EntryProgram } from "./entry.ts";
import { fields, flag, listOf, maybe, shown, text } from "./field.ts";
import { Inputs } from "./server-json-inputs.ts";
import { dockerOptions } from "./server-json-options.ts";

const input = {
  description: shown,
  isRequired: v.optional(flag),
  isSecret: v.optional(flag),
  format: v.optional(text),
  value: v.optional(text),
  default: v.optional(text),
  placeholder: shown,
  choices: v.nullish(v.array(text)),
};

const variables = v.nullish(v.record(text, fields(input)), {});

const keyValue = fields({ ...input, name: text, variables });

const argument = fields({
  ...input,
  type: v.picklist(["named", "positional"]),
  name: v.optional(text),
  valueHint: v.optional(text),
  isRepeated: v.optional(flag),
  variables,
});

const transport = fields({
  type: text,
  url: v.optional(text),
  headers: listOf(keyValue),
  variables,
});

const pack = fields({
  registryType: text,
  registryBaseUrl: v.optional(text),
  identifier: text,
  version: v.optional(text),
  fileSha256: v.optional(text),
  runtimeHint: shown,
  transport,
  runtimeArguments: listOf(argument),
  packageArguments: listOf(argument),
  environmentVariables: listOf(keyValue),
});

/** A file `server.json`. */
export const serverJson = fields({
  $schema: shown,
  name: v.pipe(text, v.regex(/^[A-Za-z0-9.-]{1,128}\/[A-Za-z0-9._-]{1,128}$/, "is no name")),
  title: shown,
  description: shown,
  version: text,
  status: shown,
  websiteUrl: shown,
  repository: maybe(fields({ url: shown, source: shown, id: shown, subfolder: shown })),
  icons: v.optional(v.unknown()),
  packages: listOf(pack),
  remotes: listOf(transport),
  _meta: v.optional(v.unknown()),
});

/** An input that a person may have to give. */
export type InputFields = v.InferOutput<ReturnType<typeof fields<typeof input>>>;

/** A variable or a header. */
export type KeyValueFields = v.InferOutput<typeof keyValue>;

/** An argument of a program. */
export type ArgumentFields = v.InferOutput<typeof argument>;

type ServerJson = v.InferOutput<typeof serverJson>;
type Package = v.InferOutput<typeof pack>;
type Transport = v.InferOutput<typeof transport>;

/** Where packages of a type come from, if nothing else is said. */
const REGISTRIES: Readonly<Record<string, RegExp>> = {
  npm: /^https:\/\/registry\.npmjs\.org\/?$/,
  pypi: /^https:\/\/(?:pypi\.org|pypi\.python\.org)(?:\/simple)?\/?$/,
};

/**
 * The entry of a `server.json`.
 *
 * @throws {GatewayError} `config_invalid` when none of its packages and remotes can be used.
 */
export function fromServerJson(server: ServerJson, place: string): CatalogEntry {
  const whyNot: string[] = [];
  for (const one of server.packages ?? []) {
    const why = packageProblem(one);
    if (why === undefined) return packageEntry(server, one, place);
    whyNot.push(why);
  }
  for (const one of server.remotes ?? []) {
    const transport = one.type === "sse" || one.type === "streamable-http" ? one.type : undefined;
    if (transport !== undefined && one.url !== undefined) {
      return remoteEntry(server, { ...one, type: transport, url: one.url }, place);
    }
    whyNot.push(`a remote of the transport ${quote(one.type)} is not supported`);
  }
  throw new GatewayError(
    "config_invalid",
    whyNot.length === 0 ? "it has neither packages nor remotes" : whyNot.join(", "),
  );
}

/** Why a package cannot be run; undefined if it can. */
function packageProblem(one: Package): string | undefined {
  const { registryType, registryBaseUrl, fileSha256, version } = one;
  const what = `its ${registryType} package`;
  if (one.transport.type !== "stdio") {
    return `${what} speaks ${quote(one.transport.type)} and not stdio, which is not supported`;
  }
  if (registryType === "oci") return undefined;
  const registry = REGISTRIES[registryType];
  if (registry === undefined) {
    return `packages of the type ${
      quote(registryType)
    } are not supported, only npm, pypi and oci are`;
  }
  if (registryBaseUrl !== undefined && !registry.test(registryBaseUrl)) {
    return `${what} is in a registry of its own, which is not supported`;
  }
  if (fileSha256 !== undefined) return `${what} names a fileSha256, which cannot be checked here`;
  if (version === undefined || version === "latest") return `${what} names no version`;
  return undefined;
}

function packageEntry(server: ServerJson, one: Package, place: string): CatalogEntry {
  const inputs = new Inputs(server.name);
  const env = (one.environmentVariables ?? []).flatMap((it) => inputs.variable(it));
  const command = (one.packageArguments ?? []).flatMap((it) => inputs.argument(it));
  const runtime = one.runtimeArguments ?? [];
  const options = one.registryType === "oci"
    ? dockerOptions(runtime, inputs)
    : { env: [], volumes: [], notes: runtimeNotes(runtime) };
  const program: EntryProgram = { kind: "container", source: sourceOf(one) };
  return {
    ...described(server, place),
    program,
    command,
    env: [...env, ...options.env],
    volumes: options.volumes,
    secrets: inputs.secrets,
    parameters: inputs.parameters,
    notes: options.notes,
  };
}

function remoteEntry(
  server: ServerJson,
  remote: Transport & { readonly type: "sse" | "streamable-http"; readonly url: string },
  place: string,
): CatalogEntry {
  const inputs = new Inputs(server.name);
  const url = inputs.template(remote.url, remote.variables);
  if (url.includes("${")) {
    throw new GatewayError("config_invalid", "its URL holds a secret, which is not supported");
  }
  const headers = (remote.headers ?? []).map((it) => [it.name, inputs.header(it)] as const);
  return {
    ...described(server, place),
    program: {
      kind: "remote",
      url,
      transport: remote.type,
      headers: Object.fromEntries(headers),
      isOAuth: false,
      scopes: [],
    },
    secrets: inputs.secrets,
    parameters: inputs.parameters,
  };
}

function described(server: ServerJson, place: string): Omit<CatalogEntry, "program"> {
  const { name, title, description, version } = server;
  return {
    name,
    title: title ?? name,
    description: description ?? "",
    category: "",
    tags: [],
    command: [],
    env: [],
    secrets: [],
    parameters: {},
    volumes: [],
    disableNetwork: false,
    allowHosts: [],
    extraHosts: [],
    isLongLived: false,
    tools: [],
    notes: server.status === "deprecated" ? [`Version ${version} is deprecated`] : [],
    place,
  };
}

/** As the source of a server is written; runner/catalog/expand.ts reads it, and refuses what it is not. */
function sourceOf({ registryType, registryBaseUrl, identifier, version }: Package): string {
  if (registryType !== "oci") return `${registryType}:${identifier}@${version ?? ""}`;
  const host = registryBaseUrl?.replace(/^https:\/\//, "").replace(/\/$/, "");
  const isWhole = /^[^/]*[.:][^/]*\//.test(identifier) || host === undefined ||
    host === "docker.io";
  const reference = isWhole ? identifier : `${host}/${identifier}`;
  const hasTag = reference.includes("@") || /:[^/]+$/.test(reference);
  return `image:${reference}${hasTag || version === undefined ? "" : `:${version}`}`;
}

function runtimeNotes(runtime: readonly ArgumentFields[]): readonly string[] {
  return runtime.flatMap(({ name, value }) => {
    const what = name ?? value ?? "";
    return ["-y", "--yes", ""].includes(what)
      ? []
      : [`Its runtime argument ${quote(what)} is not used: packages are installed beforehand`];
  });
}
