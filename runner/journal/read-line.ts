import * as v from "valibot";

const name = v.optional(v.string());
const count = v.optional(v.number());

/** What readers look at; a line of a later version may have more. */
const event = v.looseObject({
  v: v.literal(1),
  time: v.pipe(v.string(), v.isoTimestamp()),
  type: v.string(),
  client: name,
  method: name,
  server: name,
  tool: name,
  outcome: name,
  executed: name,
  code: name,
  message: name,
  denied: v.optional(v.boolean()),
  approved: v.optional(v.boolean()),
  by: name,
  host: name,
  reason: name,
  port: count,
  count,
  ms: v.optional(v.union([
    v.number(),
    v.object({ queue: v.number(), start: v.number(), server: v.number(), total: v.number() }),
  ])),
});

/** A line of the call log that could be read. */
export interface JournalLine {
  /** As it is written, without its line feed. */
  readonly text: string;
  /** Milliseconds since the epoch. */
  readonly time: number;
  readonly event: v.InferOutput<typeof event>;
}

/** Reads a line; undefined for one that is no event. */
export function readLine(text: string): JournalLine | undefined {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return undefined;
  }
  const parsed = v.safeParse(event, value, { abortEarly: true });
  if (!parsed.success) return undefined;
  return { text, time: Date.parse(parsed.output.time), event: parsed.output };
}
