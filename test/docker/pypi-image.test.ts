import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { createHash, randomUUID } from "node:crypto";
import { once } from "node:events";
import { access, mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { pathToFileURL } from "node:url";
import { promisify } from "node:util";
import { toGatewayError } from "../../src/errors.ts";
import { inspectImage } from "../../runner/docker/inspect.ts";
import { startContainer } from "../../runner/docker/container.ts";
import { ensureImage, type ReadyImage } from "../../runner/image/image.ts";
import { findPython } from "../../runner/image/local-python.ts";
import type { ImageLock, Pin } from "../../runner/image/lock.ts";
import { linesOf, useEngine } from "../support/engine.ts";

const { docker, skip: noEngine } = await useEngine();
const python = await findPython();
const hasPip = python !== undefined &&
  await promisify(execFile)(python.program, ["-m", "pip", "--version"]).then(
    () => true,
    () => false,
  );
const skip = noEngine || (!hasPip && "this machine has no python3 with pip");
if (!noEngine && skip) console.error(`Tests of PyPI packages are skipped: ${skip}`);

const story = (name: string, run: (t: { skip(why: string): void }) => Promise<void>) =>
  void test(name, { skip, timeout: 300_000 }, run);

const silent = () => {};
/** Sets the images of this run apart from those of another on the same engine. */
const RUN = randomUUID().slice(0, 8);
const ECHO = `mcp-runner-echo-${RUN}`;
const folder = await mkdtemp(join(tmpdir(), "mcp-runner-pypi-test-"));

const ECHO_MODULE = `
import json, os, sys
from mcp_runner_dependency import WORD

def main():
    print(json.dumps({"argv": sys.argv, "said": WORD, "path": os.environ["PYTHONPATH"],
        "cwd": os.getcwd() in sys.path or "" in sys.path, "cached": __cached__ and os.path.exists(__cached__)}))
    sys.stdout.flush()
    sys.stdin.read()
`;

/** Packages of an index on loopback: their files by name; each has version 1.0.0. */
const PACKAGES: Readonly<Record<string, { needs?: string; files: Record<string, string> }>> = {
  [ECHO]: {
    needs: "mcp-runner-dependency",
    files: { "mcp_runner_echo.py": ECHO_MODULE, "ENTRY": `${ECHO} = mcp_runner_echo:main` },
  },
  "mcp-runner-dependency": { files: { "mcp_runner_dependency.py": 'WORD = "hello"\n' } },
  "mcp-runner-library": { files: { "mcp_runner_library.py": "" } },
  "mcp-runner-many": { files: { "many.py": "", "ENTRY": "one = many:a\ntwo = many:b" } },
  "mcp-runner-url": {
    needs: `source @ ${pathToFileURL(join(folder, "source")).href}`,
    files: { "url.py": "", "ENTRY": "url = url:main" },
  },
  "mcp-runner-broken": { needs: "mcp-runner-source", files: { "broken.py": "" } },
};

/** Files that the index serves, by name. */
const wheels = new Map<string, Buffer>();
const fileOf = (name: string) => `${name.replaceAll("-", "_")}-1.0.0-py3-none-any.whl`;

/** A wheel is a zip file, which Python can write. */
async function wheel(name: string, files: Readonly<Record<string, string>>, needs?: string) {
  const home = join(folder, randomUUID());
  const info = `${name.replaceAll("-", "_")}-1.0.0.dist-info`;
  const { ENTRY: entry, ...modules } = files;
  const all: Record<string, string> = {
    ...modules,
    [`${info}/METADATA`]: `Metadata-Version: 2.1\nName: ${name}\nVersion: 1.0.0\n${
      needs === undefined ? "" : `Requires-Dist: ${needs}\n`
    }`,
    [`${info}/WHEEL`]:
      "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    ...(entry !== undefined && { [`${info}/entry_points.txt`]: `[console_scripts]\n${entry}\n` }),
  };
  all[`${info}/RECORD`] = Object.keys(all).map((path) => `${path},,\n`).join("");
  await mkdir(join(home, info), { recursive: true });
  for (const [path, text] of Object.entries(all)) await writeFile(join(home, path), text);
  const file = join(folder, `${randomUUID()}.whl`);
  const args = [
    "-m",
    "zipfile",
    "-c",
    file,
    ...Object.keys(files).filter((path) => path !== "ENTRY"),
    info,
  ];
  await promisify(execFile)(python?.program ?? "python3", args, { cwd: home });
  return await readFile(file);
}

const server = createServer(({ url = "" }, response) => {
  const [, kind, name = ""] = decodeURIComponent(url).split("/");
  const file = wheels.get(name);
  if (kind === "files" && file !== undefined) return void response.end(file);
  if (kind === "simple" && name === "mcp-runner-source") {
    response.setHeader("content-type", "text/html");
    return void response.end('<a href="/files/mcp_runner_source-1.0.0.tar.gz">x</a>');
  }
  const bytes = wheels.get(fileOf(name));
  if (kind !== "simple" || bytes === undefined) return void response.writeHead(404).end();
  const hash = createHash("sha256").update(bytes).digest("hex");
  response.setHeader("content-type", "text/html");
  response.end(`<a href="/files/${fileOf(name)}#sha256=${hash}">${fileOf(name)}</a>`);
});
server.listen(0, "127.0.0.1");
await once(server, "listening");
const { port } = server.address() as AddressInfo;
if (!skip) {
  for (const [name, { files, needs }] of Object.entries(PACKAGES)) {
    wheels.set(fileOf(name), await wheel(name, files, needs));
  }
}
const made = new Set<string>();
after(async () => {
  server.close();
  server.closeAllConnections();
  await rm(folder, { recursive: true });
  for (const id of made) {
    if (await inspectImage(docker.engine, id) === undefined) continue;
    await docker.engine.docker.getImage(id).remove({ force: true });
  }
});

/** Runs `use` with pip pointed to our index, or to none. */
async function withIndex(use: () => Promise<void>, url = `http://127.0.0.1:${port}/simple/`) {
  const names = Object.keys(process.env).filter((name) => name.startsWith("PIP_"));
  const before = Object.fromEntries(names.map((name) => [name, process.env[name]]));
  for (const name of names) delete process.env[name];
  Object.assign(process.env, {
    PIP_INDEX_URL: url,
    PIP_CACHE_DIR: join(folder, "cache"),
    PIP_CONFIG_FILE: "/dev/null",
  });
  try {
    await use();
  } finally {
    for (const name of ["PIP_INDEX_URL", "PIP_CACHE_DIR", "PIP_CONFIG_FILE"]) {
      delete process.env[name];
    }
    Object.assign(process.env, before);
  }
}

/** Starts an image and hands out its lines. */
async function start({ image, command }: ReadyImage, args: readonly string[] = []) {
  const spec = await docker.scriptSpec("", { image, command: [...command, ...args] });
  const container = await startContainer(docker.engine, spec);
  return { container, next: linesOf((listener) => container.onLine(listener)) };
}

story("a package runs from its wheel, with what it needs, and is pinned", async () => {
  const pins = new Map<string, Pin>();
  const lock: ImageLock = {
    get: (name) => pins.get(name),
    set: async (name, pin) => void pins.set(name, pin),
  };
  const source = { kind: "pypi", package: ECHO } as const;
  const told: string[] = [];
  await withIndex(async () => {
    const ready = await ensureImage(docker.engine, source, (line) => told.push(line), { lock });
    made.add(ready.id);
    assert.ok(ready.name.startsWith(`mcp-runner/pypi-${ECHO}:1.0.0-`), ready.name);
    assert.deepEqual(told.slice(-2), [
      `Installing PyPI package ${ECHO}`,
      `Making an image of ${ECHO}@1.0.0`,
    ]);
    const hash = createHash("sha256").update(wheels.get(fileOf(ECHO)) ?? "").digest("hex");
    assert.deepEqual([...pins], [
      [`pypi:${ECHO}`, { digest: ready.digest, version: "1.0.0", integrity: `sha256:${hash}` }],
    ]);
    const { container, next } = await start(ready, ["one", "two"]);
    assert.deepEqual(JSON.parse(await next()), {
      argv: [ECHO, "one", "two"],
      said: "hello",
      path: "/app",
      cwd: false,
      cached: true,
    });
    await container.stop(5_000);
    // Neither pip nor an index is needed again.
    server.closeAllConnections();
    const none = () => assert.fail("It works again");
    await withIndex(async () => {
      assert.deepEqual(await ensureImage(docker.engine, source, none, { lock }), ready);
    }, "http://127.0.0.1:1/simple/");
  });
});

story("a package whose wheel is another under the same version does not start", async () => {
  const pins = new Map<string, Pin>();
  const lock: ImageLock = {
    get: (name) => pins.get(name),
    set: async (name, pin) => void pins.set(name, pin),
  };
  const source = { kind: "pypi", package: ECHO, version: "1.0.0" } as const;
  const genuine = wheels.get(fileOf(ECHO)) ?? Buffer.alloc(0);
  await withIndex(async () => {
    const first = await ensureImage(docker.engine, source, silent, { lock });
    await docker.engine.docker.getImage(first.id).remove({ force: true });
    const files = { ...PACKAGES[ECHO]?.files, "mcp_runner_echo.py": "def main(): pass\n" };
    wheels.set(fileOf(ECHO), await wheel(ECHO, files, "mcp-runner-dependency"));
    try {
      await assert.rejects(ensureImage(docker.engine, source, silent, { lock, server: "echo" }), {
        code: "image_changed",
        message:
          /was sha256:\S+ when it was pinned and is sha256:\S+ now, "mcp-runner approve echo"/,
      });
      const accepted = await ensureImage(docker.engine, source, silent, { lock, accept: true });
      made.add(accepted.id);
    } finally {
      wheels.set(fileOf(ECHO), genuine);
    }
  });
});

const failures: [why: string, name: string, version: string | undefined, message: RegExp][] = [
  [
    "that does not exist",
    "mcp-runner-none",
    undefined,
    /there is no such package, or it has no wheel/,
  ],
  ["without that version", ECHO, "9.9.9", /==9\.9\.9": there is no such version/],
  ["that is a library", "mcp-runner-library", undefined, /it has no program to start/],
  [
    "with several programs",
    "mcp-runner-many",
    undefined,
    /it has several programs \(one, two\) and none is named as the package/,
  ],
  [
    "that needs one without a wheel, whose build would run code",
    "mcp-runner-broken",
    undefined,
    /it needs "mcp-runner-source", which has no wheel for this platform, use another package/,
  ],
];
for (const [why, name, version, message] of failures) {
  story(`ensureImage() refuses a PyPI package ${why} in one line`, async () => {
    const source = {
      kind: "pypi",
      package: name,
      ...(version !== undefined && { version }),
    } as const;
    await withIndex(() =>
      assert.rejects(ensureImage(docker.engine, source, silent), {
        name: "GatewayError",
        code: "image_missing",
        message,
      })
    );
  });
}

story("ensureImage() says that PyPI cannot be reached", async () => {
  const source = { kind: "pypi", package: "mcp-runner-none", version: "1.0.0" } as const;
  await withIndex(() =>
    assert.rejects(ensureImage(docker.engine, source, silent), {
      code: "image_missing",
      message: /PyPI cannot be reached, check the network$/,
    }), "http://127.0.0.1:1/simple/");
});

story("a published server runs from PyPI and tells the time", async (t) => {
  const source = { kind: "pypi", package: "mcp-server-time", version: "2026.10.19" } as const;
  const ready = await ensureImage(docker.engine, source, silent).catch(toGatewayError);
  if (ready instanceof Error) {
    assert.match(ready.message, /PyPI cannot be reached|no such package/);
    console.error(`The test with a server of PyPI is skipped: ${ready.message}`);
    return t.skip(ready.message);
  }
  const { container, next } = await start(ready);
  const send = (message: object) => container.write(JSON.stringify({ jsonrpc: "2.0", ...message }));
  const params = {
    protocolVersion: "2025-11-25",
    capabilities: {},
    clientInfo: { name: "test", version: "1.0.0" },
  };
  send({ id: 1, method: "initialize", params });
  assert.partialDeepStrictEqual(JSON.parse(await next()), {
    id: 1,
    result: { serverInfo: { name: "mcp-time" } },
  });
  send({ method: "notifications/initialized" });
  send({
    id: 2,
    method: "tools/call",
    params: { name: "get_current_time", arguments: { timezone: "Europe/Berlin" } },
  });
  assert.match(await next(), /"id":2.*Europe\/Berlin/);
  await container.stop(5_000);
});

story(
  "a package that names an address for another one does not make its program run here",
  async () => {
    const ran = join(folder, "ran");
    await mkdir(join(folder, "source"));
    const files: readonly (readonly [name: string, text: string])[] = [
      [
        "pyproject.toml",
        '[build-system]\nrequires=[]\nbuild-backend="backend"\nbackend-path=["."]\n',
      ],
      ["backend.py", `open(${JSON.stringify(ran)}, "w").close()\n`],
    ];
    for (const [name, text] of files) await writeFile(join(folder, "source", name), text);
    const source = { kind: "pypi", package: "mcp-runner-url", version: "1.0.0" } as const;
    await withIndex(() =>
      assert.rejects(ensureImage(docker.engine, source, silent), {
        code: "image_missing",
        message: /it needs something that is no wheel, whose build would run programs here/,
      })
    );
    await assert.rejects(access(ran), { code: "ENOENT" });
  },
);
