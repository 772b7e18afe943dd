/**
 * The servers that Docker's gateway keeps in `~/.docker/mcp`: which are enabled (registry.yaml), their
 * settings (config.yaml), their allowed tools (tools.yaml), and a file of secrets if there is one.
 *
 * @module
 */
import * as v from "valibot";
import { GatewayError } from "../../src/errors.ts";
import { type Imported, type ImportFindings, nameFor, type Skipped } from "./imported.ts";

/** Texts of the files; undefined for one that is not there. */
export interface DockerFiles {
  readonly registry: string | undefined;
  readonly config: string | undefined;
  readonly tools: string | undefined;
  /** Lines `server.key=value`. */
  readonly secrets: string | undefined;
}

const anything = v.nullish(v.record(v.string(), v.unknown()), {});
const registryFile = v.nullish(v.object({ registry: anything }), { registry: {} });
const toolsFile = v.nullish(v.record(v.string(), v.nullish(v.array(v.string()), [])), {});

/**
 * Reads the files.
 *
 * @param taken Names that servers have here.
 * @throws {GatewayError} `usage` for a file that is not written as Docker's gateway does.
 */
export async function readDockerHome(
  files: DockerFiles,
  taken: ReadonlySet<string>,
): Promise<ImportFindings> {
  const { registry } = await read("registry.yaml", files.registry, registryFile);
  const config = await read("config.yaml", files.config, anything);
  const tools = await read("tools.yaml", files.tools, toolsFile);
  const secrets = readSecrets(files.secrets);
  const names = new Set(taken);
  const imported: Imported[] = [];
  const skipped: Skipped[] = [];
  for (const from of Object.keys(registry)) {
    if (!/^[A-Za-z0-9][A-Za-z0-9_.-]{0,127}$/.test(from)) {
      skipped.push({ from, why: "its name is none of a catalog" });
      continue;
    }
    const name = nameFor(from, names);
    names.add(name);
    // Docker's gateway keeps settings under the name with "_" for each dot.
    const settings = config[from] ?? config[from.replaceAll(".", "_")];
    const allow = tools[from] ?? ["*"];
    imported.push({
      from,
      name,
      fields: {
        source: `docker:${from}`,
        ...(v.is(v.record(v.string(), v.unknown()), settings) && { config: settings }),
        ...(allow.length > 0 && { tools: { allow } }),
      },
      secrets: new Map([...secrets].filter(([key]) => key.startsWith(`${from}.`))),
      notes: allow.length > 0 ? [] : ["None of its tools was enabled"],
    });
  }
  return { imported, skipped };
}

async function read<const S extends v.GenericSchema>(
  file: string,
  text: string | undefined,
  schema: S,
): Promise<v.InferOutput<S>> {
  const yaml = await import("yaml");
  let data: unknown = null;
  try {
    data = text === undefined ? null : yaml.parse(text, { maxAliasCount: 10 });
  } catch {
    throw new GatewayError("usage", `Cannot import ${file}: it is not YAML`);
  }
  const parsed = v.safeParse(schema, data);
  if (parsed.success) return parsed.output;
  throw new GatewayError("usage", `Cannot import ${file}: it is not as Docker's gateway writes it`);
}

function readSecrets(text = ""): ReadonlyMap<string, string> {
  const secrets = new Map<string, string>();
  for (const line of text.split(/\r?\n/)) {
    const equals = line.indexOf("=");
    if (line.startsWith("#") || equals < 1) continue;
    secrets.set(line.slice(0, equals).trim(), line.slice(equals + 1));
  }
  return secrets;
}
