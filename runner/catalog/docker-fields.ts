/**
 * The fields of Docker's two formats: `server.yaml` of docker/mcp-registry, and the entries of a
 * `catalog.yaml` (versions 2 and 3). Fields that have no meaning here are known all the same, so that
 * only a new one or a misspelt one is told.
 *
 * @module
 */
import * as v from "valibot";
import { fields, flag, listOf, maybe, shown, shownList, text, texts } from "./field.ts";
import type { SchemaNode } from "./parameters.ts";

const alternative = fields({ required: v.optional(v.array(text)) });

/** Schema of a parameter, or of all of them. */
export const schemaNode: v.GenericSchema<unknown, SchemaNode | null | undefined> = v.nullish(
  fields({
    name: shown,
    type: v.optional(text),
    title: shown,
    description: shown,
    default: v.optional(v.unknown()),
    example: v.optional(v.unknown()),
    examples: v.optional(v.unknown()),
    format: shown,
    enum: v.optional(v.array(text)),
    pattern: v.optional(text),
    minimum: v.optional(text),
    maximum: v.optional(text),
    items: v.optional(v.lazy(() => childNode)),
    properties: v.optional(v.record(text, v.lazy(() => childNode))),
    required: v.optional(v.array(text)),
    additionalProperties: v.optional(v.unknown()),
    anyOf: v.optional(v.array(alternative)),
    oneOf: v.optional(v.array(alternative)),
  }),
);

const childNode: v.GenericSchema<unknown, SchemaNode> = v.pipe(
  schemaNode,
  v.transform((it) => it ?? {}),
);

const secret = fields({
  name: text,
  env: text,
  example: shown,
  description: shown,
  required: v.optional(flag),
});

const variable = fields({
  name: text,
  value: v.nullish(text),
  example: v.optional(v.unknown()),
  // Seen in a few files of the registry.
  env: v.optional(text),
  default: v.optional(v.unknown()),
  description: shown,
  required: v.optional(flag),
});

/** Tools, for show; only those with a `container` are run by what is said here. */
const tool = fields({
  name: text,
  description: shown,
  title: shown,
  arguments: v.optional(v.unknown()),
  annotations: v.optional(v.unknown()),
  enabled: v.optional(v.unknown()),
  container: v.optional(fields({
    image: text,
    command: listOf(text),
    volumes: listOf(text),
    user: v.optional(text),
  })),
  // Passed on as it is: what it holds is JSON Schema.
  parameters: v.optional(v.record(text, v.unknown())),
});

const remote = fields({
  transport_type: v.optional(text),
  url: text,
  headers: texts,
});

const provider = fields({
  provider: text,
  secret: v.optional(text),
  env: v.optional(text),
});

const dynamic = fields({ tools: v.optional(flag) });

/** A file `server.yaml`. */
export const serverFile = fields({
  name: text,
  image: v.optional(text),
  type: text,
  longLived: v.optional(flag),
  requirement: shown,
  meta: maybe(fields({ category: shown, tags: shownList })),
  about: maybe(fields({ title: shown, description: shown, icon: shown })),
  source: maybe(fields({
    project: shown,
    commit: shown,
    branch: shown,
    directory: shown,
    dockerfile: shown,
    upstream: shown,
    buildTarget: shown,
  })),
  run: maybe(fields({
    command: listOf(text),
    volumes: listOf(text),
    user: v.optional(text),
    env: texts,
    allowHosts: listOf(text),
    extraHosts: listOf(text),
    disableNetwork: v.optional(flag),
    // Seen in one file; nothing is published here.
    ports: shownList,
  })),
  config: maybe(fields({
    description: shown,
    secrets: listOf(secret),
    env: listOf(variable),
    parameters: schemaNode,
    // Seen in a file each: what belongs under parameters or run.
    type: v.optional(text),
    properties: v.optional(v.record(text, v.lazy(() => childNode))),
    required: v.optional(v.array(text)),
    anyOf: v.optional(v.array(alternative)),
    volumes: listOf(text),
  })),
  oauth: listOf(provider),
  remote: v.optional(remote),
  dynamic: maybe(dynamic),
  tools: listOf(tool),
});

/** An entry of `catalog.yaml`. */
export const catalogItem = fields({
  name: shown,
  type: v.optional(text),
  title: shown,
  description: shown,
  icon: shown,
  readme: shown,
  dateAdded: shown,
  toolsUrl: shown,
  source: shown,
  upstream: shown,
  ref: shown,
  prompts: v.optional(v.unknown()),
  resources: v.optional(v.unknown()),
  image: v.optional(text),
  longLived: v.optional(flag),
  remote: v.optional(remote),
  sseEndpoint: v.optional(text),
  oauth: maybe(fields({
    providers: listOf(provider),
    scopes: listOf(text),
  })),
  secrets: listOf(secret),
  env: listOf(variable),
  command: listOf(text),
  volumes: listOf(text),
  user: v.optional(text),
  disableNetwork: v.optional(flag),
  allowHosts: listOf(text),
  extraHosts: listOf(text),
  tools: listOf(tool),
  config: listOf(schemaNode),
  dynamic: maybe(dynamic),
  prefix: shown,
  metadata: maybe(v.record(text, v.unknown())),
  policy: v.optional(v.unknown()),
});

/** What a `catalog.yaml` holds beside its entries. */
export const catalogFile = fields({
  version: shown,
  name: shown,
  displayName: shown,
  description: shown,
  icon: shown,
  lastUpdated: shown,
  registry: v.record(text, v.unknown()),
});

/** Tools as both formats have them. */
export type ToolFields = v.InferOutput<typeof tool>;

/** Secrets as both formats have them. */
export type SecretFields = v.InferOutput<typeof secret>;

/** Variables as both formats have them. */
export type VariableFields = v.InferOutput<typeof variable>;
