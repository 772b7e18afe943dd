import * as v from "valibot";
import { GatewayError } from "../../src/errors.ts";
import { quote } from "../config/problem.ts";
import type { CatalogEntry } from "./entry.ts";
import { readCatalog } from "./read.ts";

/** Where the registry says what became of a version. */
const OFFICIAL = "io.modelcontextprotocol.registry/official";

const answer = v.object({
  server: v.looseObject({ name: v.string() }),
  _meta: v.optional(
    v.looseObject({
      [OFFICIAL]: v.optional(v.looseObject({
        status: v.optional(v.string()),
        statusMessage: v.optional(v.string()),
      })),
    }),
  ),
});

/**
 * The entry in an answer of `GET /v0.1/servers/{name}/versions/{version}`.
 *
 * @throws {GatewayError} `config_invalid` when it is no such answer, of another server, or not to be run.
 */
export async function readRegistryAnswer(
  text: string,
  name: string,
  note: (line: string) => void,
): Promise<CatalogEntry> {
  const parsed = v.safeParse(v.pipe(v.string(), v.parseJson(), answer), text);
  if (!parsed.success || parsed.output.server.name !== name) {
    throw unusable(name, "the registry's answer is not a description of it");
  }
  const official = parsed.output._meta?.[OFFICIAL];
  const status = official?.status;
  if (status === "deleted") throw unusable(name, "it was deleted from the registry");
  // A member such as packages decides of what format a text is: it is always there.
  const { servers, warnings } = await readCatalog(
    JSON.stringify({ packages: [], ...parsed.output.server }, undefined, 1),
    `registry:${name}`,
  );
  const [entry] = servers;
  if (entry === undefined) throw unusable(name, warnings.at(-1) ?? "nothing of it can be run");
  for (const warning of warnings) note(warning);
  const notes = status === "deprecated"
    ? [`The registry calls it deprecated: ${quote(official?.statusMessage ?? "no reason given")}`]
    : [];
  return { ...entry, notes: [...entry.notes, ...notes] };
}

function unusable(name: string, why: string): GatewayError {
  return new GatewayError(
    "config_invalid",
    `Cannot use ${quote(name)} of the MCP registry: ${why}`,
  );
}
