import { readFile, stat } from "node:fs/promises";
import { posix, win32 } from "node:path";
import { GatewayError } from "../../src/errors.ts";
import { printable } from "../../src/log.ts";
import { defaultPrefix } from "../../src/mcp/name.ts";
import type { ServerRules } from "../../src/policy/allowlist.ts";
import { type BindMachine, thisMachine } from "../docker/bind.ts";
import { homeDirectory } from "../local/home.ts";
import type { TaskRules } from "../task/policy.ts";
import { checkData } from "./check.ts";
import { readDocument } from "./document.ts";
import type { SecretReference } from "../secrets/reference.ts";
import type { EgressTarget } from "./egress-target.ts";
import type { ExtraHost } from "./extra-host.ts";
import type { Isolation } from "./isolation.ts";
import type { Life } from "./life.ts";
import type { Limits } from "./limits.ts";
import { formatPath, problemsError } from "./problem.ts";
import type { ServerSource } from "./source.ts";
import type { NamedVolume, Volume } from "./volume.ts";

export type { Limits, ServerSource, Volume };

/** One MCP server, as the user wants it to run. What the file does not allow is not allowed. */
export interface ServerConfig extends ServerRules {
  /** 1 to 32 of a to z, 0 to 9 and `-`; unique in a configuration. */
  readonly name: string;
  readonly source: ServerSource;
  /** What the names of its tools and prompts begin with; may be empty. */
  readonly prefix: string;
  /** Appended to the command of the image. */
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  /** Sent with every request to a server at a URL; may hold credentials. */
  readonly headers: Readonly<Record<string, string>>;
  /** Variables whose values are secrets; of a server at a URL, what `${NAME}` in its headers stands for. */
  readonly secrets: Readonly<Record<string, SecretReference>>;
  /** Variables that hold the path of a file with a secret. */
  readonly secretFiles: Readonly<Record<string, SecretReference>>;
  /** Whether secrets may be handed over as the container's environment, where no other way works. */
  readonly allowEnvSecrets: boolean;
  /** Whether values of secrets are taken out of results, as they are out of logs. */
  readonly redactResults: boolean;
  /** Whether its tools and prompts are hidden when they are no longer what was agreed to. */
  readonly pins: boolean;
  /** How we are known to the authorization server of a server at a URL. */
  readonly oauth: OAuthClient | undefined;
  /** Whether a server at a URL may be at a private address. */
  readonly allowPrivate: boolean;
  readonly volumes: readonly Volume[];
  readonly namedVolumes: readonly NamedVolume[];
  /** Where it may connect to; nowhere if empty. */
  readonly network: readonly EgressTarget[];
  /** Addresses of names in `network`, in place of what DNS says. */
  readonly extraHosts: readonly ExtraHost[];
  /** User of the container; that of the image unless given. */
  readonly user: string | undefined;
  readonly isolation: Isolation;
  readonly life: Life;
  /** Names of the fields that the file has of it: a catalog's entry decides about the others. */
  readonly given: readonly string[];
  /** The source that it has in the config, if a catalog said what that is. */
  readonly catalog?: string;
  /** Values for the parameters of its catalog entry. */
  readonly settings: Readonly<Record<string, unknown>>;
  /** Which tools make tasks. */
  readonly tasks: TaskRules;
  readonly limits: Limits;
}

/** What an authorization server was told of us, where it has to be told by hand. */
export interface OAuthClient {
  readonly clientId?: string | undefined;
  readonly clientSecret?: SecretReference | undefined;
  readonly scopes: readonly string[];
}

/** Which images must be signed, and by whom. */
export interface SignatureRule {
  /** Pattern over image names without tag and digest, `*` and `?` as wildcards. */
  readonly match: string;
  /** File with a public key in PEM, absolute. */
  readonly key?: string | undefined;
  /** Identity in a certificate of Sigstore, and the URL of who vouches for it. */
  readonly identity?: string | undefined;
  readonly issuer?: string | undefined;
  /** File with the authorities and logs that are trusted for that, absolute: Sigstore's `trusted_root.json`. */
  readonly trustedRoot?: string | undefined;
}

/** A configuration file that holds nothing wrong. */
export interface Config {
  /** Absolute path of the file. */
  readonly path: string;
  /** In the order of the file. */
  readonly servers: readonly ServerConfig[];
  /** Named sets of servers. */
  readonly profiles: Readonly<Record<string, readonly string[]>>;
  /** Catalogs of the user's own: absolute paths and https URLs. */
  readonly catalogs: readonly string[];
  readonly signed: readonly SignatureRule[];
}

/** Largest accepted file. A configuration of a hundred servers has a fiftieth of it. */
export const MAX_CONFIG_BYTES = 1024 * 1024;

const EXAMPLE = `version: 1
servers:
  everything: { source: "npm:@modelcontextprotocol/server-everything@2026.8.31", args: [stdio], tools: { allow: [echo] } }`;

/** Where a configuration lies and on what machine. */
export interface ConfigPlace {
  /** The file as the user named it, for messages. */
  readonly file: string;
  /** Folder that a relative `file` is in, absolute. */
  readonly cwd: string;
  readonly machine: BindMachine;
}

/**
 * Reads a configuration file of this machine; a relative `file` is one of the working directory.
 *
 * @throws {GatewayError} `config_invalid`: the file cannot be read, or the list of all that is wrong in it.
 */
export async function loadConfig(file: string): Promise<Config> {
  const text = await readText(file);
  return await parseConfig(text, { file, cwd: process.cwd(), machine: configMachine() });
}

/** The machine whose paths a config names. */
export function configMachine(): BindMachine {
  const machine = thisMachine(undefined);
  return { ...machine, ours: [...machine.ours, homeDirectory()] };
}

/**
 * Reads the text of a configuration file. Looks at nothing but its arguments.
 *
 * @throws {GatewayError} `config_invalid` with one line `file:line:col path: text` for each problem.
 */
export async function parseConfig(
  text: string,
  { file, cwd, machine }: ConfigPlace,
): Promise<Config> {
  const { resolve, dirname } = machine.platform === "win32" ? win32 : posix;
  const path = resolve(cwd, file);
  const document = await readDocument(text);
  if (document.problems.length > 0) throw problemsError({ file, text }, document.problems);
  if (document.data === null || document.data === undefined) {
    throw new GatewayError(
      "config_invalid",
      `Cannot use ${printable(file)}: it is empty, write for example\n${EXAMPLE}`,
    );
  }
  const checked = checkData(document.data, { ...machine, directory: dirname(path) });
  if ("config" in checked) {
    const { servers: entries, profiles, catalogs, images } = checked.config;
    const servers = Object.entries(entries);
    const absolute = (named: string) =>
      named.startsWith("~/")
        ? resolve(machine.home, named.slice(2))
        : resolve(dirname(path), named);
    return {
      path,
      profiles,
      catalogs: catalogs.map((place) => place.startsWith("https://") ? place : absolute(place)),
      signed: images.signed?.map(({ key, trustedRoot, ...rule }) => ({
        ...rule,
        ...(key !== undefined && { key: absolute(key) }),
        ...(trustedRoot !== undefined && { trustedRoot: absolute(trustedRoot) }),
      })) ?? [],
      servers: servers.map(([name, { prefix = defaultPrefix(name), ...server }]) => ({
        name,
        prefix,
        ...server,
      })),
    };
  }
  const problems = checked.findings.map(({ path: keys, atKey, message }) => ({
    offset: document.offsetOf(keys, atKey ? "key" : "value"),
    subject: formatPath(keys),
    text: message,
  }));
  throw problemsError({ file, text }, problems);
}

async function readText(file: string): Promise<string> {
  const refuse = (why: string, cause?: unknown) =>
    new GatewayError("config_invalid", `Cannot read ${printable(file)}: ${why}`, { cause });
  try {
    const facts = await stat(file);
    if (facts.isDirectory()) throw refuse("it is a folder, name the file in it");
    if (!facts.isFile()) throw refuse("it is not a regular file, copy its text into one");
    if (process.platform !== "win32" && (facts.mode & 0o002) !== 0) {
      throw refuse(`every user of this machine may change it, run "chmod o-w ${printable(file)}"`);
    }
    if (facts.size > MAX_CONFIG_BYTES) {
      throw refuse(`it has ${facts.size} bytes, at most ${MAX_CONFIG_BYTES} are allowed`);
    }
    const bytes = await readFile(file);
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch (error) {
    if (error instanceof GatewayError) throw error;
    if (error instanceof TypeError) throw refuse("it is not UTF-8, save it as UTF-8", error);
    switch ((error as NodeJS.ErrnoException).code) {
      case "ENOENT":
        throw refuse(
          'there is no such file, make one with "mcp-runner add <source>", for example ' +
            '"mcp-runner add npm:@modelcontextprotocol/server-everything@2026.8.31 -- stdio"',
          error,
        );
      case "EACCES":
      case "EPERM":
        throw refuse("this user may not read it, give the permission or name another", error);
      default:
        throw refuse(`the system answers ${(error as NodeJS.ErrnoException).code}`, error);
    }
  }
}
