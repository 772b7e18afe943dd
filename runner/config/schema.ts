import * as v from "valibot";
import { SERVER_NAME } from "../../src/mcp/name.ts";
import { MAX_PATTERN_LENGTH } from "../../src/policy/pattern.ts";
import { list, map, parsed, record, text } from "./field.ts";
import { DEFAULT_LIMITS, type Limits, parseCpus, parseMemory, parsePids } from "./limits.ts";
import { quote } from "./problem.ts";
import { parseSource } from "./source.ts";
import { parseVolume, type Volume, type VolumePlace } from "./volume.ts";

/** The only version of the format so far. */
const FORMAT_VERSION = "1";

/** What `mcp-runner.yaml` holds, with defaults filled in; host paths of volumes are read against `place`. */
export function configSchema(place: VolumePlace) {
  const server = map({
    source: parsed("npm:<package>[@version] or image:<reference>", parseSource),
    args: v.optional(list(programText, 'a list such as ["stdio"]'), []),
    env: v.optional(record(variableName, programText, "NAME: value lines"), {}),
    volumes: v.optional(volumes(place), []),
    tools: v.optional(map({ allow: patterns, deny: patterns }), {}),
    limits: v.optional(limits, {}),
  });
  return map({
    version,
    servers: record(serverName, server, "name: { source: … } entries"),
  });
}

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

const patterns = v.optional(
  list(
    v.pipe(
      text("the name of a tool, with * and ? as wildcards"),
      v.nonEmpty('is empty, write the name of a tool, or "*" for all'),
      v.maxLength(
        MAX_PATTERN_LENGTH,
        ({ input }) => `is ${input.length} characters long, allowed are ${MAX_PATTERN_LENGTH}`,
      ),
    ),
    'a list such as ["echo", "get-*"]',
  ),
  [],
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
