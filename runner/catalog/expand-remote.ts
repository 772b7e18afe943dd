import { GatewayError } from "../../src/errors.ts";
import type { ServerConfig } from "../config/config.ts";
import { quote } from "../config/problem.ts";
import { parseSource } from "../config/source.ts";
import { isLocal } from "../upstream/guard.ts";
import type { EntryProgram } from "./entry.ts";
import type { Expansion } from "./expand.ts";
import { referencesIn, secretsOf } from "./expand-secrets.ts";
import { renderText } from "./template.ts";

type Remote = Extract<EntryProgram, { kind: "remote" }>;

const HEADER = /^[!#$%&'*+.^_`|~0-9A-Za-z-]{1,128}$/;

/**
 * A server at a URL. A header whose secret or parameter is not given is left out.
 *
 * @throws {GatewayError} `config_invalid`.
 */
export function expandRemote(expansion: Expansion, remote: Remote): ServerConfig {
  const { config, entry, scope, note } = expansion;
  refuseContainerFields(config);
  const { text: url, hasGap } = renderText(remote.url, scope);
  if (hasGap) throw refused("its URL needs a parameter that is not given under config");
  const source = parseSource(url);
  if (source.kind !== "http") throw refused("its URL is not one, such as https://example.com/mcp");
  // An address of this machine is let through because its user has written it; here a catalog has.
  if (isLocal(new URL(source.url)) && !config.allowPrivate) {
    throw refused("its URL is on this machine: if that is yours, set allowPrivate: true");
  }

  const secrets = secretsOf(entry, config);
  const own = new Set(Object.keys(config.headers).map((name) => name.toLowerCase()));
  const headers: Record<string, string> = {};
  for (const [name, template] of Object.entries(remote.headers)) {
    if (own.has(name.toLowerCase())) continue;
    if (!HEADER.test(name)) throw refused(`it has a header ${quote(name)}, which is not a name`);
    const { text, hasGap: isGap } = renderText(template, scope);
    const missing = referencesIn(template).filter((it) => !secrets.has(it));
    if (isGap || missing.length > 0) {
      note(`Its header ${name} is left out: ${missing.join(", ") || "its value"} is not given`);
      continue;
    }
    if (!/^[\t\x20-\x7e]*$/.test(text)) {
      throw refused(`its header ${name} has characters that no header may have`);
    }
    headers[name] = text.replace(/\$([A-Za-z_][A-Za-z0-9_]*)/g, "${$1}");
  }
  const all = { ...headers, ...config.headers };
  const used = new Set(Object.values(all).flatMap(referencesIn));
  return {
    ...config,
    source: { ...source, ...(remote.transport === "sse" && { transport: "sse" }) },
    headers: all,
    secrets: {
      ...Object.fromEntries([...secrets].filter(([variable]) => used.has(variable))),
      ...config.secrets,
    },
    oauth: config.oauth ?? (remote.isOAuth ? { scopes: remote.scopes } : undefined),
  };
}

function refuseContainerFields({ args, env, volumes, namedVolumes }: ServerConfig): void {
  const given = { args, env: Object.keys(env), volumes: [...volumes, ...namedVolumes] };
  const field = Object.entries(given).find(([, value]) => value.length > 0)?.[0];
  if (field !== undefined) {
    throw refused(`${field} is for servers in containers, remove it: this one is at a URL`);
  }
}

function refused(message: string): GatewayError {
  return new GatewayError("config_invalid", message);
}
