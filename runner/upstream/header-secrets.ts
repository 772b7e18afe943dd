import { GatewayError } from "../../src/errors.ts";
import type { ServerConfig } from "../config/config.ts";
import type { Secrets } from "../secrets/secrets.ts";

const PLACEHOLDER = /\$\{([^}]*)\}/g;

/**
 * The headers of a server with the secrets that they name: `${NAME}` stands for the secret `NAME` of the
 * same server. Each is asked for once.
 *
 * @throws {GatewayError} `config_invalid` for a name that the server has no secret for; `secret_missing`.
 */
export async function resolveHeaders(
  { name: server, headers, secrets: references }: Pick<
    ServerConfig,
    "name" | "headers" | "secrets"
  >,
  secrets: Secrets,
): Promise<Readonly<Record<string, string>>> {
  const values = new Map<string, string>();
  for (const [header, text] of Object.entries(headers)) {
    for (const [, name = ""] of text.matchAll(PLACEHOLDER)) {
      if (values.has(name)) continue;
      const reference = Object.hasOwn(references, name) ? references[name] : undefined;
      if (reference === undefined) throw unknown(server, header, name);
      values.set(name, await secrets.resolve(reference, server));
    }
  }
  return Object.fromEntries(
    Object.entries(headers).map(([header, text]) => [
      header,
      // A function, because a value may hold "$&".
      text.replace(PLACEHOLDER, (_, name: string) => values.get(name) ?? ""),
    ]),
  );
}

/** The name is repeated only if it looks like one: somebody may have written the secret itself. */
function unknown(server: string, header: string, name: string): GatewayError {
  const what = /^[A-Za-z_][A-Za-z0-9_]{0,63}$/.test(name) ? `\${${name}}` : "a placeholder";
  return new GatewayError(
    "config_invalid",
    `Cannot start server "${server}": its header ${header} has ${what} in it, but under secrets it ` +
      "has none of that name",
  );
}
