import { readDockerRun } from "./docker-run.ts";
import type { ProgramSource } from "./imported.ts";

const VERSION = /^\d+\.\d+\.\d+(?:[-+][0-9A-Za-z.+-]+)?$/;

/**
 * What the command of a stdio server comes from: an image, an npm or PyPI package, or a URL behind a
 * bridge.
 *
 * @returns Why it cannot be brought along, if it cannot.
 */
export function readProgram(command: string, args: readonly string[]): ProgramSource | string {
  const program = (command.split(/[\\/]/).at(-1) ?? "").replace(/\.(?:exe|cmd)$/i, "");
  // Windows starts npx through its shell.
  if (program === "cmd" && /^\/c$/i.test(args[0] ?? "")) {
    return readProgram(args[1] ?? "", args.slice(2));
  }
  switch (program) {
    case "docker":
    case "podman":
      return readDocker(args);
    case "npx":
    case "bunx":
    case "pnpx":
      return readNpm(args);
    case "npm":
      return args[0] === "exec" || args[0] === "x" ? readNpm(args.slice(1)) : ownProgram(command);
    case "pnpm":
    case "yarn":
      return args[0] === "dlx" ? readNpm(args.slice(1)) : ownProgram(command);
    case "uvx":
      return readPypi(args);
    case "uv":
      return args[0] === "tool" && args[1] === "run"
        ? readPypi(args.slice(2))
        : ownProgram(command);
    case "pipx":
      return args[0] === "run" ? readPypi(args.slice(1)) : ownProgram(command);
    default:
      return ownProgram(command);
  }
}

function readDocker(args: readonly string[]): ProgramSource | string {
  if (args[0] === "mcp" && args[1] === "gateway") {
    return 'it is Docker\'s gateway, import its servers with "mcp-runner import ~/.docker/mcp"';
  }
  const run = args[0] === "container" ? args.slice(1) : args;
  if (run[0] !== "run") return `docker ${args[0] ?? ""} is no docker run`;
  return readDockerRun(run.slice(1));
}

function readNpm(args: readonly string[]): ProgramSource | string {
  const { values, rest } = options(args, ["-p", "--package", "--registry", "-c", "--call"]);
  if (values.has("-c") || values.has("--call")) return "npx runs a line of a shell";
  const named = values.get("-p") ?? values.get("--package");
  const [first, ...others] = rest;
  const spec = named ?? first;
  if (spec === undefined) return "npx names no package";
  if (/^mcp-remote(?:@|$)/.test(spec)) return readBridge(named === undefined ? others : rest);
  if (/^(?:[./~]|file:|git|https?:|github:)/.test(spec)) {
    return `"${spec}" is no package of the npm registry`;
  }
  const at = spec.indexOf("@", 1);
  const name = at < 0 ? spec : spec.slice(0, at);
  return packaged("npm", name, at < 0 ? undefined : spec.slice(at + 1), {
    // With --package the first argument is one of its programs.
    args: named === undefined ? others : rest.slice(1),
  });
}

function readPypi(args: readonly string[]): ProgramSource | string {
  const { values, rest } = options(args, [
    "--from",
    "--spec",
    "--python",
    "-p",
    "--with",
    "--index-url",
    "--directory",
  ]);
  const named = values.get("--from") ?? values.get("--spec");
  const [first, ...others] = rest;
  const spec = named ?? first;
  if (spec === undefined) return "uvx names no package";
  if (/^(?:[./~]|git\+|https?:)/.test(spec)) return `"${spec}" is no package of PyPI`;
  const [, name = spec, version] =
    /^([A-Za-z0-9._-]+)(?:\[[^\]]*\])?(?:(?:@|==)(.+))?$/.exec(spec) ?? [];
  return packaged("pypi", name, version, { args: others });
}

/** `mcp-remote <url> [--header "Name: value"]…`: the URL itself can be used. */
function readBridge(args: readonly string[]): ProgramSource | string {
  const headers: Record<string, string> = {};
  const words = [...args];
  for (let at = words.indexOf("--header"); at >= 0; at = words.indexOf("--header")) {
    const [, header = "", value = ""] = /^([^:]+):\s*(.*)$/.exec(words[at + 1] ?? "") ?? [];
    if (header !== "") headers[header] = value;
    words.splice(at, 2);
  }
  const url = words.find((word) => /^https?:\/\//.test(word));
  if (url === undefined) return "mcp-remote names no URL";
  const fields = Object.keys(headers).length > 0 ? { headers } : {};
  return { source: url, args: [], env: new Map(), volumes: [], fields, notes: [] };
}

function packaged(
  scheme: "npm" | "pypi",
  name: string,
  version: string | undefined,
  { args }: { readonly args: readonly string[] },
): ProgramSource {
  const exact = version !== undefined &&
    (scheme === "npm" ? VERSION : /^\d+(?:\.\d+)*(?:(?:a|b|rc|\.post|\.dev)\d+)?$/).test(version);
  const notes = version === undefined || exact || version === "latest"
    ? []
    : [`"${version}" is no exact version: the newest is taken, and stays`];
  const source = exact ? `${scheme}:${name}@${version}` : `${scheme}:${name}`;
  return { source, args, env: new Map(), volumes: [], fields: {}, notes };
}

/** Leading options of a package runner, those of `valued` with the argument that follows. */
function options(args: readonly string[], valued: readonly string[]) {
  const values = new Map<string, string>();
  let at = 0;
  for (; at < args.length; at++) {
    const arg = args[at] ?? "";
    if (!arg.startsWith("-")) break;
    if (arg === "--") {
      at++;
      break;
    }
    const [option = arg, glued] = arg.split("=", 2);
    if (!valued.includes(option)) continue;
    values.set(option, glued ?? args[++at] ?? "");
  }
  return { values, rest: args.slice(at) };
}

function ownProgram(command: string): string {
  // Somebody may have written its arguments behind it, and secrets among them.
  const [program = ""] = command.trim().split(/\s+(?=-)/, 1);
  return `"${program}" is a program of this machine, put it into an image and use image:<reference>`;
}
