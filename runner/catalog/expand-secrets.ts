import type { ServerConfig } from "../config/config.ts";
import type { SecretReference } from "../secrets/reference.ts";
import type { CatalogEntry } from "./entry.ts";
import { secretName } from "./server-json-inputs.ts";

/** The secrets of an entry by their variables, each with where its value is. */
export type EntrySecrets = ReadonlyMap<string, SecretReference>;

/**
 * Where the secrets of an entry come from: what the user's `secrets` say, else the store, under the
 * entry's own name. One that is not required is taken only if the user names it, and one for which the
 * user gives a plain value under `env` is none.
 */
export function secretsOf(entry: CatalogEntry, config: ServerConfig): EntrySecrets {
  const known = new Map<string, SecretReference>();
  for (const { name, variable, required } of entry.secrets) {
    const given = Object.hasOwn(config.secrets, variable) ? config.secrets[variable] : undefined;
    if (given !== undefined) known.set(variable, given);
    else if (required && !(variable in config.env) && !(variable in config.secretFiles)) {
      known.set(variable, { kind: "store", name: secretName(name) });
    }
  }
  return known;
}

/** `$NAME` and `${NAME}` in a text. */
const REFERENCE = /\$(?:\{([A-Za-z_][A-Za-z0-9_]*)\}|([A-Za-z_][A-Za-z0-9_]*))/g;

/** The names that a text refers to as `$NAME` or `${NAME}`. */
export function referencesIn(text: string): readonly string[] {
  return [...text.matchAll(REFERENCE)].map(([, braced, plain]) => braced ?? plain ?? "");
}

/** The text with `$NAME` and `${NAME}` replaced where `valueOf` knows the name. */
export function withReferences(
  text: string,
  valueOf: (name: string) => string | undefined,
): string {
  return text.replace(
    REFERENCE,
    (whole, braced: string | undefined, plain: string | undefined) =>
      valueOf(braced ?? plain ?? "") ?? whole,
  );
}

/** A text with secrets in it, as a secret of its own. */
export function textSecret(text: string, secrets: EntrySecrets): SecretReference {
  const [only] = referencesIn(text);
  const alone = only === undefined ? undefined : secrets.get(only);
  if (alone !== undefined && (text === `$${only}` || text === `\${${only}}`)) return alone;
  const parts = Object.fromEntries(
    referencesIn(text).flatMap((name) => {
      const reference = secrets.get(name);
      return reference === undefined ? [] : [[name, reference] as const];
    }),
  );
  const uniform = withReferences(text, (name) => secrets.has(name) ? `\${${name}}` : undefined);
  return { kind: "text", text: uniform, parts };
}
