/**
 * What people and machines may put into tokens and join codes, checked where it comes in.
 *
 * @module
 */
import * as v from "valibot";
import { GatewayError } from "../../src/errors.ts";
import { MAX_PATTERN_LENGTH } from "../../src/policy/pattern.ts";

/** Longest name of a token, in UTF-16 units; Linux host names are no longer (HOST_NAME_MAX). */
const MAX_NAME_LENGTH = 64;

/** Most tool patterns of one token. */
const MAX_PATTERNS = 100;

/**
 * Characters that change a terminal or the reading of the line they are shown in: controls, invisible
 * format characters (bidi overrides, zero width), line separators, halves of surrogate pairs.
 */
const UNPRINTABLE = /[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/u;

/** Every check here has a message of its own: the library's would repeat the input. */
const text = v.string("it is not text");

const printable = v.check(
  (text: string) => !UNPRINTABLE.test(text),
  "it cannot be printed as it is",
);

/** Name that a person or a machine gave to a token; untrusted text that is shown to the owner. */
export const tokenName = v.pipe(
  text,
  v.trim(),
  v.nonEmpty("it is empty"),
  v.maxLength(MAX_NAME_LENGTH, `it is longer than ${MAX_NAME_LENGTH} characters`),
  printable,
);

/** Name of a tunnel. */
export const tunnelName = v.pipe(
  text,
  v.regex(/^[a-z0-9-]{1,32}$/, "it is not 1 to 32 lower-case letters, digits and hyphens"),
);

/** A time that is yet to come, in milliseconds since the epoch. */
export function laterThan(now: number) {
  const later = v.check((time: number) => time > now, "it is in the past");
  return v.pipe(
    v.number("it is not a number"),
    v.safeInteger("it is not a whole number of milliseconds"),
    later,
  );
}

const toolPattern = v.pipe(
  text,
  v.nonEmpty("a pattern is empty"),
  v.maxLength(MAX_PATTERN_LENGTH, `a pattern is longer than ${MAX_PATTERN_LENGTH} characters`),
  printable,
);

/** Patterns over qualified tool names (`<server>__<tool>`); an empty list allows nothing. */
export const toolPatterns = v.pipe(
  v.array(toolPattern, "it is not a list"),
  v.maxLength(MAX_PATTERNS, `there are more than ${MAX_PATTERNS}`),
);

/**
 * `input` as `schema` has it.
 *
 * @param what What the input is, for the message, which does not repeat the input.
 * @throws {GatewayError} `invalid_request`.
 */
export function accept<Schema extends v.GenericSchema>(
  schema: Schema,
  input: unknown,
  what: string,
): v.InferOutput<Schema> {
  const parsed = v.safeParse(schema, input, { abortEarly: true });
  if (parsed.success) return parsed.output;
  throw new GatewayError("invalid_request", `Cannot use this ${what}: ${parsed.issues[0].message}`);
}
