import * as v from "valibot";
import { SERVER_NAME } from "../../src/mcp/name.ts";
import { MAX_PATTERN_LENGTH } from "../../src/policy/pattern.ts";
import { parseSecretReference, SECRET_GRAMMAR } from "../secrets/reference.ts";
import { ALL_AUTO, NO_TASKS, type TaskRules } from "../task/policy.ts";
import { type EgressTarget, parseEgressTarget } from "./egress-target.ts";
import { parseExtraHost } from "./extra-host.ts";
import { free, list, map, parsed, record, text } from "./field.ts";
import { parseCap, parseGpus, parseRuntime, parseSwitch } from "./isolation.ts";
import { DEFAULT_LIFE, parseCount, parseDuration, parseIdle, parseLifetime } from "./life.ts";
import { DEFAULT_LIMITS, type Limits, parseCpus, parseMemory, parsePids } from "./limits.ts";
import { quote } from "./problem.ts";
import { parsePrefix } from "./prefix.ts";
import { parseSource, type ServerSource, SOURCE_GRAMMAR } from "./source.ts";
import { parseVolume, type VolumePlace } from "./volume.ts";

/** The only version of the format so far. */
const FORMAT_VERSION = "1";

/** What `mcp-runner.yaml` holds, with defaults filled in; host paths of volumes are read against `place`. */
export function configSchema(place: VolumePlace) {
  const server = v.pipe(
    map({
      source: parsed(SOURCE_GRAMMAR, parseSource),
      config: v.optional(free("name: value lines")),
      args: v.optional(list(programText, 'a list such as ["stdio"]')),
      env: v.optional(record(variableName, programText, "NAME: value lines")),
      headers: v.optional(record(headerName, headerValue, "Name: value lines")),
      secrets: v.optional(secretMap),
      secretFiles: v.optional(secretMap),
      allowEnvSecrets: v.optional(parsed("true or false", parseSwitch)),
      redactResults: v.optional(parsed("true or false", parseSwitch)),
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
      tools: v.optional(rules("tool"), {}),
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
      settings: it.config ?? {},
      args: it.args ?? [],
      env: it.env ?? {},
      headers: it.headers ?? {},
      secrets: it.secrets ?? {},
      secretFiles: it.secretFiles ?? {},
      allowEnvSecrets: it.allowEnvSecrets ?? false,
      redactResults: it.redactResults ?? true,
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
        caps: [...new Set(it.caps)].sort(),
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
  return map({
    version,
    servers: record(serverName, server, "name: { source: … } entries"),
    profiles: v.optional(
      record(serverName, list(serverName, 'a list such as ["notes"]'), "name: [server] lines"),
      {},
    ),
    catalogs: v.optional(list(catalogPlace, "a list of files and URLs"), []),
    images: v.optional(map({ signed: v.optional(list(signatureRule, "a list of rules"), []) }), {}),
  });
}

/** Fields that a server of this kind cannot have, and what is said of them. */
function misplaced(kind: ServerSource["kind"]): readonly (readonly [string, string])[] {
  const told = (keys: readonly string[], text: string) => keys.map((key) => [key, text] as const);
  const remote = told(REMOTE_FIELDS, "is for servers at a URL, remove it: this one is none");
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
          CONTAINER_FIELDS.filter((key) => key !== "args" && key !== "env"),
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

const variableName = v.pipe(
  v.string(),
  v.regex(
    /^[A-Za-z_][A-Za-z0-9_]*$/,
    ({ input }) =>
      `${quote(input)} is not a variable name, use letters, digits and "_", no digit first`,
  ),
);

/** Text for a program, which the system hands over as a C string. It may be private: never repeated. */
const programText = v.pipe(
  text('text, a number, true or false (or "" for an empty text)'),
  v.check((it) => !it.includes("\0"), "holds a zero character, remove it: no program can get it"),
);

/** As HTTP has it (RFC 9110 §5.1). */
const headerName = v.pipe(
  v.string(),
  v.regex(
    /^[!#$%&'*+.^_`|~0-9A-Za-z-]{1,128}$/,
    ({ input }) => `${quote(input)} is not the name of a header, write one such as Authorization`,
  ),
);

/** A header's value may be a credential: never repeated. */
const headerValue = v.pipe(
  text('text (or "" for an empty text)'),
  v.regex(
    /^[\t\x20-\x7e]*$/,
    "has characters that no header may have, use ASCII without line breaks",
  ),
);

/** A pasted secret must not be repeated: messages of references never do. */
const secretMap = record(
  variableName,
  parsed(SECRET_GRAMMAR, parseSecretReference),
  "NAME: store:<name> lines",
);

const oauth = map({
  clientId: v.optional(text("the id that the server knows us by")),
  clientSecret: v.optional(parsed(SECRET_GRAMMAR, parseSecretReference)),
  scopes: v.optional(list(text("a scope"), 'a list such as ["read"]'), []),
});

const networkWord = v.pipe(
  text("none, or a list of <host>:<port>"),
  v.literal(
    "none",
    ({ input }) => `${quote(String(input))} is not none, write that or a list of <host>:<port>`,
  ),
  v.transform((): readonly EgressTarget[] => []),
);

const network = v.lazy((input): v.GenericSchema<unknown, readonly EgressTarget[]> =>
  typeof input === "string"
    ? networkWord
    : list(parsed("<host>:<port>", parseEgressTarget), 'a list such as ["api.example.com:443"]')
);

const containerUser = v.pipe(
  text("a user of the container such as 1000:1000"),
  v.regex(
    /^[A-Za-z0-9_.-]{1,64}(?::[A-Za-z0-9_.-]{1,64})?$/,
    ({ input }) => `${quote(input)} is not a user, write a name or a number, such as 1000:1000`,
  ),
);

const catalogPlace = v.pipe(
  text("a file such as ./catalog.yaml, or a https:// URL"),
  v.regex(
    /^(?:https:\/\/\S+|\.{0,2}\/.+|~\/.+|[A-Za-z]:[\\/].+)$/,
    ({ input }) => `${quote(input)} is neither a path nor a https:// URL`,
  ),
);

const signatureRule = map({
  match: v.pipe(text("the name of an image, with * as wildcard"), v.nonEmpty("is empty")),
  key: v.optional(text("a file with a public key in PEM")),
  identity: v.optional(text("who signs, as its certificate names it")),
  issuer: v.optional(text("the URL of who vouches for that identity")),
});

/** Patterns over the names of tools or prompts, or over URIs. */
function patterns(what: string) {
  return v.optional(
    list(
      v.pipe(
        text(`the name of a ${what}, with * and ? as wildcards`),
        v.nonEmpty(`is empty, write the name of a ${what}, or "*" for all`),
        v.maxLength(
          MAX_PATTERN_LENGTH,
          ({ input }) => `is ${input.length} characters long, allowed are ${MAX_PATTERN_LENGTH}`,
        ),
      ),
      'a list such as ["echo", "get-*"]',
    ),
    [],
  );
}

function rules(what: "tool" | "prompt" | "resource") {
  return map({ allow: patterns(what), deny: patterns(what) });
}

const AUTO = "auto";

const taskWord = v.pipe(
  text(`${AUTO}, or a map with auto and required`),
  v.literal(AUTO, ({ input }) => `${quote(String(input))} is not ${AUTO}, write that or a map`),
  v.transform(() => ALL_AUTO),
);

const tasks = v.lazy((input): v.GenericSchema<unknown, TaskRules> =>
  typeof input === "string" ? taskWord : map({ auto: patterns("tool"), required: patterns("tool") })
);

const limits = v.pipe(
  map({
    memory: v.optional(parsed("a size such as 512m", parseMemory)),
    cpus: v.optional(parsed("a number such as 0.5", parseCpus)),
    pids: v.optional(parsed("a number such as 128", parsePids)),
  }),
  v.transform(({ memory, cpus, pids }): Limits => ({
    memoryBytes: memory ?? DEFAULT_LIMITS.memoryBytes,
    cpuCores: cpus ?? DEFAULT_LIMITS.cpuCores,
    pids: pids ?? DEFAULT_LIMITS.pids,
  })),
);

/** A list of volumes, each with a container path of its own. */
function volumes(place: VolumePlace) {
  const volume = parsed("<host path>:<container path>[:ro|:rw]", (it) => parseVolume(it, place));
  return v.pipe(
    list(volume, 'a list such as ["./data:/data"]'),
    v.rawCheck(({ dataset, addIssue }) => {
      if (!dataset.typed) return;
      const input = dataset.value;
      const seen = new Set<string>();
      for (const [key, value] of input.entries()) {
        const target = value.containerPath;
        if (seen.has(target)) {
          addIssue({
            message: `${quote(target)} is the container path of another volume, choose another`,
            path: [{ type: "array", origin: "value", input, key, value }],
          });
        }
        seen.add(target);
      }
    }),
  );
}
