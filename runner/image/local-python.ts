/**
 * The Python of this machine, and the base of PyPI servers that is made of it where no registry can be
 * reached: the program, its standard library and the shared libraries of both, at their own paths. Called
 * by base-image.ts and pypi-install.ts.
 *
 * @module
 */
import { execFile } from "node:child_process";
import { access, readdir } from "node:fs/promises";
import { dirname, join } from "node:path";
import type { Readable } from "node:stream";
import { promisify } from "node:util";
import * as v from "valibot";
import { firstReal, withLocalFiles } from "./local-files.ts";
import { normalized } from "./tar.ts";

const pythonAnswer = v.object({
  /** As it was found, which may be that of a virtual environment with a pip. */
  executable: v.string(),
  /** Without links. */
  program: v.string(),
  /** As `3.13.1`. */
  version: v.pipe(v.string(), v.regex(/^\d+\.\d+\.\d+/)),
  /** Folders of the standard library. */
  folders: v.pipe(v.array(v.string()), v.minLength(1)),
  /** Folder of the modules that are shared libraries. */
  modules: v.string(),
});

/** What a Python says of itself. */
export type LocalPython = v.InferOutput<typeof pythonAnswer>;

const ASK = `import json, os, sys, sysconfig
paths = sysconfig.get_paths()
folders = [os.path.realpath(paths[name]) for name in ("stdlib", "platstdlib")]
print(json.dumps({
  "executable": sys.executable,
  "program": os.path.realpath(sys.executable),
  "version": "%d.%d.%d" % sys.version_info[:3],
  "folders": sorted(set(folders)),
  "modules": os.path.join(folders[1], "lib-dynload"),
}))`;

/** Oldest Python whose pip and wheels are of use. */
const OLDEST_MINOR = 9;

/** Parts of the standard library that no server needs, and packages of this machine. */
const LEFT_OUT =
  /\/python3\.\d+\/(?:site-packages|dist-packages|test|idlelib|tkinter|turtledemo|ensurepip|lib2to3|config-[^/]*)$|\/_(?:tkinter|test)[^/]*\.so$|\.opt-\d\.pyc$/;

/** What wheels may take for granted besides what Python itself needs (PEP 600). */
const WHEEL_LIBRARIES = [
  "libdl.so.2",
  "libgcc_s.so.1",
  "libnss_dns.so.2",
  "libnss_files.so.2",
  "libpthread.so.0",
  "libresolv.so.2",
  "librt.so.1",
  "libstdc++.so.6",
  "libutil.so.1",
  "libz.so.1",
];

/** Where systems keep the certificates that they trust. */
const CERTIFICATES = ["/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt"];

/** Where the base has them. */
export const CERTIFICATES_PATH = "/etc/ssl/certs/ca-certificates.crt";

/** The Python 3 on PATH, or `undefined` if there is none that can be used. */
export async function findPython(): Promise<LocalPython | undefined> {
  for (const name of ["python3", "python"]) {
    try {
      const { stdout } = await promisify(execFile)(name, ["-I", "-c", ASK], { timeout: 15_000 });
      const parsed = v.safeParse(v.pipe(v.string(), v.parseJson(), pythonAnswer), stdout);
      if (!parsed.success) continue;
      const [major = 0, minor = 0] = parsed.output.version.split(".").map(Number);
      if (major === 3 && minor >= OLDEST_MINOR) return parsed.output;
    } catch {
      // Not on this machine, or a stand-in that only opens a shop.
    }
  }
  return undefined;
}

/**
 * Runs `use` with a tar stream of the file system.
 *
 * @throws {Error} when a file cannot be found or read.
 */
export async function withLocalPython<T>(
  python: LocalPython,
  use: (tar: Readable) => Promise<T>,
): Promise<T> {
  const { program, folders, modules } = python;
  const names = await readdir(modules);
  const extensions = names.map((name) => join(modules, name))
    .filter((path) => path.endsWith(".so") && !LEFT_OUT.test(path));
  const certificates = await firstReal(CERTIFICATES);
  return await withLocalFiles({
    programs: [{ from: program, to: program }],
    libraries: [...extensions, ...await wheelLibraries(program)],
    others: [
      // A folder within another one comes with it.
      ...folders.filter((path) => !folders.some((other) => path.startsWith(`${other}/`)))
        .map((path) => ({ from: path, to: path })),
      ...(certificates === undefined ? [] : [{ from: certificates, to: CERTIFICATES_PATH }]),
    ],
    ignore: (path) => LEFT_OUT.test(path),
    // Compiled modules are good only for a source of the same time.
    map: (header) => ({ ...normalized(header), mtime: header.mtime }),
  }, use);
}

/** Those of `WHEEL_LIBRARIES` that are on this machine, beside its C library. */
async function wheelLibraries(program: string): Promise<string[]> {
  const { stdout } = await promisify(execFile)("ldd", [program], { timeout: 10_000 });
  const [, libc] = /=>\s+(\/\S*\/libc\.so\.6)/.exec(stdout) ?? [];
  const folder = dirname(libc ?? "/lib/libc.so.6");
  const found = await Promise.all(
    WHEEL_LIBRARIES.map(async (name) => {
      const path = join(folder, name);
      return await access(path).then(() => [path], () => []);
    }),
  );
  return found.flat();
}
