import { GatewayError } from "../../src/errors.ts";
import { readSecretFile } from "./file-reference.ts";
import { runProgram } from "./program.ts";
import type { Redactor } from "./redactor.ts";
import { referenceText, SECRET_NAME, type SecretReference } from "./reference.ts";
import type { Secrets } from "./secrets.ts";
import { MAX_VALUE_BYTES, openSecretStore, type SecretStorePlace } from "./store.ts";

/** Milliseconds that the program of an `exec:` or `op:` reference has. */
const DEADLINE_MS = 15_000;

/** A secret that is in one place. */
type PlainReference = Exclude<SecretReference, { readonly kind: "text" }>;

/** Where secrets are looked for. */
export interface SecretsPlace extends SecretStorePlace {
  /** Learns every value before anybody else sees it. */
  readonly redactor?: Redactor;
}

/**
 * What references stand for on this machine: in the store of the state directory, in files, in the
 * environment, and what programs print. Asks anew each time and keeps nothing.
 */
export function openSecrets(place: SecretsPlace): Secrets {
  const { home, env, log, redactor } = place;
  const store = openSecretStore(place);

  async function fromProgram([command = "", ...args]: readonly string[]): Promise<string> {
    const program = { command, args, env, deadlineMs: DEADLINE_MS, maxBytes: MAX_VALUE_BYTES };
    const { code, stdout } = await runProgram(program);
    if (code === 0) return stdout;
    throw new GatewayError("secret_missing", `the program ended with ${code}`);
  }

  async function read(reference: PlainReference): Promise<string> {
    switch (reference.kind) {
      case "store":
        // The config is checked where it is read, but catalogs make references as well.
        if (SECRET_NAME.test(reference.name)) return await store.get(reference.name) ?? "";
        throw new GatewayError("secret_missing", "this is no name of a secret");
      case "env":
        // It opens the secrets of all servers.
        if (reference.name !== "MCP_RUNNER_KEY") return env[reference.name] ?? "";
        throw new GatewayError("secret_missing", "this variable is not for servers");
      case "file": {
        const { value, mode } = await readSecretFile(reference.path, home);
        if ((mode & 0o077) !== 0 && process.platform !== "win32") {
          const file = reference.path;
          log?.("warn", "A file with a secret is open to other users of this machine", { file });
        }
        return withoutLineEnd(value);
      }
      case "exec":
        return withoutLineEnd(await fromProgram(reference.command));
      case "op":
        return await fromProgram(["op", "read", "--no-newline", reference.uri]);
    }
  }

  async function resolvePlain(reference: PlainReference, server: string): Promise<string> {
    const refuse = (why: string, cause?: unknown) =>
      new GatewayError(
        "secret_missing",
        `Cannot start server "${server}": its secret ${referenceText(reference)} ${why}, ${
          fixOf(reference)
        }`,
        { cause },
      );
    const value = await read(reference).catch((error: unknown) => {
      throw refuse(`cannot be read: ${reasonOf(error)}`, error);
    });
    if (value === "") throw refuse("is missing");
    if (value.includes("\0")) throw refuse("cannot be used: it has a NUL character");
    redactor?.add(labelOf(reference), value);
    return value;
  }

  async function resolve(reference: SecretReference, server: string): Promise<string> {
    if (reference.kind !== "text") return await resolvePlain(reference, server);
    const values = new Map<string, string>();
    for (const [name, part] of Object.entries(reference.parts)) {
      values.set(name, await resolve(part, server));
    }
    // In one pass: what looks like a name in a value is none.
    return reference.text.replace(
      /\$\{(\w+)\}/g,
      (whole, name: string) => values.get(name) ?? whole,
    );
  }

  return { resolve };
}

/** What stands in a text in place of the value; nothing that a JSON string would have to escape. */
function labelOf(reference: PlainReference): string {
  const named = reference.kind === "store" || reference.kind === "env";
  return named ? reference.name : reference.kind;
}

/** What the user can do about it. */
function fixOf(reference: PlainReference): string {
  switch (reference.kind) {
    case "store":
      // What is no name must not become a command.
      return SECRET_NAME.test(reference.name)
        ? `run: mcp-runner secret set ${reference.name}`
        : "correct it in the config";
    case "env":
      return `set ${reference.name} for mcp-runner, or ${STORE_IT}`;
    case "file":
      return `repair the file, or ${STORE_IT}`;
    case "exec":
      return `run it yourself to see why, or ${STORE_IT}`;
    case "op":
      return `run: op signin, or ${STORE_IT}`;
  }
}

const STORE_IT = "run: mcp-runner secret set <name>, and refer to it as store:<name>";

function reasonOf(error: unknown): string {
  return error instanceof GatewayError ? error.message : "the system refuses it";
}

/** Programs and editors end text with a line end, which is not meant. */
function withoutLineEnd(text: string): string {
  return text.replace(/\r?\n$/, "");
}
