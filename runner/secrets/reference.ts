import { GatewayError } from "../../src/errors.ts";

/** Where the value of a secret is. The config holds this, never a value. */
export type SecretReference =
  /** Put there by `mcp-runner secret set <name>`. */
  | { readonly kind: "store"; readonly name: string }
  /** What the 1Password program `op read <uri>` prints. */
  | { readonly kind: "op"; readonly uri: string }
  /** What a program prints; run without a shell. */
  | { readonly kind: "exec"; readonly command: readonly string[] }
  /** A variable of the runner's own environment. */
  | { readonly kind: "env"; readonly name: string }
  /** The text of a file, absolute path. */
  | { readonly kind: "file"; readonly path: string }
  /**
   * A text in which `${NAME}` stands for the secret of that name in `parts`; whatever else looks so stays.
   * Made of entries of catalogs alone, never read from a config.
   */
  | {
    readonly kind: "text";
    readonly text: string;
    readonly parts: Readonly<Record<string, SecretReference>>;
  };

/** How a reference is written, for messages. */
export const SECRET_GRAMMAR =
  "store:<name>, env:<variable>, file:<absolute path>, exec:<program and arguments> or op://<vault>/<item>/<field>";

/** Name of a secret in the store. */
export const SECRET_NAME = /^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$/;

/**
 * Reads a reference. Messages never repeat the text: somebody may have written the secret itself.
 *
 * @throws {GatewayError} `config_invalid`.
 */
export function parseSecretReference(text: string): SecretReference {
  const [, scheme = "", rest = ""] = /^([a-z]+):([\s\S]*)$/.exec(text) ?? [];
  switch (scheme) {
    case "store":
      if (SECRET_NAME.test(rest)) return { kind: "store", name: rest };
      throw refused('names no secret, use letters, digits, ".", "_" and "-" after store:');
    case "env":
      if (/^[A-Za-z_][A-Za-z0-9_]*$/.test(rest)) return { kind: "env", name: rest };
      throw refused("names no variable after env:");
    case "file":
      if (/^(?:\/|[A-Za-z]:[\\/])/.test(rest) && !rest.includes("\0")) {
        return { kind: "file", path: rest };
      }
      throw refused("is not an absolute path after file:");
    case "op":
      if (/^\/\/[^/\s]+\/[^/]+\/.+$/.test(rest)) return { kind: "op", uri: text };
      throw refused("is not of the form op://<vault>/<item>/<field>");
    case "exec": {
      const command = rest.split(/\s+/).filter((word) => word !== "");
      if (command.length > 0) return { kind: "exec", command };
      throw refused("names no program after exec:");
    }
    default:
      throw refused(
        `does not say where the secret is, write ${SECRET_GRAMMAR} (never the secret itself)`,
      );
  }
}

/** A reference as it is written; for messages and what is shown before a start. */
export function referenceText(reference: SecretReference): string {
  switch (reference.kind) {
    case "store":
      return `store:${reference.name}`;
    case "op":
      return reference.uri;
    case "exec":
      return `exec:${reference.command.join(" ")}`;
    case "env":
      return `env:${reference.name}`;
    case "file":
      return `file:${reference.path}`;
    case "text":
      return `a text with ${Object.values(reference.parts).map(referenceText).join(", ")}`;
  }
}

function refused(message: string): GatewayError {
  return new GatewayError("config_invalid", message);
}
