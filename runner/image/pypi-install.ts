/**
 * Installs a PyPI package into a folder, for the Python of the base image, without running any of its code:
 * wheels only, because other archives are built by their own programs. Called by pypi-image.ts.
 *
 *     pip of the Python on PATH → else uv
 *
 * @module
 */
import { execFile } from "node:child_process";
import { readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import * as v from "valibot";
import { GatewayError } from "../../src/errors.ts";
import { findPython } from "./local-python.ts";
import { type Finished, lastLine, runProgram } from "./subprocess.ts";

/** What to install, and for whom. */
export interface PypiInstallation {
  /** `name` or `name==version`, checked by the configuration. */
  readonly spec: string;
  /** Normalized name of the package. */
  readonly name: string;
  /** Empty folder for the modules. */
  readonly directory: string;
  /** Python of the image, as `3.13`. */
  readonly python: string;
  /** Processor of the image, as the kernel names it: `x86_64`. */
  readonly machine: string;
}

/** Longest run of the installer, in milliseconds. */
const INSTALL_MS = 600_000;

/** Newest glibc whose wheels the base image can run: that of Debian 12. */
const GLIBC_MINOR = 36;

/** Settings around this process that would lead the installer elsewhere or let it run code. */
const FOREIGN =
  /^(?:PYTHON.*|(?:PIP|UV)_(?:TARGET|USER|PREFIX|ROOT|PYTHON.*|PLATFORM|ABI|IMPLEMENTATION|NO_BINARY.*|ONLY_BINARY|NO_BUILD.*|REQUIREMENT|CONSTRAINT|BUILD_CONSTRAINT|EDITABLE|NO_DEPS|PRE|PRERELEASE|DRY_RUN|REPORT|REQUIRE_VIRTUALENV|REQUIRE_HASHES|COMPILE.*|QUIET|VERBOSE|LOG))$/;

const UV = "uv";

/** Isolated: what lies in the working directory must not be taken for a module. */
const PIP = ["-I", "-m", "pip"];

const report = v.object({
  install: v.array(v.object({
    metadata: v.object({ name: v.string() }),
    download_info: v.object({
      archive_info: v.optional(v.object({
        hashes: v.optional(v.record(v.string(), v.string()), {}),
      })),
    }),
  })),
});

/**
 * Runs the installer.
 *
 * @returns Hash of the package's archive, if the installer tells it.
 * @throws {GatewayError} `image_missing`, with one line that names the package, the cause and the fix.
 */
export async function installPypi(installation: PypiInstallation): Promise<string | undefined> {
  const { spec, directory } = installation;
  const path = `${directory}.report.json`;
  const [file = "", ...args] = await installer(installation, path);
  const env = {
    ...Object.fromEntries(Object.entries(process.env).filter(([name]) => !FOREIGN.test(name))),
    // A dependency with an address of its own is built by its own program, whatever pip is told of wheels.
    // No Python starts like this but an isolated one, which pip itself is.
    ...(file !== UV && { PYTHONHOME: `${directory}.none` }),
  };
  const run = await runProgram({ file, args, cwd: directory, env, maxMs: INSTALL_MS })
    .catch((cause: unknown) => {
      throw cannot(spec, `${file} cannot be run`, cause);
    });
  if (run.late) {
    const minutes = INSTALL_MS / 60_000;
    throw cannot(spec, `${file} did not finish within ${minutes} minutes, see if PyPI answers`);
  }
  if (run.code !== 0) throw explain(spec, run);
  const hash = await readHash(path, installation.name);
  // Programs that begin with the path of a Python of this machine.
  await rm(join(directory, "bin"), { recursive: true, force: true });
  return hash;
}

/** The program and its arguments. */
async function installer(
  { spec, directory, python, machine }: PypiInstallation,
  reportPath: string,
): Promise<readonly string[]> {
  const local = await findPython();
  const isSame = local?.version.startsWith(`${python}.`) === true &&
    process.platform === "linux" && isMachine(machine);
  const pip = local === undefined ? false : await works(local.executable, [...PIP, "--version"]);
  // For another Python than its own, pip takes the conditions of dependencies from its own.
  const uv = (!pip || !isSame) && await works(UV, ["--version"]);
  if (uv) {
    return [
      UV,
      "pip",
      "install",
      "--target",
      directory,
      "--only-binary",
      ":all:",
      "--no-progress",
      `--python-version=${python}`,
      `--python-platform=${machine}-manylinux_2_28`,
      "--",
      spec,
    ];
  }
  if (local === undefined || !pip) {
    throw cannot(
      spec,
      'neither pip nor uv is on PATH, install one ("apt-get install python3-pip", or https://docs.astral.sh/uv)',
    );
  }
  const platforms = isSame ? [] : [
    ...Array.from({ length: GLIBC_MINOR - 4 }, (_, at) => `manylinux_2_${GLIBC_MINOR - at}`),
    "manylinux2014",
    "manylinux2010",
    "manylinux1",
  ].map((platform) => `--platform=${platform}_${machine}`);
  return [
    local.executable,
    ...PIP,
    "install",
    "--target",
    directory,
    "--no-user",
    "--no-compile",
    "--only-binary=:all:",
    "--no-input",
    "--disable-pip-version-check",
    "--no-warn-conflicts",
    "--root-user-action=ignore",
    "--progress-bar=off",
    "--retries=2",
    "--timeout=60",
    "--report",
    reportPath,
    ...platforms,
    ...(isSame ? [] : [`--python-version=${python}`, "--implementation=cp"]),
    "--",
    spec,
  ];
}

function isMachine(machine: string): boolean {
  return machine === machineOf(process.arch);
}

/** The kernel's name of a processor. */
export function machineOf(arch: string): string {
  const names: Readonly<Record<string, string>> = {
    amd64: "x86_64",
    x64: "x86_64",
    arm64: "aarch64",
    "386": "i686",
    ia32: "i686",
  };
  return names[arch] ?? arch;
}

async function works(file: string, args: readonly string[]): Promise<boolean> {
  return await promisify(execFile)(file, [...args], { timeout: 30_000 })
    .then(() => true, () => false);
}

async function readHash(path: string, name: string): Promise<string | undefined> {
  const text = await readFile(path, "utf8").catch(() => "");
  await rm(path, { force: true });
  const parsed = v.safeParse(v.pipe(v.string(), v.parseJson(), report), text);
  if (!parsed.success) return undefined;
  const item = parsed.output.install.find(({ metadata }) => normalizedName(metadata.name) === name);
  const hash = item?.download_info.archive_info?.hashes["sha256"] ?? "";
  return /^[0-9a-f]{64}$/.test(hash) ? `sha256:${hash}` : undefined;
}

/** A name of a package by which all its spellings are one (PEP 503). */
export function normalizedName(name: string): string {
  return name.replace(/[-_.]+/g, "-").toLowerCase();
}

function explain(spec: string, { stdout, stderr }: Finished): GatewayError {
  const text = `${stderr}\n${stdout}`;
  const cause = new Error(`The installer failed: ${text.trim().slice(-2_000)}`);
  const [name = spec] = spec.split("==");
  if (
    /NewConnectionError|ConnectionError|Temporary failure|Connection refused|ReadTimeout|ConnectTimeout|Network is unreachable|dns error|error sending request/i
      .test(text)
  ) {
    return cannot(spec, "PyPI cannot be reached, check the network", cause);
  }
  // What PYTHONHOME stops.
  if (/init_fs_encoding|Python path configuration|No module named '?encodings/i.test(text)) {
    const why = "it needs something that is no wheel, whose build would run programs here";
    return cannot(spec, `${why}, use another package or an image`, cause);
  }
  if (/No space left/i.test(text)) {
    return cannot(spec, "the disk of this machine is full, free some space", cause);
  }
  if (/no such option: --(?:report|root-user-action)/i.test(text)) {
    return cannot(spec, 'pip is too old, run "python3 -m pip install --upgrade pip"', cause);
  }
  if (/401|403|Unauthorized|Forbidden/.test(text) && /error/i.test(text)) {
    return cannot(spec, "the package index asks for a login, see the settings of pip", cause);
  }
  const versions = /from versions: ([^)]*)\)/i.exec(text)?.[1] ?? "";
  const [, missing = name] = /No matching distribution found for ([^\s=<>~!(]+)/i.exec(text) ?? [];
  if (/No matching distribution|no wheels|not found in the package registry/i.test(text)) {
    const isOther = normalizedName(missing) !== normalizedName(name);
    if (versions !== "" && versions !== "none" && !isOther) {
      return cannot(
        spec,
        "there is no such version, or it needs another Python, correct the source",
        cause,
      );
    }
    return cannot(
      spec,
      isOther
        ? `it needs "${missing}", which has no wheel for this platform, use another package or an image`
        : "there is no such package, or it has no wheel for this platform, correct the source or use an image",
      cause,
    );
  }
  return cannot(spec, lastLine(stderr) || "the installer failed without a word", cause);
}

function cannot(spec: string, why: string, cause?: unknown): GatewayError {
  const line = why.replace(/\s+/g, " ").slice(0, 300);
  return new GatewayError("image_missing", `Cannot install PyPI package "${spec}": ${line}`, {
    cause,
  });
}
