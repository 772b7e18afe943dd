import { realpath } from "node:fs/promises";
import { posix, win32 } from "node:path";
import * as v from "valibot";
import { GatewayError } from "../../src/errors.ts";
import {
  pathsOf,
  renderItems,
  renderText,
  type TemplateScope,
  type Value,
} from "../catalog/template.ts";
import type { CommandTool } from "../config/command-tool.ts";
import { quote } from "../config/problem.ts";
import { type NamedVolume, parseVolume, type Volume, type VolumePlace } from "../config/volume.ts";

/** What of a container one call decides. */
export interface CallSpec {
  readonly command: readonly string[];
  readonly volumes: readonly Volume[];
  readonly namedVolumes: readonly NamedVolume[];
  readonly user: string | undefined;
}

/** What the calls of a server may have of this machine. */
export interface CallPlace {
  readonly volumes: VolumePlace;
  /** The volumes of the config: a call can name what is inside of them, and nothing else. */
  readonly open: readonly Volume[];
}

/** Arguments of a container together; the kernel takes about 2 MiB. */
const MAX_COMMAND_LENGTH = 1024 * 1024;

const schema = v.object({
  required: v.optional(v.array(v.string())),
  properties: v.optional(v.record(v.string(), v.unknown())),
});

const typeOf = v.object({ type: v.picklist(["string", "number", "integer", "boolean", "array"]) });

/**
 * Renders the templates of a tool with the arguments of a call, which are not trusted.
 *
 * @throws {GatewayError} `invalid_params` naming the argument, or a path that the config does not open.
 */
export async function callSpec(
  tool: CommandTool,
  args: Readonly<Record<string, unknown>>,
  { volumes: place, open }: CallPlace,
): Promise<CallSpec> {
  checkArguments(tool, args);
  const scope: TemplateScope = { lookup: (path) => valueAt(args, path.split(".")) };
  const command = tool.command.flatMap((template) =>
    renderItems(template, scope)
      .filter(({ text, hasGap }) => !(hasGap && text === ""))
      .map(({ text }) => text)
  );
  if (command.some((text) => text.includes("\0"))) {
    throw wrong("an argument holds a zero character, which no program can get");
  }
  if (command.join(" ").length > MAX_COMMAND_LENGTH) throw wrong("its arguments are too long");
  const volumes: Volume[] = [];
  const namedVolumes: NamedVolume[] = [];
  for (const template of tool.volumes) {
    for (const { text, hasGap } of renderItems(template, scope)) {
      if (hasGap) continue;
      const volume = readVolume(text, place);
      if ("hostPath" in volume) {
        const mount = await opened(volume, open, text);
        const isNew = volumes.every(({ containerPath }) => containerPath !== mount.containerPath);
        if (isNew) volumes.push(mount);
      } else if (pathsOf(template).length === 0) namedVolumes.push(volume);
      else throw wrong(`${quote(volume.volume)} is not a path`);
    }
  }
  const user = tool.user === undefined ? undefined : renderText(tool.user, scope);
  return {
    command,
    volumes,
    namedVolumes,
    user: user === undefined || user.hasGap ? undefined : readUser(user.text),
  };
}

function readVolume(text: string, place: VolumePlace): Volume | NamedVolume {
  try {
    return parseVolume(text, place);
  } catch (error) {
    if (!(error instanceof GatewayError)) throw error;
    // Its message may name a folder of the user; the caller is told what the caller wrote.
    throw wrong(`${quote(text)} is not a volume that this server may have`, error);
  }
}

/**
 * A volume of a call as the volume of the config that it is in has it: read only if that one is.
 *
 * Of a folder that runs can write to, a path is given as the whole folder: between this look at it and the
 * mount, a run could put a symlink in its place.
 *
 * @param text The volume as the call has it, which is all that messages may tell.
 */
async function opened(
  volume: Volume,
  open: readonly Volume[],
  text: string,
): Promise<Volume> {
  const hasMode = /:r[ow]$/.test(text);
  const real = await resolved(volume.hostPath);
  for (const { hostPath, readOnly } of open) {
    const root = await resolved(hostPath);
    if (real === undefined || root === undefined || !isWithin(real, root)) continue;
    if (readOnly || real === root) {
      const isReadOnly = readOnly || (hasMode && volume.readOnly);
      return { ...volume, hostPath: real, readOnly: isReadOnly };
    }
    if (isWithin(volume.hostPath, hostPath) && volume.containerPath === volume.hostPath) {
      return { hostPath: root, containerPath: hostPath, readOnly: hasMode && volume.readOnly };
    }
    throw wrong(`${quote(text)} is in a folder that can be written to, name that folder itself`);
  }
  throw wrong(
    `${
      quote(text)
    } is not in a folder that this server may see, which volumes in mcp-runner.yaml say`,
  );
}

/** Symlinks resolved, so that none leads out; undefined if there is no such file. */
async function resolved(path: string): Promise<string | undefined> {
  return await realpath(path).catch(() => undefined);
}

function isWithin(path: string, folder: string): boolean {
  const { relative, isAbsolute } = process.platform === "win32" ? win32 : posix;
  const way = relative(folder, path);
  return !isAbsolute(way) && way.split(/[\\/]/)[0] !== "..";
}

function readUser(text: string): string {
  if (/^[A-Za-z0-9_.-]{1,64}(?::[A-Za-z0-9_.-]{1,64})?$/.test(text)) return text;
  throw wrong(`${quote(text)} is not a user, such as 1000:1000`);
}

/** What is required is there, and what is there is of the type that the schema gives it. */
function checkArguments(tool: CommandTool, args: Readonly<Record<string, unknown>>): void {
  const { required = [], properties = {} } = v.parse(schema, JSON.parse(tool.inputSchema));
  const missing = required.find((name) => !Object.hasOwn(args, name));
  if (missing !== undefined) throw wrong(`the argument ${quote(missing)} is missing`);
  for (const [name, value] of Object.entries(args)) {
    const property = Object.hasOwn(properties, name) ? properties[name] : undefined;
    const known = v.safeParse(typeOf, property);
    if (known.success && !isOf(known.output.type, value)) {
      throw wrong(`the argument ${quote(name)} is not of the type ${known.output.type}`);
    }
  }
}

function isOf(type: v.InferOutput<typeof typeOf>["type"], value: unknown): boolean {
  switch (type) {
    case "array":
      return Array.isArray(value);
    case "integer":
      return Number.isInteger(value);
    case "string":
      return typeof value === "string";
    case "number":
      return typeof value === "number";
    case "boolean":
      return typeof value === "boolean";
  }
}

function valueAt(args: Readonly<Record<string, unknown>>, path: readonly string[]): Value {
  let at: unknown = args;
  for (const key of path) {
    if (typeof at !== "object" || at === null || !Object.hasOwn(at, key)) return undefined;
    at = (at as Readonly<Record<string, unknown>>)[key];
  }
  return at as Value;
}

function wrong(what: string, cause?: unknown): GatewayError {
  return new GatewayError("invalid_params", `Cannot call the tool: ${what}`, { cause });
}
