/**
 * Builds what is shipped: `dist/worker.js` (the edge program), `dist/runner.js` with `dist/program.js`
 * (the command-line program: help at once, and everything else), `dist/egress.js` (the proxy that it
 * runs in containers), each one ESM file without dependencies, and `dist/LICENSES.txt`.
 *
 * Called by `npm run build`, `npm pack` and scripts/bootstrap.mjs. Runs on Node 20 and later.
 *
 * These files have zero static imports: an edge runtime refuses `node:` specifiers, and a lazily
 * loaded builtin costs nothing until it is used, which keeps `mcp-runner --help` fast and lets the
 * file load on a Node that lacks one of them (`node:sqlite` on Node 20).
 *
 * @module
 */
import { chmod, mkdir, readdir, readFile, rename, writeFile } from "node:fs/promises";
import { builtinModules } from "node:module";
import { dirname, join, resolve } from "node:path";
import process from "node:process";
import { fileURLToPath, pathToFileURL } from "node:url";
import { gzipSync } from "node:zlib";
import * as esbuild from "esbuild";

/** Largest worker, in bytes after gzip; Cloudflare's free plan allows 3 MB, cold starts want less. */
export const MAX_WORKER_GZIP_BYTES = 150 * 1024;

/** Packages that are left out: native code or gRPC that no code path of ours reaches. */
const STUBBED = ["ssh2", "cpu-features", "@grpc/grpc-js", "@grpc/proto-loader", "protobufjs"];

/** What dist/runner.js loads when there is something to run. */
const PROGRAM = "./program.js";

/** Optional extras of `ws` and `debug`, which do without when these fail to load. */
const ABSENT = ["bufferutil", "utf-8-validate", "supports-color"];

const builtins = new Set(builtinModules.map((name) => name.replace(/^node:/, "")));

/**
 * Turns every Node builtin into a module that asks the runtime for it when it is first evaluated,
 * so that no `import "node:…"` is left at the top of the bundle.
 *
 * @type {esbuild.Plugin}
 */
const lazyBuiltins = {
  name: "lazy-builtins",
  setup(build) {
    build.onResolve({ filter: /^[a-z]|^node:/ }, ({ path }) => {
      const name = path.replace(/^node:/, "");
      if (!path.startsWith("node:") && !builtins.has(name)) return undefined;
      return { path: `node:${name}`, namespace: "builtin" };
    });
    build.onLoad({ filter: /.*/, namespace: "builtin" }, ({ path }) => ({
      contents: `module.exports = process.getBuiltinModule(${JSON.stringify(path)});`,
      loader: "js",
    }));
  },
};

/**
 * Keeps docker-modem quiet: Node warns the user of its `url.parse()`, except in node_modules, which
 * a bundle is not.
 *
 * @type {esbuild.Plugin}
 */
const quietUrl = {
  name: "quiet-url",
  setup(build) {
    build.onResolve({ filter: /^url$/ }, ({ path, importer }) => {
      return /[\\/]docker-modem[\\/]/.test(importer) ? { path, namespace: "quiet" } : undefined;
    });
    build.onLoad({ filter: /.*/, namespace: "quiet" }, () => ({
      contents: `
        const url = process.getBuiltinModule("node:url");
        const parse = (text) => {
          const before = process.noDeprecation;
          process.noDeprecation = true;
          try { return url.parse(text); } finally { process.noDeprecation = before; }
        };
        module.exports = { ...url, parse };
      `,
      loader: "js",
    }));
  },
};

/**
 * Replaces packages by stand-ins that load without a sound: what dockerode requires at its top
 * exists, and using it explains itself.
 *
 * @type {esbuild.Plugin}
 */
const leftOut = {
  name: "left-out",
  setup(build) {
    build.onResolve({ filter: packages(STUBBED) }, ({ path }) => ({ path, namespace: "stub" }));
    build.onResolve({ filter: packages(ABSENT) }, ({ path }) => ({ path, namespace: "absent" }));
    build.onLoad({ filter: /.*/, namespace: "stub" }, ({ path }) => ({
      contents: stub(path),
      loader: "js",
    }));
    build.onLoad({ filter: /.*/, namespace: "absent" }, ({ path }) => ({
      contents: `throw new Error(${JSON.stringify(`${path} is not part of this bundle`)});`,
      loader: "js",
    }));
  },
};

/** @param {readonly string[]} names */
function packages(names) {
  return new RegExp(`^(${names.map((name) => name.replaceAll("/", "\\/")).join("|")})(/|$)`);
}

/**
 * CommonJS source whose every export is a class that throws when it is constructed or called, and
 * not before: docker-modem reads `require("ssh2").Client` while it loads.
 *
 * @param {string} name
 */
function stub(name) {
  const what = name === "ssh2" ? "An ssh:// Docker host" : `A feature that needs ${name}`;
  const fix = name === "ssh2" ? ": forward its socket and set DOCKER_HOST to that" : "";
  return `
    const refuse = () => { throw new Error(${JSON.stringify(`${what} is not supported${fix}`)}); };
    const refusal = new Proxy(function () {}, { apply: refuse, construct: refuse });
    module.exports = new Proxy({}, { get: (_, key) => key === "__esModule" ? undefined : refusal });
  `;
}

/** @type {esbuild.BuildOptions} */
const shared = {
  bundle: true,
  write: false,
  metafile: true,
  format: "esm",
  charset: "utf8",
  minify: true,
  // An uncaught error prints the line it came from, which should not be the whole program.
  lineLimit: 160,
  legalComments: "none",
  logLevel: "silent",
  plugins: [quietUrl, lazyBuiltins, leftOut],
};

/** @type {esbuild.BuildOptions} */
export const workerOptions = {
  ...shared,
  platform: "neutral",
  target: "es2023",
  mainFields: ["module", "main"],
  conditions: ["worker", "import"],
};

/**
 * Leaves the program out of the file that only starts it: V8 reads every byte of a file, and help must
 * not wait for a megabyte.
 *
 * @type {esbuild.Plugin}
 */
const programBeside = {
  name: "program-beside",
  setup(build) {
    build.onResolve({ filter: /^\.\/program\.ts$/ }, () => ({ path: PROGRAM, external: true }));
  },
};

/** @type {esbuild.BuildOptions} */
export const runnerOptions = {
  ...shared,
  platform: "node",
  target: "node20",
  mainFields: ["module", "main"],
  banner: { js: "#!/usr/bin/env node" },
  define: { __dirname: "import.meta.dirname" },
};

/** @type {esbuild.BuildOptions} */
const launcherOptions = {
  ...runnerOptions,
  plugins: [programBeside, ...(runnerOptions.plugins ?? [])],
};

/** @type {esbuild.BuildOptions} */
const programOptions = { ...runnerOptions, banner: {} };

/** @type {esbuild.BuildOptions} */
export const egressOptions = { ...runnerOptions, banner: {} };

/**
 * Bundles one entry and checks that the result stands alone.
 *
 * @param {{ root: string; entry: string; version: string; options: esbuild.BuildOptions }} job
 *   `entry` is relative to `root`.
 * @returns {Promise<{ code: Uint8Array; packages: ReadonlySet<string> }>} `packages` are the
 *   folders of the packages inside, relative to `root`.
 */
export async function bundle({ root, entry, version, options }) {
  const result = await esbuild.build({
    ...options,
    absWorkingDir: root,
    entryPoints: [entry],
    outfile: "out.js",
    alias: { ws: join(root, "node_modules/ws/index.js") },
    define: { ...options.define, MCP_RUNNER_VERSION: JSON.stringify(version) },
  });
  const [file] = result.outputFiles ?? [];
  const [output] = Object.values(result.metafile?.outputs ?? {});
  if (file === undefined || output === undefined) throw new Error(`Cannot bundle ${entry}`);
  if (output.imports.some(({ path }) => path !== PROGRAM)) {
    const left = output.imports.map(({ path }) => path).join(", ");
    throw new Error(`Cannot bundle ${entry}: it would still import ${left} at run time`);
  }
  const inside = Object.keys(output.inputs).map(packageFolder).filter((folder) => folder !== "");
  return { code: file.contents, packages: new Set(inside) };
}

/**
 * Folder of the innermost package that `path` belongs to, or "" for our own files.
 *
 * @param {string} path
 */
function packageFolder(path) {
  return /^(.*node_modules\/(?:@[^/]+\/)?[^/]+)\//.exec(path)?.[1] ?? "";
}

/**
 * Names, versions and licence texts of the packages whose code is in the bundles.
 *
 * @param {string} root
 * @param {Iterable<string>} folders
 */
async function licences(root, folders) {
  const parts = [];
  for (const folder of [...new Set(folders)].toSorted()) {
    const { name, version, license } = JSON.parse(
      await readFile(join(root, folder, "package.json"), "utf8"),
    );
    const files = await readdir(join(root, folder));
    const file = files.find((each) => /^(licen[cs]e|copying)/i.test(each));
    const text = file === undefined ? "" : await readFile(join(root, folder, file), "utf8");
    parts.push(`${name} ${version} (${license})\n\n${text.trim()}\n`);
  }
  return `mcp-runner contains code of these packages.\n\n${parts.join(`\n${"-".repeat(78)}\n\n`)}`;
}

/**
 * Replaces a file in one step, so that a program that starts meanwhile sees the old or the new one.
 *
 * @param {string} path
 * @param {string | Uint8Array} content
 * @param {number} mode
 */
async function replace(path, content, mode) {
  const partial = `${path}.${process.pid}`;
  await writeFile(partial, content);
  await chmod(partial, mode);
  await rename(partial, path);
}

/**
 * Builds everything into `<root>/dist` and says how large it became.
 *
 * @param {string} root Folder of package.json.
 * @returns {Promise<string[]>} One line per file.
 */
export async function build(root) {
  const { version } = JSON.parse(await readFile(join(root, "package.json"), "utf8"));
  const [worker, runner, program, egress] = await Promise.all([
    bundle({ root, entry: "worker/main.ts", version, options: workerOptions }),
    bundle({ root, entry: "runner/main.ts", version, options: launcherOptions }),
    bundle({ root, entry: "runner/program.ts", version, options: programOptions }),
    bundle({ root, entry: "runner/egress-proxy/main.ts", version, options: egressOptions }),
  ]);
  const gzipBytes = gzipSync(worker.code, { level: 9 }).length;
  if (gzipBytes > MAX_WORKER_GZIP_BYTES) {
    throw new Error(
      `Cannot ship the worker: it is ${gzipBytes} bytes gzip, the limit is ${MAX_WORKER_GZIP_BYTES}`,
    );
  }
  await mkdir(join(root, "dist"), { recursive: true });
  await replace(join(root, "dist/worker.js"), worker.code, 0o644);
  await replace(join(root, "dist/runner.js"), runner.code, 0o755);
  await replace(join(root, "dist/program.js"), program.code, 0o644);
  await replace(join(root, "dist/egress.js"), egress.code, 0o644);
  const texts = await licences(root, [
    ...worker.packages,
    ...runner.packages,
    ...program.packages,
    ...egress.packages,
  ]);
  await replace(join(root, "dist/LICENSES.txt"), texts, 0o644);
  return [
    size("dist/worker.js", worker.code),
    size("dist/runner.js", runner.code),
    size("dist/program.js", program.code),
    size("dist/egress.js", egress.code),
  ];
}

/**
 * @param {string} name
 * @param {Uint8Array} code
 */
function size(name, code) {
  const kb = (/** @type {number} */ bytes) => `${(bytes / 1024).toFixed(1)} KB`;
  return `${name}: ${kb(code.length)}, ${kb(gzipSync(code, { level: 9 }).length)} gzip`;
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? "").href) {
  const root = resolve(dirname(fileURLToPath(import.meta.url)), "..");
  try {
    for (const line of await build(root)) console.log(line);
  } catch (error) {
    console.error(error instanceof Error ? error.message : error);
    process.exitCode = 1;
  }
}
