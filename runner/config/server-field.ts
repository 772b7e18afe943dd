/**
 * The values that fields of a server have, as valibot schemas.
 *
 * @module
 */
import * as v from "valibot";
import { MAX_PATTERN_LENGTH } from "../../src/policy/pattern.ts";
import { parseSecretReference, SECRET_GRAMMAR } from "../secrets/reference.ts";
import { ALL_AUTO, type TaskRules } from "../task/policy.ts";
import { type EgressTarget, parseEgressTarget } from "./egress-target.ts";
import { list, map, parsed, record, text } from "./field.ts";
import { DEFAULT_LIMITS, type Limits, parseCpus, parseMemory, parsePids } from "./limits.ts";
import { quote } from "./problem.ts";
import { parseVolume, type VolumePlace } from "./volume.ts";

/** Name of an environment variable. */
export const variableName = v.pipe(
  v.string(),
  v.regex(
    /^[A-Za-z_][A-Za-z0-9_]*$/,
    ({ input }) =>
      `${quote(input)} is not a variable name, use letters, digits and "_", no digit first`,
  ),
);

/** Text for a program, which the system hands over as a C string. It may be private: never repeated. */
export const programText = v.pipe(
  text('text, a number, true or false (or "" for an empty text)'),
  v.check((it) => !it.includes("\0"), "holds a zero character, remove it: no program can get it"),
);

/** As HTTP has it (RFC 9110 §5.1). */
export const headerName = v.pipe(
  v.string(),
  v.regex(
    /^[!#$%&'*+.^_`|~0-9A-Za-z-]{1,128}$/,
    ({ input }) => `${quote(input)} is not the name of a header, write one such as Authorization`,
  ),
);

/** A header's value may be a credential: never repeated. */
export const headerValue = v.pipe(
  text('text (or "" for an empty text)'),
  v.regex(
    /^[\t\x20-\x7e]*$/,
    "has characters that no header may have, use ASCII without line breaks",
  ),
);

/** A pasted secret must not be repeated: messages of references never do. */
export const secretMap = record(
  variableName,
  parsed(SECRET_GRAMMAR, parseSecretReference),
  "NAME: store:<name> lines",
);

/** What an authorization server was told of us. */
export const oauth = map({
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

/** Where a server may connect to. */
export const network = v.lazy((input): v.GenericSchema<unknown, readonly EgressTarget[]> =>
  typeof input === "string"
    ? networkWord
    : list(parsed("<host>:<port>", parseEgressTarget), 'a list such as ["api.example.com:443"]')
);

/** User of a container, by name or number. */
export const containerUser = v.pipe(
  text("a user of the container such as 1000:1000"),
  v.regex(
    /^[A-Za-z0-9_][A-Za-z0-9_.-]{0,63}(?::[A-Za-z0-9_][A-Za-z0-9_.-]{0,63})?$/,
    ({ input }) => `${quote(input)} is not a user, write a name or a number, such as 1000:1000`,
  ),
);

/** Where a catalog of the user's own is. */
export const catalogPlace = v.pipe(
  text("a file such as ./catalog.yaml, or a https:// URL"),
  v.regex(
    /^(?:https:\/\/\S+|\.{0,2}\/.+|~\/.+|[A-Za-z]:[\\/].+)$/,
    ({ input }) => `${quote(input)} is neither a path nor a https:// URL`,
  ),
);

/** Which images must be signed, and by whom. */
export const signatureRule = v.pipe(
  map({
    match: v.pipe(text("the name of an image, with * as wildcard"), v.nonEmpty("is empty")),
    key: v.optional(text("a file with a public key in PEM")),
    identity: v.optional(text("who signs, as its certificate names it")),
    issuer: v.optional(text("the URL of who vouches for that identity")),
    trustedRoot: v.optional(text("a file with the authorities and logs to trust")),
  }),
  v.check(
    ({ key, identity, issuer, trustedRoot }) => {
      const keyless = [identity, issuer, trustedRoot].filter((part) => part !== undefined).length;
      return key === undefined ? keyless === 3 : keyless === 0;
    },
    "says not who signs, write either key, or identity, issuer and trustedRoot",
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

/** What of one kind may be used. */
export function rules(what: "tool" | "prompt" | "resource") {
  return map({ allow: patterns(what), deny: patterns(what) });
}

const AUTO = "auto";

const taskWord = v.pipe(
  text(`${AUTO}, or a map with auto and required`),
  v.literal(AUTO, ({ input }) => `${quote(String(input))} is not ${AUTO}, write that or a map`),
  v.transform(() => ALL_AUTO),
);

/** Which tools make tasks. */
export const tasks = v.lazy((input): v.GenericSchema<unknown, TaskRules> =>
  typeof input === "string" ? taskWord : map({ auto: patterns("tool"), required: patterns("tool") })
);

/** What a container may use at most. */
export const limits = v.pipe(
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
export function volumes(place: VolumePlace) {
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
