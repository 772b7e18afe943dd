import type * as v from "valibot";
import { GatewayError } from "../../src/errors.ts";
import { quote } from "../config/problem.ts";
import type {
  catalogItem,
  SecretFields,
  serverFile,
  ToolFields,
  VariableFields,
} from "./docker-fields.ts";
import type { CatalogEntry, EntryProgram, EntrySecret, EntryTool, EntryVariable } from "./entry.ts";
import { inputSchema } from "./input-schema.ts";
import type { SchemaNode } from "./parameters.ts";

type ServerFile = v.InferOutput<typeof serverFile>;
type CatalogItem = v.InferOutput<typeof catalogItem>;

/**
 * The entry of a file `server.yaml`.
 *
 * @throws {GatewayError} `config_invalid` when it says of no program how it is run.
 */
export function fromServerFile(file: ServerFile, place: string): CatalogEntry {
  const { name, about, meta, run, config, remote, oauth, requirement } = file;
  const misplaced: SchemaNode = {
    type: "object",
    properties: config?.properties,
    required: config?.required,
    anyOf: config?.anyOf,
  };
  const parameters = config?.parameters ?? misplaced;
  return {
    name,
    title: about?.title ?? name,
    description: about?.description ?? config?.description ?? "",
    category: meta?.category ?? "",
    tags: meta?.tags ?? [],
    program: programOf(file.type, { image: file.image, remote, oauth: oauth ?? [], scopes: [] }),
    command: asArguments(run?.command),
    env: [
      ...variablesOf(config?.env),
      ...Object.entries(run?.env ?? {}).map(([key, value]) => ({ name: key, value })),
    ],
    secrets: [...secretsOf(config?.secrets), ...misplacedSecrets(config?.env)],
    parameters: { ...parameters, anyOf: parameters.anyOf ?? config?.anyOf },
    volumes: [...run?.volumes ?? [], ...config?.volumes ?? []],
    user: run?.user,
    disableNetwork: run?.disableNetwork ?? false,
    allowHosts: run?.allowHosts ?? [],
    extraHosts: run?.extraHosts ?? [],
    isLongLived: file.longLived ?? false,
    tools: toolsOf(file.tools, file.type),
    notes: requirement === undefined ? [] : [`Needs ${requirement} beside it`],
    place,
  };
}

/**
 * The entry `name` of a `catalog.yaml`.
 *
 * @throws {GatewayError} `config_invalid` as `fromServerFile`.
 */
export function fromCatalogItem(name: string, item: CatalogItem, place: string): CatalogEntry {
  const { remote, sseEndpoint, metadata, policy } = item;
  const type = item.type ?? (remote || sseEndpoint ? "remote" : "server");
  const endpoint = remote ??
    (sseEndpoint === undefined
      ? undefined
      : { url: sseEndpoint, transport_type: "sse", headers: {} });
  const schemas = (item.config ?? []).filter((it) => it !== null && it !== undefined);
  return {
    name,
    title: item.title ?? name,
    description: item.description ?? "",
    category: textIn(metadata, "category") ?? "",
    tags: Array.isArray(metadata?.["tags"]) ? metadata["tags"].map(String) : [],
    program: programOf(type, {
      image: item.image,
      remote: endpoint,
      oauth: item.oauth?.providers ?? [],
      scopes: item.oauth?.scopes ?? [],
    }),
    command: asArguments(item.command),
    env: variablesOf(item.env),
    secrets: [...secretsOf(item.secrets), ...misplacedSecrets(item.env)],
    parameters: merged(schemas),
    volumes: item.volumes ?? [],
    user: item.user,
    disableNetwork: item.disableNetwork ?? false,
    allowHosts: item.allowHosts ?? [],
    extraHosts: item.extraHosts ?? [],
    isLongLived: item.longLived ?? false,
    tools: toolsOf(item.tools, type),
    notes: policy === undefined ? [] : ["Its field policy is not read here: approval is yours"],
    place,
  };
}

interface ProgramFields {
  readonly image: string | undefined;
  readonly remote: ServerFile["remote"];
  readonly oauth: readonly unknown[];
  readonly scopes: readonly string[];
}

function programOf(type: string, { image, remote, oauth, scopes }: ProgramFields): EntryProgram {
  switch (type) {
    case "server":
      if (image === undefined) throw unusable("it has no image");
      return { kind: "container", source: `image:${image}` };
    case "remote":
      if (remote === undefined) throw unusable("it has no remote.url");
      return {
        kind: "remote",
        url: remote.url,
        transport: transportOf(remote.transport_type),
        headers: remote.headers ?? {},
        isOAuth: oauth.length > 0,
        scopes,
      };
    case "poci":
      return { kind: "commands" };
    default:
      throw unusable(`its type ${quote(type)} is unknown, known are server, remote and poci`);
  }
}

function transportOf(name = "streamable-http"): "sse" | "streamable-http" {
  switch (name) {
    case "sse":
      return "sse";
    case "http":
    case "streamable":
    case "streaming":
    case "streamable-http":
      return "streamable-http";
    default:
      throw unusable(`its transport ${quote(name)} is unknown, known are sse and streamable-http`);
  }
}

function asArguments(command: readonly string[] | null | undefined) {
  return (command ?? []).map((template) => ({ template }));
}

/** Variables without a value are only named: the user may give one under `env`. */
function variablesOf(env: readonly VariableFields[] | null | undefined): readonly EntryVariable[] {
  return (env ?? []).flatMap(({ name, value, env: real }) =>
    real === undefined && typeof value === "string" ? [{ name, value }] : []
  );
}

function secretsOf(secrets: readonly SecretFields[] | null | undefined): readonly EntrySecret[] {
  return (secrets ?? []).map(({ name, env, required, description, example }) => ({
    name,
    variable: env,
    required: required ?? true,
    description,
    example,
  }));
}

/** A variable that names another variable is a secret in the wrong list. */
function misplacedSecrets(
  env: readonly VariableFields[] | null | undefined,
): readonly EntrySecret[] {
  return (env ?? []).flatMap(({ name, value, env: variable, required, description }) =>
    variable === undefined || typeof value === "string"
      ? []
      : [{ name, variable, required: required ?? true, description }]
  );
}

function toolsOf(
  tools: readonly ToolFields[] | null | undefined,
  type: string,
): readonly EntryTool[] {
  return (tools ?? []).map(({ name, description = "", container, parameters }) => {
    if (type !== "poci") return { name, description };
    if (container === undefined) throw unusable(`its tool ${quote(name)} has no container`);
    const { image, command, volumes, user } = container;
    return {
      name,
      description,
      container: {
        image,
        command: command ?? [],
        volumes: volumes ?? [],
        user,
        inputSchema: inputSchema(parameters),
      },
    };
  });
}

/** A catalog may split the schema of an entry into several. */
function merged(schemas: readonly SchemaNode[]): SchemaNode {
  return {
    type: "object",
    properties: Object.fromEntries(
      schemas.flatMap(({ properties }) => Object.entries(properties ?? {})),
    ),
    required: schemas.flatMap(({ required }) => required ?? []),
    anyOf: schemas.flatMap(({ anyOf }) => anyOf ?? []),
    oneOf: schemas.flatMap(({ oneOf }) => oneOf ?? []),
  };
}

function textIn(map: Readonly<Record<string, unknown>> | null | undefined, key: string) {
  const value = map?.[key];
  return typeof value === "string" ? value : undefined;
}

function unusable(why: string): GatewayError {
  return new GatewayError("config_invalid", why);
}
