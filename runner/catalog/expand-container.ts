import { GatewayError } from "../../src/errors.ts";
import type { ServerConfig } from "../config/config.ts";
import { type EgressTarget, parseEgressTarget } from "../config/egress-target.ts";
import { type ExtraHost, parseExtraHost } from "../config/extra-host.ts";
import type { Life } from "../config/life.ts";
import { quote } from "../config/problem.ts";
import { parseSource } from "../config/source.ts";
import { type NamedVolume, parseVolume, type Volume } from "../config/volume.ts";
import type { SecretReference } from "../secrets/reference.ts";
import type { Expansion } from "./expand.ts";
import {
  type EntrySecrets,
  referencesIn,
  secretsOf,
  textSecret,
  withReferences,
} from "./expand-secrets.ts";
import { isEmpty, renderItems, renderText } from "./template.ts";

/** How long a server that keeps a state of its own for a client lives on without a call. */
const LONG_LIVED_IDLE_MS = 60 * 60_000;

const VARIABLE = /^[A-Za-z_][A-Za-z0-9_]*$/;

const USER = /^[A-Za-z0-9_.-]{1,64}(?::[A-Za-z0-9_.-]{1,64})?$/;

/**
 * A server in a container.
 *
 * @throws {GatewayError} `config_invalid`.
 */
export function expandContainer(expansion: Expansion, sourceText: string): ServerConfig {
  const { config, entry } = expansion;
  refuseRemoteFields(config);
  const secrets = secretsOf(entry, config);
  const { env, made } = variables(expansion, secrets);
  const parts = new Set(entry.secrets.filter((it) => it.isPart).map(({ variable }) => variable));
  const handed = [...secrets].filter(([variable]) => !parts.has(variable));
  for (const [variable] of handed) checkVariable(variable);
  return {
    ...config,
    source: parseSource(sourceText),
    args: config.given.includes("args") ? config.args : command(expansion, secrets, env),
    env: { ...env, ...config.env },
    secrets: {
      ...Object.fromEntries(handed),
      ...made,
      ...Object.fromEntries(Object.entries(config.secrets).filter(([name]) => !parts.has(name))),
    },
    ...volumes(expansion),
    user: config.user ?? user(expansion),
    network: network(expansion),
    extraHosts: extraHosts(expansion),
    life: life(expansion),
  };
}

/** Variables with plain values, and those whose values hold secrets. */
function variables({ config, entry, scope, note }: Expansion, secrets: EntrySecrets) {
  const env: Record<string, string> = {};
  const made: Record<string, SecretReference> = {};
  const declared = new Set(entry.secrets.map(({ variable }) => variable));
  for (const { name, value } of entry.env) {
    if (name in config.env || name in config.secrets || name in config.secretFiles) continue;
    checkVariable(name);
    const { text, hasGap } = renderText(value, scope);
    if (hasGap) continue;
    const named = referencesIn(value).filter((it) => declared.has(it));
    if (named.length === 0) {
      env[name] = withReferences(text, (other) => env[other]);
    } else if (named.every((it) => secrets.has(it))) {
      made[name] = textSecret(text, secrets);
    } else {
      note(`Its variable ${name} is left out: ${named.join(", ")} is not given under secrets`);
    }
  }
  return { env, made };
}

function command(
  { entry, scope }: Expansion,
  secrets: EntrySecrets,
  env: Readonly<Record<string, string>>,
): readonly string[] {
  const declared = new Set(entry.secrets.map(({ variable }) => variable));
  return entry.command
    .filter(({ needs }) => needs === undefined || !isEmpty(scope.lookup(needs)))
    .flatMap(({ template }) => {
      const secret = referencesIn(template).find((name) => declared.has(name) || secrets.has(name));
      if (secret !== undefined) {
        throw refused(
          `its command holds the secret ${secret}, which whoever may use the Docker engine could ` +
            "read, write a command without it under args",
        );
      }
      return renderItems(template, scope)
        .filter(({ text, hasGap }) => !(hasGap && text === ""))
        .map(({ text }) => withReferences(text, (name) => env[name]));
    });
}

function volumes({ config, entry, scope, place, note }: Expansion): {
  readonly volumes: readonly Volume[];
  readonly namedVolumes: readonly NamedVolume[];
} {
  const given = [...config.volumes, ...config.namedVolumes];
  const taken = new Set(given.map(({ containerPath }) => containerPath));
  const own: (Volume | NamedVolume)[] = [];
  for (const template of entry.volumes) {
    for (const { text, hasGap } of renderItems(template, scope)) {
      if (hasGap) {
        note(`Its volume ${quote(template)} is left out: nothing is given for it under config`);
        continue;
      }
      const volume = parseVolume(text, place);
      if (taken.has(volume.containerPath)) continue;
      taken.add(volume.containerPath);
      own.push(volume);
    }
  }
  return {
    volumes: [...config.volumes, ...own.flatMap((it) => "hostPath" in it ? [it] : [])],
    namedVolumes: [...config.namedVolumes, ...own.flatMap((it) => "volume" in it ? [it] : [])],
  };
}

function user({ config, entry, scope, note }: Expansion): string | undefined {
  if (entry.user === undefined) return undefined;
  const { text, hasGap } = renderText(entry.user, scope);
  if (hasGap || text === "") return undefined;
  if (!USER.test(text)) throw refused(`its user ${quote(text)} is not one, such as 1000:1000`);
  if (/^(?:root|0+)(?::|$)/.test(text) && !config.isolation.root) {
    note("It wants to run as root, which it does not without root: true");
    return undefined;
  }
  return text;
}

function network({ config, entry, note }: Expansion): readonly EgressTarget[] {
  if (config.given.includes("network") || entry.disableNetwork) return config.network;
  return entry.allowHosts.flatMap((text) => tried(() => parseEgressTarget(text), note));
}

function extraHosts({ config, entry, note }: Expansion): readonly ExtraHost[] {
  const taken = new Set(config.extraHosts.map(({ host }) => host));
  const own = entry.extraHosts.flatMap((text) => tried(() => parseExtraHost(text), note));
  return [...config.extraHosts, ...own.filter(({ host }) => !taken.has(host))];
}

/** A server that keeps a state for each client is one of its own for each, and stays for a while. */
function life({ config, entry }: Expansion): Life {
  const { life } = config;
  const isUnsaid = !config.given.includes("lifetime") && !config.given.includes("idle");
  if (!entry.isLongLived || !isUnsaid) return life;
  return { ...life, lifetime: "client", idleMs: LONG_LIVED_IDLE_MS };
}

function refuseRemoteFields({ headers, oauth }: ServerConfig): void {
  const field = Object.keys(headers).length > 0 ? "headers" : oauth && "oauth";
  if (field !== undefined) {
    throw refused(`${field} is for servers at a URL, remove it: this one is in a container`);
  }
}

function checkVariable(name: string): void {
  if (!VARIABLE.test(name)) throw refused(`it has a variable ${quote(name)}, which is not a name`);
}

function tried<T>(read: () => T, note: (line: string) => void): readonly T[] {
  try {
    return [read()];
  } catch (error) {
    if (!(error instanceof GatewayError)) throw error;
    note(`Not used: ${error.message}`);
    return [];
  }
}

function refused(message: string): GatewayError {
  return new GatewayError("config_invalid", message);
}
