import { quote } from "../config/problem.ts";
import type { EntryVariable } from "./entry.ts";
import type { ArgumentFields } from "./server-json.ts";
import type { Inputs } from "./server-json-inputs.ts";

/** What a package of the type oci wants of `docker run`. */
export interface DockerOptions {
  readonly env: readonly EntryVariable[];
  readonly volumes: readonly string[];
  /** Options that are not given, one line each. */
  readonly notes: readonly string[];
}

/** Options that change nothing here: containers are run this way anyway, or need not be. */
const IGNORED = ["run", "-i", "--interactive", "--rm", "-t", "--tty", "--init", "--pull", "-d"];

/** Reads the arguments for `docker run`: variables and mounts; nothing else is given to a server. */
export function dockerOptions(runtime: readonly ArgumentFields[], inputs: Inputs): DockerOptions {
  const env: EntryVariable[] = [];
  const volumes: string[] = [];
  const notes: string[] = [];
  for (const { option, argument } of paired(runtime)) {
    const value = inputs.template(argument?.value ?? "", argument?.variables);
    if (IGNORED.includes(option)) continue;
    switch (option) {
      case "-e":
      case "--env": {
        const equals = value.indexOf("=");
        if (equals > 0) env.push({ name: value.slice(0, equals), value: value.slice(equals + 1) });
        break;
      }
      case "-v":
      case "--volume":
        volumes.push(value);
        break;
      case "--mount": {
        const volume = mountText(value);
        if (volume === undefined) notes.push(`Its mount ${quote(value)} is not given`);
        else volumes.push(volume);
        break;
      }
      default:
        notes.push(`It asks for ${quote(option)} of docker run, which is not given`);
    }
  }
  return { env, volumes, notes };
}

/** Options with their values, which follow as the same argument or as the next one. */
function paired(runtime: readonly ArgumentFields[]) {
  const pairs: { option: string; argument: ArgumentFields | undefined }[] = [];
  for (let at = 0; at < runtime.length; at++) {
    const argument = runtime[at];
    if (argument === undefined) break;
    if (argument.type === "named") {
      pairs.push({ option: argument.name ?? "", argument });
      continue;
    }
    const option = argument.value ?? "";
    const next = runtime[at + 1];
    const takesNext = ["-e", "--env", "-v", "--volume", "--mount"].includes(option) &&
      next?.type === "positional";
    pairs.push({ option, argument: takesNext ? next : undefined });
    if (takesNext) at++;
  }
  return pairs;
}

/** `type=bind,src=…,dst=…[,readonly]` as a volume. */
function mountText(text: string): string | undefined {
  const parts = new Map(
    text.split(",").map((part) => {
      const equals = part.indexOf("=");
      return equals < 0 ? [part, "true"] : [part.slice(0, equals), part.slice(equals + 1)];
    }),
  );
  const source = parts.get("src") ?? parts.get("source");
  const target = parts.get("dst") ?? parts.get("target") ?? parts.get("destination");
  if (source === undefined || target === undefined) return undefined;
  if (!["bind", "volume"].includes(parts.get("type") ?? "volume")) return undefined;
  const readOnly = (parts.get("ro") ?? parts.get("readonly") ?? "false") !== "false";
  return `${source}:${target}:${readOnly ? "ro" : "rw"}`;
}
