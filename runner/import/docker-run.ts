import type { ProgramSource } from "./imported.ts";

/** Options of `docker run` that take a value and mean nothing to us: what they set is ours to decide. */
const IGNORED_WITH_VALUE = new Set([
  "--name",
  "--pull",
  "--platform",
  "--restart",
  "--label",
  "-l",
  "--log-driver",
  "--log-opt",
  "--stop-timeout",
  "--hostname",
  "-h",
  "-p",
  "--publish",
]);

/** The same without a value. */
const IGNORED = new Set([
  "-i",
  "--interactive",
  "-t",
  "--tty",
  "-it",
  "-ti",
  "--rm",
  "--init",
  "-d",
  "--detach",
  "-q",
  "--quiet",
  "--sig-proxy",
  // Every server has it.
  "--read-only",
]);

/** Options without a value that a server here cannot have. */
const REFUSED = new Set(["--privileged", "-P", "--publish-all", "--oom-kill-disable"]);

/**
 * Reads the arguments of `docker run`. What would weaken the isolation is not brought along, and said.
 *
 * @param args What follows `run`.
 * @returns Why it cannot be brought along, if it cannot.
 */
export function readDockerRun(args: readonly string[]): ProgramSource | string {
  const env = new Map<string, string | undefined>();
  const volumes: string[] = [];
  const fields: Record<string, unknown> = {};
  const notes: string[] = [];
  let at = 0;
  for (; at < args.length; at++) {
    const arg = args[at] ?? "";
    if (!arg.startsWith("-") || arg === "--") break;
    if (IGNORED.has(arg)) continue;
    const [option, glued] = splitOption(arg);
    if (IGNORED_WITH_VALUE.has(option)) {
      if (glued === undefined) at++;
      continue;
    }
    if (IGNORED.has(option)) continue;
    if (REFUSED.has(option)) {
      notes.push(`The option ${option} of docker run was left out`);
      continue;
    }
    const value = glued ?? args[++at];
    if (value === undefined) return `${option} of docker run has no value`;
    switch (option) {
      case "-e":
      case "--env": {
        const [, name = value, text] = /^([^=]+)=([\s\S]*)$/.exec(value) ?? [];
        env.set(name, text);
        break;
      }
      case "-v":
      case "--volume":
        volumes.push(withMode(value));
        break;
      case "--mount": {
        const mount = readMount(value);
        if (mount === undefined) {
          notes.push(`The mount ${value} was left out: write it as a volume`);
        } else volumes.push(mount);
        break;
      }
      case "-u":
      case "--user":
        fields["user"] = value;
        if (/^(?:0|root)(?::|$)/.test(value)) {
          notes.push("It ran as root: try it without, or set root: true");
          delete fields["user"];
        }
        break;
      case "-m":
      case "--memory":
        fields["limits"] = { ...fields["limits"] as object, memory: value };
        break;
      case "--cpus":
        fields["limits"] = { ...fields["limits"] as object, cpus: value };
        break;
      case "--network":
      case "--net":
        if (value !== "none") {
          notes.push(
            `It was in the network "${value}": name the places that it needs under network`,
          );
        }
        break;
      case "--add-host":
        fields["extraHosts"] = [...(fields["extraHosts"] as string[] | undefined ?? []), value];
        break;
      case "--entrypoint":
        return "it has an --entrypoint, which only an image of its own can have";
      case "--env-file":
        notes.push(
          `The variables of the file ${value} were left out: add them under env or secrets`,
        );
        break;
      default:
        notes.push(`The option ${option} of docker run was left out`);
    }
  }
  const [image, ...rest] = args.slice(args[at] === "--" ? at + 1 : at);
  if (image === undefined) return "docker run names no image";
  return { source: `image:${image}`, args: rest, env, volumes, fields, notes };
}

/** `--name=value` and `-eNAME` as option and value. */
function splitOption(arg: string): readonly [string, string | undefined] {
  if (arg.startsWith("--")) {
    const equals = arg.indexOf("=");
    return equals < 0 ? [arg, undefined] : [arg.slice(0, equals), arg.slice(equals + 1)];
  }
  return arg.length > 2 ? [arg.slice(0, 2), arg.slice(2)] : [arg, undefined];
}

/** docker run writes unless it is told not to. */
function withMode(volume: string): string {
  return /:(?:ro|rw)$/.test(volume) ? volume : `${volume}:rw`;
}

function readMount(text: string): string | undefined {
  const parts = new Map(
    text.split(",").map((part) => {
      const [key = "", value = "true"] = part.split("=", 2);
      return [key, value] as const;
    }),
  );
  const source = parts.get("source") ?? parts.get("src");
  const target = parts.get("target") ?? parts.get("destination") ?? parts.get("dst");
  if (source === undefined || target === undefined) return undefined;
  const readOnly = (parts.get("readonly") ?? parts.get("ro") ?? "false") !== "false";
  return `${source}:${target}:${readOnly ? "ro" : "rw"}`;
}
