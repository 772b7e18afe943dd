/**
 * How secrets reach a server without being in what the engine keeps of its container: through the first
 * lines of its standard input, read by a shell that then becomes the server. Called by create.ts and
 * exec.ts with the command, by container.ts with the values.
 *
 *     runner → "v" NAME "=" value   to be a variable
 *              "f" NAME "=" value   to be a file below SECRETS_PATH, NAME is its path
 *              "."                  the server takes the shell's place; all that follows is its input
 *
 * Values are in the form that `printf %b` undoes (POSIX printf), all but letters and digits as `\0ooo`: any
 * value is one line of ASCII. Shells read input that cannot be sought byte by byte (POSIX sh, `read`), so
 * nothing behind the last line is lost. Without the last line nothing is ever started.
 *
 * @module
 */
import { GatewayError } from "../../src/errors.ts";
import type { HandedSecrets } from "./create.ts";
import type { ImageFacts } from "./inspect.ts";

/** The shell that an image must have. */
export const SHELL = "/bin/sh";

/** Folder in the container with one file for each secret that is one. */
export const SECRETS_PATH = "/run/secrets/mcp-runner";

/** Longest value of a variable, in bytes: the kernel takes 128 KiB with the name (execve(2), MAX_ARG_STRLEN). */
const MAX_VARIABLE_BYTES = 120 * 1024;

/** Longest value of a file, in bytes. */
const MAX_FILE_BYTES = 512 * 1024;

const NAME = /^[A-Za-z_][A-Za-z0-9_]{0,127}$/;

// A printf that is a program would have the values among its arguments, which `ps` shows. The dot behind a
// value keeps line breaks at its end, which `$(…)` would drop.
const SCRIPT = `
case $(command -v printf) in
  printf) ;;
  *) echo "mcp-runner: the shell of this image has no printf of its own to take secrets with" >&2
    exit 126 ;;
esac
while IFS= read -r __mcpr_l; do
  case $__mcpr_l in
    .) unset __mcpr_l __mcpr_v; exec "$@" ;;
    v*) __mcpr_l=\${__mcpr_l#v}
      __mcpr_v=$(printf '%b.' "\${__mcpr_l#*=}")
      export "\${__mcpr_l%%=*}=\${__mcpr_v%.}" ;;
    f*) __mcpr_l=\${__mcpr_l#f}
      __mcpr_v=${SECRETS_PATH}/\${__mcpr_l%%=*}
      (umask 077; printf '%b' "\${__mcpr_l#*=}" >"$__mcpr_v") || exit 126
      export "\${__mcpr_l%%=*}=$__mcpr_v" ;;
  esac
done
exit 126`.trim();

/** Entry point of a container whose command, `argv`, is to be started with secrets. */
export const SHIM: readonly string[] = [SHELL, "-c", SCRIPT, "mcp-runner"];

/** The same, which first tells on stderr the id of the process that becomes the server; see exec.ts. */
export const SHIM_WITH_ID: readonly string[] = [
  SHELL,
  "-c",
  `echo "mcp-runner: process $$" >&2\n${SCRIPT}`,
  "mcp-runner",
];

/** What the shim reads before it starts the server, its last line included. */
export function handOver({ variables, files }: HandedSecrets): string {
  const lines = (kind: "v" | "f", values: ReadonlyMap<string, string>) =>
    [...values].map(([name, value]) => `${kind}${name}=${encode(value)}\n`);
  return [...lines("v", variables), ...lines("f", files), ".\n"].join("");
}

/** Whether there is anything to be handed over. */
export function hasSecrets(secrets: HandedSecrets | undefined): secrets is HandedSecrets {
  return secrets !== undefined && secrets.variables.size + secrets.files.size > 0;
}

/**
 * Refuses secrets that no variable and no file can hold.
 *
 * @throws {GatewayError} `config_invalid`; never tells a value.
 */
export function checkSecrets({ variables, files }: HandedSecrets): void {
  for (const name of [...variables.keys(), ...files.keys()]) {
    if (NAME.test(name)) continue;
    throw refuse(name, "this is no name of a variable, use letters, digits and _");
  }
  for (const name of files.keys()) {
    if (variables.has(name)) throw refuse(name, "it is both a variable and a file, keep one");
  }
  const bounds = [[variables, MAX_VARIABLE_BYTES], [files, MAX_FILE_BYTES]] as const;
  for (const [values, max] of bounds) {
    for (const [name, value] of values) {
      if (value.includes("\0")) throw refuse(name, "its value holds a zero byte, which none can");
      const bytes = new TextEncoder().encode(value).length;
      if (bytes > max) throw refuse(name, `its value has ${bytes} bytes, at most ${max} fit`);
    }
  }
}

/**
 * The whole command that an image runs: its entry point with what is given, else with its own arguments.
 *
 * @throws {GatewayError} `config_invalid` when there is none.
 */
export function commandOf(
  { Entrypoint, Cmd }: Pick<ImageFacts["Config"], "Entrypoint" | "Cmd">,
  command: readonly string[],
): readonly string[] {
  const argv = [...Entrypoint, ...(command.length > 0 ? command : Cmd)].filter((word, at) =>
    // An entry point that is one empty word is none.
    at > 0 || word !== ""
  );
  if (argv.length > 0) return argv;
  throw new GatewayError(
    "config_invalid",
    "Cannot start the server: its image has no command, name one with args",
  );
}

function encode(value: string): string {
  let text = "";
  for (const byte of new TextEncoder().encode(value)) {
    const character = String.fromCharCode(byte);
    text += /[A-Za-z0-9]/.test(character) ? character : `\\0${byte.toString(8).padStart(3, "0")}`;
  }
  return text;
}

function refuse(name: string, why: string): GatewayError {
  return new GatewayError(
    "config_invalid",
    `Cannot hand over secret ${JSON.stringify(name)}: ${why}`,
  );
}
