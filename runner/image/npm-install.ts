/**
 * Installs an npm package into a folder, for the platform of the engine, without running any of its code.
 * Called by npm-image.ts.
 *
 * @module
 */
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import * as v from "valibot";
import { GatewayError } from "../../src/errors.ts";
import { findNpm } from "./npm-program.ts";
import { type Finished, lastLine, runProgram } from "./subprocess.ts";

/** What to install, and for whom. */
export interface Installation {
  /** `name` or `name@version`, checked by the configuration. */
  readonly spec: string;
  /** Empty folder that gets `node_modules`. */
  readonly directory: string;
  readonly os: string;
  readonly cpu: string;
  readonly libc: string;
}

/** Longest run of npm, in milliseconds. */
const INSTALL_MS = 600_000;

/** Settings of an npm around this process that would lead ours elsewhere. */
const FOREIGN =
  /^npm_(package_.*|lifecycle_.*|command|config_(global|location|prefix|local_prefix|workspaces?|include_workspace_root|include|only|production|dry_run|package_lock_only|save.*|before|offline))$/i;

/** A program that no machine has. */
const NO_GIT = "mcp-runner-uses-no-git";

/** What `npm --json` writes when it fails. */
const failure = v.object({
  error: v.object({ code: v.optional(v.string(), ""), summary: v.optional(v.string(), "") }),
});

/**
 * Runs `npm install`.
 *
 * @throws {GatewayError} `image_missing`, with one line that names the package, the cause and the fix.
 */
export async function installPackage(installation: Installation): Promise<void> {
  const { spec, directory, os, cpu, libc } = installation;
  const place = { env: process.env, platform: process.platform, node: process.execPath };
  const npm = await findNpm(place);
  if (npm === undefined) {
    throw cannot(spec, "npm is not on PATH, install Node.js with npm from https://nodejs.org");
  }
  // Without it npm would install into a parent folder that has one.
  await writeFile(join(directory, "package.json"), '{"private":true}\n');
  const args = [
    ...npm.args,
    "install",
    "--ignore-scripts",
    // A repository is prepared by an npm of its own, whose settings, as which program is git, are in the
    // repository. npm before 11.10 knows the second option alone.
    "--allow-git=none",
    `--git=${NO_GIT}`,
    // Nor are folders of this machine copied.
    "--install-links=false",
    "--omit=dev",
    `--os=${os}`,
    `--cpu=${cpu}`,
    `--libc=${libc}`,
    "--no-package-lock",
    "--no-bin-links",
    "--no-audit",
    "--no-fund",
    "--no-update-notifier",
    "--json",
    "--loglevel=error",
    // npm's own patience is minutes.
    "--fetch-retries=2",
    "--fetch-retry-mintimeout=1000",
    "--fetch-retry-maxtimeout=5000",
    "--fetch-timeout=60000",
    "--",
    spec,
  ];
  const run = await runNpm(spec, npm.file, args, directory);
  if (run.code !== 0) throw explain(spec, run);
}

async function runNpm(
  spec: string,
  file: string,
  args: readonly string[],
  cwd: string,
): Promise<Finished> {
  const env = Object.fromEntries(
    Object.entries(process.env).filter(([name]) => !FOREIGN.test(name)),
  );
  const run = await runProgram({ file, args, cwd, env, maxMs: INSTALL_MS }).catch((cause) => {
    throw cannot(spec, 'npm cannot be run, try "npm --version"', cause);
  });
  if (!run.late) return run;
  const minutes = INSTALL_MS / 60_000;
  throw cannot(spec, `npm did not finish within ${minutes} minutes, see if its registry answers`);
}

function explain(spec: string, { stdout, stderr }: Finished): GatewayError {
  const parsed = v.safeParse(v.pipe(v.string(), v.parseJson(), failure), stdout);
  const told = parsed.success ? parsed.output.error : { code: "", summary: "" };
  const code = told.code || (/npm (?:error|ERR!) code (\w+)/.exec(stderr)?.[1] ?? "");
  const cause = new Error(`npm failed: ${told.summary || stderr.trim().slice(-2_000)}`);
  if (code === "EALLOWGIT" || /unknown git error/i.test(told.summary)) {
    const why = "it needs a git repository, which could run programs here";
    return cannot(spec, `${why}, use another package or an image`, cause);
  }
  switch (code) {
    case "E404":
      return cannot(spec, "npm's registry has no such package, correct the source", cause);
    case "ETARGET":
    case "ENOVERSIONS":
      return cannot(spec, "there is no such version, correct the source", cause);
    case "E401":
    case "E403":
    case "ENEEDAUTH":
      return cannot(spec, 'npm\'s registry asks for a login, use "npm login"', cause);
    case "ENOTFOUND":
    case "EAI_AGAIN":
    case "ECONNREFUSED":
    case "ECONNRESET":
    case "ETIMEDOUT":
    case "ERR_SOCKET_TIMEOUT":
    case "EHOSTUNREACH":
    case "ENETUNREACH":
      return cannot(spec, `npm's registry cannot be reached (${code}), check the network`, cause);
    case "ENOSPC":
      return cannot(spec, "the disk of this machine is full, free some space", cause);
    case "EBADPLATFORM":
      return cannot(spec, "it is not made for the platform of this engine", cause);
    default:
      return cannot(spec, told.summary || lastLine(stderr) || "npm failed without a word", cause);
  }
}

function cannot(spec: string, why: string, cause?: unknown): GatewayError {
  const line = why.replace(/\s+/g, " ").slice(0, 300);
  return new GatewayError("image_missing", `Cannot install npm package "${spec}": ${line}`, {
    cause,
  });
}
