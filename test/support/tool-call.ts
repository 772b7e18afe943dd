import * as v from "valibot";
import { type Endpoint, postModern } from "./mcp.ts";

const answer = v.object({
  result: v.optional(v.looseObject({ content: v.optional(v.array(v.unknown())) })),
  error: v.optional(v.object({
    code: v.number(),
    message: v.string(),
    data: v.optional(v.looseObject({
      code: v.optional(v.string()),
      executed: v.optional(v.string()),
    })),
  })),
});

/** What came of a call: one of the two. */
export type Answer = v.InferOutput<typeof answer>;

/** What to call, and until when to wait. */
export interface ToolCall {
  readonly name: string;
  readonly args?: Readonly<Record<string, unknown>>;
  readonly signal?: AbortSignal;
}

/**
 * Calls a tool through the whole path and waits for its end.
 *
 * @throws {Error} When what came back is not exactly one answer.
 */
export async function callTool(
  endpoint: Endpoint,
  { name, args = {}, signal }: ToolCall,
): Promise<Answer> {
  const response = await postModern(endpoint, "tools/call", {
    params: { name, arguments: args },
    ...(signal && { signal }),
  });
  return readAnswer(await response.text());
}

/** The answer in a body, which is JSON or an event stream. */
export function readAnswer(body: string): Answer {
  const events = [...body.matchAll(/^data: (.*)$/gm)].map(([, data = ""]) => data);
  const texts = body.startsWith("{") ? [body] : events;
  const answers = texts.map((text): unknown => JSON.parse(text)).filter((message) =>
    v.is(v.looseObject({ method: v.optional(v.undefined()) }), message)
  );
  if (answers.length !== 1) throw new Error(`${answers.length} answers: ${body.slice(0, 300)}`);
  const read = v.parse(answer, answers[0]);
  if ((read.result === undefined) === (read.error === undefined)) {
    throw new Error(`Neither result nor error, or both: ${body.slice(0, 300)}`);
  }
  return read;
}

/** The text of a result's first item; of anything else, nothing. */
export function textOf({ result }: Answer): string {
  const first = result?.content?.[0];
  return v.is(v.object({ text: v.string() }), first) ? first.text : "";
}
