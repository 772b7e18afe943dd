import * as v from "valibot";
import { SERVER_NAME } from "../../src/mcp/name.ts";
import { NO_TASKS } from "../task/policy.ts";
import { parseExtraHost } from "./extra-host.ts";
import { free, list, map, parsed, record, text } from "./field.ts";
import { parseCap, parseGpus, parseRuntime, parseSwitch } from "./isolation.ts";
import { DEFAULT_LIFE, parseCount, parseDuration, parseIdle, parseLifetime } from "./life.ts";
import { DEFAULT_LIMITS } from "./limits.ts";
import { quote } from "./problem.ts";
import { parsePrefix } from "./prefix.ts";
import {
  catalogPlace,
  containerUser,
  headerName,
  headerValue,
  limits,
  network,
  oauth,
  programText,
  rules,
  secretMap,
  signatureRule,
  tasks,
  variableName,
  volumes,
} from "./server-field.ts";
import { parseSource, type ServerSource, SOURCE_GRAMMAR } from "./source.ts";
import { suggest } from "./suggest.ts";
import type { VolumePlace } from "./volume.ts";

/** The only version of the format so far. */
const FORMAT_VERSION = "1";

/** What `mcp-runner.yaml` holds, with defaults filled in; host paths of volumes are read against `place`. */
export function configSchema(place: VolumePlace) {
  const server = v.pipe(
    map({
      source: parsed(SOURCE_GRAMMAR, parseSource),
      args: v.optional(list(programText, 'a list such as ["stdio"]')),
      tools: v.optional(rules("tool"), {}),
      env: v.optional(record(variableName, programText, "NAME: value lines")),
      config: v.optional(free("name: value lines")),
      headers: v.optional(record(headerName, headerValue, "Name: value lines")),
      secrets: v.optional(secretMap),
      secretFiles: v.optional(secretMap),
      allowEnvSecrets: v.optional(parsed("true or false", parseSwitch)),
      redactResults: v.optional(parsed("true or false", parseSwitch)),
      pins: v.optional(parsed("true or false", parseSwitch)),
      oauth: v.optional(oauth),
      allowPrivate: v.optional(parsed("true or false", parseSwitch)),
      volumes: v.optional(volumes(place)),
      network: v.optional(network),
      extraHosts: v.optional(list(parsed("<host>:<address>", parseExtraHost), HOSTS)),
      user: v.optional(containerUser),
      root: v.optional(parsed("true or false", parseSwitch)),
      writable: v.optional(parsed("true or false", parseSwitch)),
      execTmp: v.optional(parsed("true or false", parseSwitch)),
      caps: v.optional(
        list(parsed("the name of a capability", parseCap), 'a list such as ["CHOWN"]'),
      ),
      runtime: v.optional(parsed("runsc or kata", parseRuntime)),
      gpus: v.optional(parsed("a number such as 1, or all", parseGpus)),
      prefix: v.optional(parsed('a word such as "notes", or none', parsePrefix)),
      prompts: v.optional(rules("prompt"), {}),
      resources: v.optional(rules("resource"), {}),
      tasks: v.optional(tasks),
      limits: v.optional(limits),
      lifetime: v.optional(parsed("shared, client or call", parseLifetime)),
      idle: v.optional(parsed("a time such as 10m, or never", parseIdle)),
      concurrency: v.optional(parsed("a number such as 8", parseCount)),
      queue: v.optional(parsed("a number such as 100", parseCount)),
      startTimeout: v.optional(parsed("a time such as 30s", parseDuration)),
      timeout: v.optional(parsed("a time such as 60s", parseDuration)),
    }),
    v.rawCheck(({ dataset, addIssue }) => {
      if (!dataset.typed) return;
      const input: Readonly<Record<string, unknown>> = dataset.value;
      for (const [key, message] of misplaced(dataset.value.source.kind)) {
        const value = input[key];
        if (value === undefined) continue;
        addIssue({ message, path: [{ type: "object", origin: "key", input, key, value }] });
      }
    }),
    v.transform((it) => ({
      source: it.source,
      given: Object.keys(it).toSorted(),
      settings: it.config ?? {},
      args: it.args ?? [],
      env: it.env ?? {},
      headers: it.headers ?? {},
      secrets: it.secrets ?? {},
      secretFiles: it.secretFiles ?? {},
      allowEnvSecrets: it.allowEnvSecrets ?? false,
      redactResults: it.redactResults ?? true,
      pins: it.pins ?? true,
      oauth: it.oauth,
      allowPrivate: it.allowPrivate ?? false,
      volumes: it.volumes?.flatMap((one) => "hostPath" in one ? [one] : []) ?? [],
      namedVolumes: it.volumes?.flatMap((one) => "volume" in one ? [one] : []) ?? [],
      network: it.network ?? [],
      extraHosts: it.extraHosts ?? [],
      user: it.user,
      isolation: {
        root: it.root ?? false,
        writable: it.writable ?? false,
        execTmp: it.execTmp ?? false,
        caps: [...new Set(it.caps)].toSorted(),
        runtime: it.runtime,
        gpus: it.gpus,
      },
      ...("prefix" in it && it.prefix !== undefined && { prefix: it.prefix }),
      tools: it.tools,
      prompts: it.prompts,
      resources: it.resources,
      tasks: it.tasks ?? NO_TASKS,
      limits: it.limits ?? DEFAULT_LIMITS,
      life: {
        lifetime: it.lifetime ?? DEFAULT_LIFE.lifetime,
        idleMs: "idle" in it ? it.idle : DEFAULT_LIFE.idleMs,
        concurrency: it.concurrency ?? DEFAULT_LIFE.concurrency,
        queue: it.queue ?? DEFAULT_LIFE.queue,
        startMs: it.startTimeout ?? DEFAULT_LIFE.startMs,
        callMs: it.timeout,
      },
    })),
  );
  const file = map({
    version,
    servers: record(serverName, server, "name: { source: … } entries"),
    profiles: v.optional(
      record(serverName, list(serverName, 'a list such as ["notes"]'), "name: [server] lines"),
      {},
    ),
    catalogs: v.optional(list(catalogPlace, "a list of files and URLs"), []),
    images: v.optional(map({ signed: v.optional(list(signatureRule, "a list of rules"), []) }), {}),
  });
  return v.pipe(
    file,
    v.rawCheck(({ dataset, addIssue }) => {
      if (!dataset.typed) return;
      const { profiles, servers } = dataset.value;
      for (const [profile, names] of Object.entries(profiles)) {
        for (const [key, name] of names.entries()) {
          if (Object.hasOwn(servers, name)) continue;
          const meant = suggest(name, Object.keys(servers));
          addIssue({
            message: `${quote(name)} is not a server of this file${
              meant === undefined ? "" : `, did you mean "${meant}"`
            }`,
            path: [
              entryOf(dataset.value, "profiles"),
              entryOf(profiles, profile),
              { type: "array", origin: "value", input: names, key, value: name },
            ],
          });
        }
      }
    }),
  );
}

function entryOf(input: Readonly<Record<string, unknown>>, key: string) {
  return { type: "object", origin: "value", input, key, value: input[key] } as const;
}

/** Fields that a server of this kind cannot have, and what is said of them. */
function misplaced(kind: ServerSource["kind"]): readonly (readonly [string, string])[] {
  const told = (keys: readonly string[], text: string) => keys.map((key) => [key, text] as const);
  const remote = told(
    REMOTE_FIELDS,
    "is for servers at a URL, remove it: this one runs in a container",
  );
  const contained = told(
    CONTAINER_FIELDS,
    "is for servers in containers, remove it: this one is at a URL",
  );
  const described = told(["config"], "is for servers of a catalog, remove it: this one is of none");
  switch (kind) {
    case "http":
      return [...contained, ...described];
    case "running":
      return [
        ...remote,
        ...described,
        ...told(
          CONTAINER_FIELDS.filter((key) => !RUNNING_FIELDS.has(key)),
          "says how a container is made, remove it: this one is there already",
        ),
      ];
    // What an entry of a catalog is, is not known yet.
    case "docker":
    case "registry":
      return [];
    default:
      return [...remote, ...described];
  }
}

/** Fields of servers at a URL. */
const REMOTE_FIELDS = ["headers", "oauth", "allowPrivate"] as const;

/** Fields that say how a container is run. */
const CONTAINER_FIELDS = [
  "args",
  "env",
  "secretFiles",
  "allowEnvSecrets",
  "volumes",
  "network",
  "extraHosts",
  "user",
  "root",
  "writable",
  "execTmp",
  "caps",
  "runtime",
  "gpus",
  "limits",
] as const;

/** Those of them that make sense for a program in a container that runs already. */
const RUNNING_FIELDS: ReadonlySet<string> = new Set(["args", "env", "allowEnvSecrets"]);

const HOSTS = 'a list such as ["nas.home:192.168.1.5"]';

/** A configuration that has the right shape. */
export type CheckedConfig = v.InferOutput<ReturnType<typeof configSchema>>;

const version = v.pipe(
  text(FORMAT_VERSION),
  v.literal(
    FORMAT_VERSION,
    ({ input }) => `${quote(String(input))} is not a version of this format, write 1`,
  ),
);

const serverName = v.pipe(
  v.string(),
  v.regex(
    SERVER_NAME,
    ({ input }) => `${quote(input)} is not a server name, use 1 to 32 of a to z, 0 to 9 and "-"`,
  ),
);
