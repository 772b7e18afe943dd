import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { createHash, randomUUID } from "node:crypto";
import { once } from "node:events";
import { access, mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { Readable } from "node:stream";
import { buffer } from "node:stream/consumers";
import { after, test } from "node:test";
import { promisify } from "node:util";
import { gzipSync } from "node:zlib";
import { pack } from "tar-fs";
import * as v from "valibot";
import type { ContainerSource } from "../../runner/config/source.ts";
import { startContainer } from "../../runner/docker/container.ts";
import { IMAGE_LABEL } from "../../runner/docker/label.ts";
import { inspectImage } from "../../runner/docker/inspect.ts";
import { ensureImage } from "../../runner/image/image.ts";
import type { ImageLock, Pin } from "../../runner/image/lock.ts";
import { findLocalImage, recipe } from "../../runner/image/local-image.ts";
import { linesOf, useEngine, withImage } from "../support/engine.ts";

const { docker, skip } = await useEngine();
const story = (name: string, run: () => Promise<void>) =>
  void test(name, { skip, timeout: 300_000 }, run);

const silent = () => {};
const EVERYTHING = {
  kind: "npm",
  package: "@modelcontextprotocol/server-everything",
  version: "2026.8.31",
} as const;

/** Sets the images of this run apart from those of another on the same engine. */
const RUN = randomUUID().slice(0, 8);
const ECHO = `mcp-runner-echo-${RUN}`;

const folder = await mkdtemp(join(tmpdir(), "mcp-runner-npm-test-"));

/** Packages of a registry on loopback: files by package name; each has version 1.0.0. */
const PACKAGES: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  [ECHO]: {
    "package.json": JSON.stringify({
      name: ECHO,
      version: "1.0.0",
      bin: { echo: "cli.js" },
      scripts: { postinstall: "node -e \"fs.writeFileSync('ran', '')\"" },
      dependencies: { "mcp-runner-dependency": "1.0.0" },
    }),
    "cli.js": `#!/usr/bin/env -S node --no-warnings
const ran = require("node:fs").existsSync(__dirname + "/ran");
const { execArgv, argv } = process;
console.log(JSON.stringify({ ran, execArgv, args: argv.slice(2), said: require("mcp-runner-dependency") }));
process.stdin.resume();`,
  },
  "mcp-runner-dependency": {
    "package.json": '{"name":"mcp-runner-dependency","version":"1.0.0"}',
    "index.js": 'module.exports = "hello"',
  },
  "mcp-runner-shell": {
    "package.json": '{"name":"mcp-runner-shell","version":"1.0.0","bin":"run.sh"}',
    "run.sh": "#!/bin/bash\n",
  },
  "mcp-runner-library": {
    "package.json": '{"name":"mcp-runner-library","version":"1.0.0"}',
  },
  "mcp-runner-git": {
    "package.json": JSON.stringify({
      name: "mcp-runner-git",
      version: "1.0.0",
      bin: "cli.js",
      dependencies: { repository: `git+file://${folder}/repository` },
    }),
    "cli.js": "",
  },
};

const tarballs = new Map(
  await Promise.all(
    Object.entries(PACKAGES).map(async ([name, files]) =>
      [name, await tarball(name, files)] as const
    ),
  ),
);
const packageJson = v.pipe(v.string(), v.parseJson(), v.record(v.string(), v.unknown()));
const server = createServer(({ url = "" }, response) => {
  const [, name = "", file] = decodeURIComponent(url).split("/");
  const files = PACKAGES[name];
  if (files === undefined) return void response.writeHead(404).end("{}");
  if (file !== undefined) return void response.end(tarballs.get(name));
  const manifest = v.parse(packageJson, files["package.json"]);
  const integrity = integrityOf(tarballs.get(name) ?? Buffer.alloc(0));
  const dist = { tarball: `http://127.0.0.1:${port}/${name}/1.0.0.tgz`, integrity };
  const body = {
    name,
    "dist-tags": { latest: "1.0.0" },
    versions: { "1.0.0": { ...manifest, dist } },
  };
  response.setHeader("content-type", "application/json");
  response.end(JSON.stringify(body));
});
server.listen(0, "127.0.0.1");
await once(server, "listening");
const { port } = server.address() as AddressInfo;
after(async () => {
  server.close();
  server.closeAllConnections();
  await rm(folder, { recursive: true });
});

/** As registries name the hash of an archive. */
function integrityOf(bytes: Uint8Array): string {
  return `sha512-${createHash("sha512").update(bytes).digest("base64")}`;
}

async function tarball(name: string, files: Readonly<Record<string, string>>): Promise<Buffer> {
  const home = join(folder, name);
  await mkdir(join(home, "package"), { recursive: true });
  for (const [file, text] of Object.entries(files)) {
    await writeFile(join(home, "package", file), text);
  }
  return gzipSync(await buffer(Readable.from(pack(home))));
}

/** Runs `use` with these variables in the environment of npm. */
async function withEnv(
  changes: Readonly<Record<string, string>>,
  use: () => Promise<void>,
): Promise<void> {
  const before = { ...process.env };
  Object.assign(process.env, changes);
  try {
    await use();
  } finally {
    for (const name of Object.keys(changes)) delete process.env[name];
    Object.assign(process.env, before);
  }
}

/** npm as it is for this test: our packages, and a cache of its own. */
const withRegistry = (use: () => Promise<void>) =>
  withEnv({
    npm_config_registry: `http://127.0.0.1:${port}/`,
    npm_config_cache: join(folder, "cache"),
  }, use);

/** Nothing that an installation could work with. */
const withoutNpm = (use: () => Promise<void>) =>
  withEnv({ npm_config_registry: "http://127.0.0.1:1/", PATH: "", npm_execpath: "" }, use);

story("a published server runs from its package and answers initialize", async () => {
  const { image, name, command } = await ensureImage(docker.engine, EVERYTHING, silent);
  assert.match(image, /^sha256:[0-9a-f]{64}$/);
  assert.match(
    name,
    /^mcp-runner\/npm-modelcontextprotocol-server-everything:2026\.8\.31-[0-9a-f]{12}$/,
  );
  const spec = await docker.scriptSpec("", { image, command: [...command, "stdio"] });
  const container = await startContainer(docker.engine, spec);
  const next = linesOf((listener) => container.onLine(listener));
  const params = {
    protocolVersion: "2025-11-25",
    capabilities: {},
    clientInfo: { name: "test", version: "1.0.0" },
  };
  container.write(JSON.stringify({ jsonrpc: "2.0", id: 1, method: "initialize", params }));
  assert.partialDeepStrictEqual(JSON.parse(await next()), {
    id: 1,
    result: { protocolVersion: "2025-11-25", serverInfo: { name: "mcp-servers/everything" } },
  });
  await container.stop(5_000);
  assert.equal((await container.exited).code, 0);
});

story(
  "the second start of a package needs neither npm nor a network, and says nothing",
  async () => {
    const first = await ensureImage(docker.engine, EVERYTHING, silent);
    await withoutNpm(async () => {
      const again = await ensureImage(
        docker.engine,
        EVERYTHING,
        () => assert.fail("It works again"),
      );
      assert.deepEqual(again, first);
    });
  },
);

story("a package of the newest version is installed without running its scripts", async () => {
  const source = { kind: "npm", package: ECHO } as const;
  const told: string[] = [];
  let image = "";
  let name = "";
  await withRegistry(async () => {
    ({ image, name } = await ensureImage(docker.engine, source, (line) => told.push(line)));
  });
  try {
    assert.ok(name.startsWith(`mcp-runner/npm-${ECHO}:1.0.0-`), name);
    assert.deepEqual(told.slice(-2), [
      `Installing npm package ${ECHO}`,
      `Making an image of ${ECHO}@1.0.0`,
    ]);
    const container = await startContainer(
      docker.engine,
      await docker.scriptSpec("", { image, command: ["one", "two"] }),
    );
    const line = await linesOf((listener) => container.onLine(listener))();
    assert.deepEqual(JSON.parse(line), {
      ran: false,
      execArgv: ["--no-warnings"],
      args: ["one", "two"],
      said: "hello",
    });
    await container.stop(5_000);
  } finally {
    await docker.engine.docker.getImage(image).remove();
  }
});

/** What `ensureImage` answers in a process of its own. */
async function inAnotherProcess(source: ContainerSource): Promise<unknown> {
  const from = (path: string) => JSON.stringify(new URL(`../../runner/${path}`, import.meta.url));
  const program = `
    import { connectEngine } from ${from("docker/engine.ts")};
    import { ensureImage } from ${from("image/image.ts")};
    const ready = await ensureImage(await connectEngine(), ${JSON.stringify(source)}, () => {});
    console.log(JSON.stringify(ready));
  `;
  const args = ["--input-type=module", "-e", program];
  const { stdout } = await promisify(execFile)(process.execPath, args);
  return JSON.parse(stdout);
}

story("runners that make the same image at once all get it, and it is there once", async () => {
  const source = { kind: "npm", package: ECHO, version: "1.0.0" } as const;
  await withRegistry(async () => {
    const others = [1, 2].map(() => inAnotherProcess(source));
    const mine = await ensureImage(docker.engine, source, silent);
    assert.deepEqual(await Promise.all(others), [mine, mine]);
    const filters = { label: [`${IMAGE_LABEL}=${mine.name.split("-").at(-1)}`] };
    const images = await docker.engine.docker.listImages({ filters });
    await docker.engine.docker.getImage(mine.image).remove();
    assert.deepEqual(images.map(({ RepoTags }) => RepoTags), [[mine.name]]);
  });
});

/** A lock that is nowhere but here. */
function memoryLock(): ImageLock & { readonly pins: Map<string, Pin> } {
  const pins = new Map<string, Pin>();
  return {
    pins,
    get: (name) => pins.get(name),
    set: async (name, pin) => void pins.set(name, pin),
  };
}

story("a package without a version is pinned to what was installed, with its hash", async () => {
  const lock = memoryLock();
  const source = { kind: "npm", package: ECHO } as const;
  await withRegistry(async () => {
    const ready = await ensureImage(docker.engine, source, silent, { lock });
    const bytes = tarballs.get(ECHO) ?? Buffer.alloc(0);
    const integrity = integrityOf(bytes);
    assert.deepEqual([...lock.pins], [
      [`npm:${ECHO}`, { digest: ready.digest, version: "1.0.0", integrity }],
    ]);
    const none = () => assert.fail("It works again");
    assert.deepEqual(await ensureImage(docker.engine, source, none, { lock }), ready);
    await docker.engine.docker.getImage(ready.image).remove();
    // The newest may be another by now: the pinned one is installed again.
    const told: string[] = [];
    const again = await ensureImage(docker.engine, source, (line) => told.push(line), { lock });
    assert.ok(told.includes(`Installing npm package ${ECHO}@1.0.0`), told.join());
    assert.equal(again.digest, ready.digest);
    await docker.engine.docker.getImage(again.image).remove();
  });
});

story("a package whose archive is another under the same version does not start", async () => {
  const lock = memoryLock();
  const source = { kind: "npm", package: ECHO, version: "1.0.0" } as const;
  const options = { lock, server: "echo" };
  const genuine = tarballs.get(ECHO) ?? Buffer.alloc(0);
  await withRegistry(async () => {
    const first = await ensureImage(docker.engine, source, silent, options);
    await docker.engine.docker.getImage(first.image).remove();
    const files = { ...PACKAGES[ECHO], "cli.js": "console.log('tampered')" };
    tarballs.set(ECHO, await tarball(ECHO, files));
    try {
      const refused = {
        code: "image_changed",
        message: new RegExp(
          `^Cannot start npm package "${ECHO}@1\\.0\\.0": it was sha512-\\S+ when it was pinned and is sha512-\\S+ now, "mcp-runner approve echo" accepts it$`,
        ),
      };
      await assert.rejects(ensureImage(docker.engine, source, silent, options), refused);
      await assert.rejects(ensureImage(docker.engine, source, silent, options), refused);
      const accepted = await ensureImage(docker.engine, source, silent, {
        ...options,
        accept: true,
      });
      assert.notEqual(accepted.digest, first.digest);
      assert.deepEqual(await ensureImage(docker.engine, source, silent, options), accepted);
      await docker.engine.docker.getImage(accepted.image).remove();
    } finally {
      tarballs.set(ECHO, genuine);
    }
  });
});

story(
  "a package that needs other files than when it was pinned starts with a warning",
  async () => {
    const lock = memoryLock();
    const source = { kind: "npm", package: ECHO, version: "1.0.0" } as const;
    const warnings: string[] = [];
    const options = { lock, server: "echo", warn: (line: string) => void warnings.push(line) };
    const needed = "mcp-runner-dependency";
    const genuine = tarballs.get(needed) ?? Buffer.alloc(0);
    await withRegistry(async () => {
      const first = await ensureImage(docker.engine, source, silent, options);
      await docker.engine.docker.getImage(first.image).remove();
      tarballs.set(needed, await tarball(needed, { ...PACKAGES[needed], "index.js": "tampered" }));
      try {
        const second = await ensureImage(docker.engine, source, silent, options);
        await ensureImage(docker.engine, source, silent, options);
        assert.notEqual(second.digest, first.digest);
        assert.equal(warnings.length, 1);
        assert.match(
          warnings[0] ?? "",
          /^npm package "\S+@1\.0\.0" is as it was pinned, and what it depends on is not \([0-9a-f]{12}, was [0-9a-f]{12}\)/,
        );
        await docker.engine.docker.getImage(second.image).remove();
      } finally {
        tarballs.set(needed, genuine);
      }
    });
  },
);

story("an image that only claims to be ours by its label is not used", async () => {
  const claimed = recipe(`npm-claimed-${RUN}`, RUN);
  const label = `LABEL ${IMAGE_LABEL}=${claimed.hash}`;
  await withImage(docker.engine, ["FROM scratch", label], async (id) => {
    const image = docker.engine.docker.getImage(id);
    await image.tag({ repo: `someone/npm-claimed-${RUN}`, tag: "1" });
    assert.equal(await findLocalImage(docker.engine, claimed), undefined);
    await image.tag({ repo: `mcp-runner/npm-claimed-${RUN}`, tag: "1" });
    assert.deepEqual(await findLocalImage(docker.engine, claimed), {
      id,
      tag: `mcp-runner/npm-claimed-${RUN}:1`,
    });
  });
  assert.equal(await inspectImage(docker.engine, `mcp-runner/npm-claimed-${RUN}:1`), undefined);
});

const failures: [why: string, name: string, version: string | undefined, message: RegExp][] = [
  [
    "that does not exist",
    "mcp-runner-none",
    undefined,
    /"mcp-runner-none": npm's registry has no such package/,
  ],
  [
    "without that version",
    ECHO,
    "9.9.9",
    /@9\.9\.9": there is no such version/,
  ],
  [
    "that is a library",
    "mcp-runner-library",
    undefined,
    /it has no program to start, it is a library/,
  ],
  [
    "for another program",
    "mcp-runner-shell",
    undefined,
    /needs "\/bin\/bash", and only Node is there/,
  ],
];
for (const [why, name, version, message] of failures) {
  story(`ensureImage() refuses a package ${why} in one line`, async () => {
    const source = {
      kind: "npm",
      package: name,
      ...(version === undefined ? {} : { version }),
    } as const;
    await withRegistry(() =>
      assert.rejects(ensureImage(docker.engine, source, silent), {
        name: "GatewayError",
        code: "image_missing",
        message,
      })
    );
  });
}

story(
  "a package that depends on a git repository is refused, and the repository runs nothing",
  async () => {
    const [repository, inner] = [join(folder, "repository"), join(folder, "inner")];
    const ran = join(folder, "ran");
    const files: readonly (readonly [path: string, text: string])[] = [
      [join(inner, "package.json"), '{"name":"inner","version":"1.0.0"}'],
      // npm prepares a repository by an npm of its own, which reads what is written here.
      [join(repository, ".npmrc"), `git=${join(repository, "git.sh")}\n`],
      [join(repository, "git.sh"), `#!/bin/sh\ntouch ${ran}\nexec git "$@"\n`],
      [
        join(repository, "package.json"),
        JSON.stringify({
          name: "repository",
          version: "1.0.0",
          scripts: { prepare: "true" },
          dependencies: { inner: `git+file://${inner}` },
        }),
      ],
    ];
    const run = promisify(execFile);
    for (const [path, text] of files) {
      await mkdir(dirname(path), { recursive: true });
      await writeFile(path, text, { mode: 0o755 });
    }
    for (const cwd of [repository, inner]) {
      await run("git", ["init", "--quiet"], { cwd });
      await run("git", ["add", "--all"], { cwd });
      const who = ["-c", "user.name=Ada", "-c", "user.email=ada@example.com"];
      await run("git", [...who, "commit", "--quiet", "--message=All"], { cwd });
    }
    const source = { kind: "npm", package: "mcp-runner-git", version: "1.0.0" } as const;
    await withRegistry(() =>
      assert.rejects(ensureImage(docker.engine, source, silent), {
        code: "image_missing",
        message: /it needs a git repository, which could run programs here, use another package/,
      })
    );
    await assert.rejects(access(ran), { code: "ENOENT" });
  },
);

story("ensureImage() says that npm's registry cannot be reached", async () => {
  const source = { kind: "npm", package: "mcp-runner-none", version: "1.0.0" } as const;
  await withEnv(
    { npm_config_registry: "http://127.0.0.1:1/" },
    () =>
      assert.rejects(ensureImage(docker.engine, source, silent), {
        code: "image_missing",
        message: /registry cannot be reached \(ECONNREFUSED\), check the network$/,
      }),
  );
});

story("ensureImage() says that npm is missing", async () => {
  const source = { kind: "npm", package: "mcp-runner-none", version: "1.0.0" } as const;
  await withoutNpm(() =>
    assert.rejects(ensureImage(docker.engine, source, silent), {
      code: "image_missing",
      message: /npm is not on PATH, install Node\.js with npm/,
    })
  );
});
