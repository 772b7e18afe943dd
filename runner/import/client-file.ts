/**
 * The servers of an MCP client's file: `mcpServers` of Claude, Cursor and most others, `servers` of VS
 * Code, `context_servers` of Zed.
 *
 * @module
 */
import type { ParseError } from "jsonc-parser";
import * as v from "valibot";
import { GatewayError } from "../../src/errors.ts";
import {
  type Imported,
  type ImportFindings,
  nameFor,
  type ProgramSource,
  type Skipped,
} from "./imported.ts";
import {
  isPlaceholder,
  isSecret,
  promptOf,
  secretArgument,
  secretParameter,
  variableOf,
} from "./literal.ts";
import { readProgram } from "./program.ts";

const scalar = v.union([
  v.string(),
  v.pipe(v.union([v.number(), v.boolean()]), v.transform(String)),
]);
const strings = v.optional(v.array(scalar), []);
const texts = v.optional(v.record(v.string(), v.nullable(scalar)), {});

const server = v.object({
  command: v.optional(v.union([v.string(), v.array(v.string())])),
  args: strings,
  env: texts,
  url: v.optional(v.string()),
  serverUrl: v.optional(v.string()),
  httpUrl: v.optional(v.string()),
  type: v.optional(v.string()),
  transport: v.optional(v.string()),
  headers: texts,
  alwaysAllow: strings,
  autoApprove: strings,
});

type ClientServer = v.InferOutput<typeof server>;

/** Most servers that are read: no client has a tenth of it. */
const MAX_SERVERS = 1_000;

const LISTS = ["mcpServers", "servers", "context_servers"] as const;

const clientFile = v.record(v.string(), v.unknown());
const entries = v.record(v.string(), v.unknown());

/**
 * Reads the text of a client's file: JSON, with comments and trailing commas.
 *
 * @param taken Names that servers have here.
 * @throws {GatewayError} `usage` for a file of another kind.
 */
export async function readClientFile(
  text: string,
  taken: ReadonlySet<string>,
): Promise<ImportFindings> {
  const servers = await serversIn(text);
  const imported: Imported[] = [];
  const skipped: Skipped[] = [];
  const names = new Set(taken);
  if (Object.keys(servers).length > MAX_SERVERS) {
    throw new GatewayError(
      "usage",
      `Cannot import the file: it has more than ${MAX_SERVERS} servers`,
    );
  }
  for (const [from, value] of Object.entries(servers)) {
    const parsed = v.safeParse(server, value);
    if (!parsed.success) {
      skipped.push({ from, why: "it is not written as servers are" });
      continue;
    }
    const name = nameFor(from, names);
    const one = convert(from, name, parsed.output);
    if (typeof one === "string") skipped.push({ from, why: one });
    else {
      names.add(name);
      imported.push(one);
    }
  }
  return { imported, skipped };
}

async function serversIn(text: string): Promise<v.InferOutput<typeof entries>> {
  const { parse } = await import("jsonc-parser");
  const errors: ParseError[] = [];
  let data: unknown;
  try {
    data = parse(text, errors, { allowTrailingComma: true });
  } catch (cause) {
    throw new GatewayError("usage", "Cannot import the file: it is nested too deeply", { cause });
  }
  const [error] = errors;
  if (error !== undefined) {
    const line = text.slice(0, error.offset).split("\n").length;
    throw new GatewayError("usage", `Cannot import the file: line ${line} is not JSON`);
  }
  const file = v.safeParse(clientFile, data);
  for (const holder of file.success ? [file.output, file.output["mcp"]] : []) {
    if (!v.is(clientFile, holder)) continue;
    for (const list of LISTS) {
      const found = v.safeParse(entries, holder[list]);
      if (found.success && !Array.isArray(holder[list])) return found.output;
    }
  }
  throw new GatewayError("usage", `Cannot import the file: it has none of ${LISTS.join(", ")}`);
}

function convert(from: string, name: string, entry: ClientServer): Imported | string {
  const program = programOf(entry);
  if (typeof program === "string") return program;
  const open = secretArgument(program.args) ?? secretParameter(program.source);
  if (open !== undefined) {
    return `its ${open} holds a secret, which would stand in the config for all to read: ` +
      `see whether it takes a ${
        /^https?:/.test(program.source) ? "header" : "variable"
      }, and add it by hand`;
  }
  const secrets = new Map<string, string>();
  const notes = [...program.notes];
  const { env, refs } = split(name, new Map([...program.env, ...Object.entries(entry.env)]), {
    secrets,
    notes,
  });
  const remote = /^https?:/.test(program.source);
  for (const path of program.args.filter((arg) => /^(?:\/|~\/|[A-Za-z]:[\\/])/.test(arg))) {
    if (program.volumes.some((volume) => volume.includes(`:${path}`))) continue;
    notes.push(
      `${path} may be a path of this machine, which it does not see: add it under volumes`,
    );
  }
  const headers = remote ? headersOf(name, { ...program, entry }, { refs, secrets, notes }) : {};
  const allow = [...entry.alwaysAllow, ...entry.autoApprove];
  return {
    from,
    name,
    secrets,
    notes,
    fields: {
      source: program.source,
      ...(program.args.length > 0 && { args: program.args }),
      ...(!remote && Object.keys(env).length > 0 && { env }),
      ...(Object.keys(headers).length > 0 && { headers }),
      ...(Object.keys(refs).length > 0 && { secrets: refs }),
      ...(program.volumes.length > 0 && { volumes: program.volumes }),
      ...withoutHeaders(program.fields),
      ...(allow.length > 0 && { tools: { allow } }),
    },
  };
}

function programOf(entry: ClientServer): ProgramSource | string {
  const url = entry.url ?? entry.serverUrl ?? entry.httpUrl;
  if (url !== undefined) {
    return { source: url, args: [], env: new Map(), volumes: [], fields: {}, notes: [] };
  }
  const [command, ...first] = Array.isArray(entry.command)
    ? entry.command
    : entry.command === undefined
    ? []
    : [entry.command];
  if (command === undefined) return "it has neither a command nor a URL";
  return readProgram(command, [...first, ...entry.args]);
}

/** Where what was found goes. */
interface Found {
  readonly secrets: Map<string, string>;
  readonly notes: string[];
}

/** Plain variables, and references of those that are secret or the surroundings'. */
function split(
  server: string,
  all: ReadonlyMap<string, string | null | undefined>,
  { secrets, notes }: Found,
): { readonly env: Record<string, string>; readonly refs: Record<string, string> } {
  const env: Record<string, string> = {};
  const refs: Record<string, string> = {};
  for (const [variable, value] of all) {
    const outside = value === undefined || value === null ? variable : variableOf(value);
    const kept = `${server}.${
      secrets.has(`${server}.${variable.toLowerCase()}`) ? variable : variable.toLowerCase()
    }`;
    if (outside !== undefined) refs[variable] = `env:${outside}`;
    else if (promptOf(value ?? "") !== undefined || isPlaceholder(value ?? "")) {
      refs[variable] = `store:${kept}`;
      notes.push(`Its ${variable} is missing: run "mcp-runner secret set ${kept}"`);
    } else if (isSecret(variable, value ?? "")) {
      refs[variable] = `store:${kept}`;
      secrets.set(kept, value ?? "");
    } else env[variable] = value ?? "";
  }
  return { env, refs };
}

/** Headers, in which `${NAME}` stands for what was secret in them. */
function headersOf(
  server: string,
  { fields, entry }: ProgramSource & { readonly entry: ClientServer },
  { refs, secrets, notes }: Found & { readonly refs: Record<string, string> },
): Record<string, string> {
  const given = { ...fields["headers"] as Record<string, string> | undefined, ...entry.headers };
  const headers: Record<string, string> = {};
  for (const [header, value] of Object.entries(given)) {
    const [, scheme = "", rest = ""] =
      /^((?:Bearer|Basic|Token)\s+)?([\s\S]*)$/i.exec(value ?? "") ??
        [];
    const variable = header.toUpperCase().replace(/[^A-Z0-9]+/g, "_");
    const { env, refs: made } = split(server, new Map([[variable, rest]]), { secrets, notes });
    Object.assign(refs, made);
    headers[header] = variable in made ? `${scheme}\${${variable}}` : `${scheme}${env[variable]}`;
  }
  return headers;
}

function withoutHeaders(fields: Readonly<Record<string, unknown>>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(fields).filter(([field]) => field !== "headers"));
}
