import { GatewayError } from "../../src/errors.ts";
import { printable } from "../../src/log.ts";
import { type Config, loadConfig } from "../config/config.ts";
import { openHome } from "../local/home.ts";
import { STORE_KINDS, type StoredSecret, type StoreKind } from "../secrets/index-file.ts";
import { storeNames } from "../secrets/store-names.ts";
import { openSecretStore, type SecretStore } from "../secrets/store.ts";
import {
  CONFIG_OPTION,
  DEFAULT_CONFIG,
  JSON_OPTION,
  readArguments,
  usageError,
} from "./arguments.ts";
import { commands } from "./commands.ts";
import { humanLog, type Terminal } from "./terminal.ts";

const OPTIONS = { ...JSON_OPTION, ...CONFIG_OPTION, store: { type: "string" } } as const;

/** `secret set | ls | rm`: the secrets that servers of this user's configs can refer to. */
export async function secret(args: readonly string[], terminal: Terminal): Promise<void> {
  const { usage } = commands["secret"] ?? { usage: "" };
  const { values, positionals: [action, ...names] } = readArguments(args, OPTIONS, usage);
  const open = async () =>
    openSecretStore({ home: await openHome(), env: terminal.env, log: humanLog(terminal) });
  const json = values.json ?? false;
  switch (action) {
    case "set": {
      const [name, ...more] = names;
      if (name === undefined) throw usageError("secret set needs a name", usage);
      if (more.length > 0 || name.includes("=")) throw valueGiven(usage);
      const kind = readKind(values.store, usage);
      const stored = await set(await open(), name, kind, terminal);
      if (json) terminal.out(JSON.stringify({ ok: true, secret: stored }));
      else terminal.note(`Kept ${name} in ${placeOf(stored)}; refer to it as store:${name}`);
      return;
    }
    case "ls": {
      if (names.length > 0) throw usageError("secret ls takes no name", usage);
      const uses = usesOf(await configOf(values.config, terminal));
      return list(await (await open()).list(), uses, json, terminal);
    }
    case "rm":
      if (names.length === 0) throw usageError("secret rm needs a name", usage);
      return await remove(await open(), names, json, terminal);
    default:
      throw usageError("secret needs set, ls or rm", usage);
  }
}

async function set(
  store: SecretStore,
  name: string,
  kind: StoreKind | undefined,
  terminal: Terminal,
): Promise<StoredSecret> {
  // Refuses what is no name before anybody types a secret.
  await store.has(name);
  const text = await terminal.askHidden(`Value of ${name} (not shown): `);
  // Of `echo` and of editors.
  return await store.set(name, text.replace(/\r?\n$/, ""), kind);
}

async function remove(
  store: SecretStore,
  names: readonly string[],
  json: boolean,
  terminal: Terminal,
): Promise<void> {
  const removed: string[] = [];
  for (const name of names) if (await store.remove(name)) removed.push(name);
  const unknown = names.filter((name) => !removed.includes(name));
  if (removed.length > 0 && !json) terminal.note(`Removed ${removed.join(", ")}`);
  if (unknown.length > 0) {
    throw new GatewayError(
      "secret_missing",
      `There is no secret ${unknown.map(printable).join(", ")}`,
    );
  }
  if (json) terminal.out(JSON.stringify({ ok: true, removed }));
}

/** Names of the servers that use a secret, by its name. */
type Uses = ReadonlyMap<string, readonly string[]>;

function list(
  stored: readonly StoredSecret[],
  uses: Uses,
  json: boolean,
  terminal: Terminal,
): void {
  const secrets = stored.map((one) => ({ ...one, servers: uses.get(one.name) ?? [] }));
  const missing = [...uses].filter(([name]) => stored.every((one) => one.name !== name))
    .map(([name, servers]) => ({ name, servers }));
  if (json) {
    terminal.out(JSON.stringify({ ok: true, secrets, missing }));
    return;
  }
  for (const one of secrets) {
    const [, login] = /^oauth\.(.+)$/.exec(one.name) ?? [];
    const servers = login === undefined ? one.servers : [...one.servers, `the login to ${login}`];
    const used = servers.length === 0 ? "" : `  used by ${servers.join(", ")}`;
    terminal.out(`${one.name}  ${placeOf(one)}  ${one.changedAt.slice(0, 10)}${used}`);
  }
  for (const { name, servers } of missing) {
    terminal.out(
      `${name}  missing, needed by ${servers.join(", ")}: run mcp-runner secret set ${name}`,
    );
  }
  if (secrets.length + missing.length === 0) terminal.note("No secrets");
}

/** The config that says which servers use what; without one, or with a broken one, nothing is known. */
async function configOf(file: string | undefined, terminal: Terminal): Promise<Config | undefined> {
  if (file !== undefined) return await loadConfig(file);
  try {
    return await loadConfig(DEFAULT_CONFIG);
  } catch (error) {
    const cause = error instanceof Error ? error.cause : undefined;
    const absent = (cause as NodeJS.ErrnoException | undefined)?.code === "ENOENT";
    if (!absent) terminal.note(`warning: ${DEFAULT_CONFIG} has problems: uses are not shown`);
    return undefined;
  }
}

function usesOf(config: Config | undefined): Uses {
  const uses = new Map<string, string[]>();
  for (const server of config?.servers ?? []) {
    for (const name of storeNames(server)) uses.set(name, [...(uses.get(name) ?? []), server.name]);
  }
  return uses;
}

function placeOf({ helper }: StoredSecret): string {
  return helper === undefined ? "encrypted file" : `keychain (docker-credential-${helper})`;
}

function readKind(text: string | undefined, usage: string): StoreKind | undefined {
  if (text === undefined) return undefined;
  const kind = STORE_KINDS.find((one) => one === text);
  if (kind === undefined) throw usageError("--store must be file or keychain", usage);
  return kind;
}

/** Neither repeats the value, nor lets it be taken for kept. */
function valueGiven(usage: string): GatewayError {
  return usageError(
    "secret set takes no value as an argument: it is in your shell's history and was in the list of " +
      "processes now. Delete it from the history, run the command with the name alone, and type the " +
      "value when asked or give it on stdin",
    usage,
  );
}
