import * as v from "valibot";
import { SERVER_NAME } from "../../src/mcp/name.ts";
import { MAX_PATTERN_LENGTH } from "../../src/policy/pattern.ts";
import { ALL_AUTO, NO_TASKS, type TaskRules } from "../task/policy.ts";
import { list, map, parsed, record, text } from "./field.ts";
import { DEFAULT_LIMITS, type Limits, parseCpus, parseMemory, parsePids } from "./limits.ts";
import { quote } from "./problem.ts";
import { parsePrefix } from "./prefix.ts";
import { parseSource, SOURCE_GRAMMAR } from "./source.ts";
import { parseVolume, type Volume, type VolumePlace } from "./volume.ts";

/** The only version of the format so far. */
const FORMAT_VERSION = "1";

/** What `mcp-runner.yaml` holds, with defaults filled in; host paths of volumes are read against `place`. */
export function configSchema(place: VolumePlace) {
  const server = v.pipe(
    map({
      source: parsed(SOURCE_GRAMMAR, parseSource),
      args: v.optional(list(programText, 'a list such as ["stdio"]')),
      env: v.optional(record(variableName, programText, "NAME: value lines")),
      headers: v.optional(record(headerName, headerValue, "Name: value lines")),
      volumes: v.optional(volumes(place)),
      prefix: v.optional(parsed('a word such as "notes", or none', parsePrefix)),
      tools: v.optional(rules("tool"), {}),
      prompts: v.optional(rules("prompt"), {}),
      resources: v.optional(rules("resource"), {}),
      tasks: v.optional(tasks),
      limits: v.optional(limits),
    }),
    v.rawCheck(({ dataset, addIssue }) => {
      if (!dataset.typed) return;
      const input = dataset.value;
      const remote = input.source.kind === "http";
      for (const key of remote ? CONTAINER_FIELDS : ["headers"] as const) {
        if (input[key] === undefined) continue;
        addIssue({
          message: remote
            ? "is for servers in containers, remove it: this one is at a URL"
            : "is for servers at a URL, remove it: this one runs in a container",
          path: [{ type: "object", origin: "key", input: { ...input }, key, value: input[key] }],
        });
      }
    }),
    v.transform(({ args, env, headers, volumes, tasks, limits, ...rest }) => ({
      ...rest,
      args: args ?? [],
      env: env ?? {},
      headers: headers ?? {},
      volumes: volumes ?? [],
      tasks: tasks ?? NO_TASKS,
      limits: limits ?? DEFAULT_LIMITS,
    })),
  );
  return map({
    version,
    servers: record(serverName, server, "name: { source: … } entries"),
  });
}

/** Fields that say how a container is run. */
const CONTAINER_FIELDS = ["args", "env", "volumes", "limits"] as const;

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
      const input: readonly Volume[] = dataset.value;
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
