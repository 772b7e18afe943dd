import assert from "node:assert/strict";
import { mkdir, mkdtemp, readdir, readFile, rm, stat, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import { openCatalogs } from "../../runner/catalog/catalogs.ts";

const DOCKER = "https://desktop.docker.com/mcp/catalog/v3/catalog.yaml";
const OFFICIAL =
  "https://registry.modelcontextprotocol.io/v0.1/servers/io.github.ada%2Fnotes/versions/";

const DAY_MS = 24 * 3_600_000;

const catalog = (...names: readonly string[]) =>
  `registry:\n${names.map((name) => `  ${name}: { type: server, image: ada/${name} }\n`).join("")}`;

/** A web of URLs, and catalogs that see nothing but it. */
async function setUp(
  t: TestContext,
  web: Record<string, () => Response | Promise<Response>>,
  places: readonly string[] = [],
) {
  const home = await mkdtemp(join(tmpdir(), "mcp-runner-test-"));
  t.after(() => rm(home, { recursive: true }));
  const asked: { url: string; headers: Headers }[] = [];
  const notes: string[] = [];
  let nowMs = 1_700_000_000_000;
  const open = () =>
    openCatalogs({
      home,
      places: places.map((place) => place.startsWith("https:") ? place : join(home, place)),
      now: () => nowMs,
      note: (line) => notes.push(line.replaceAll(home, "HOME")),
      fetch: async (input, init) => {
        const url = String(input instanceof Request ? input.url : input);
        asked.push({ url, headers: new Headers(init?.headers) });
        const answer = web[url];
        if (answer === undefined) throw new TypeError("fetch failed");
        return await answer();
      },
    });
  return {
    home,
    asked,
    notes,
    open,
    wait: (ms: number) => nowMs += ms,
    write: async (path: string, text: string) => {
      await mkdir(join(home, path, ".."), { recursive: true });
      await writeFile(join(home, path), text);
    },
  };
}

test("an entry that the config's catalogs have not is looked up in Docker's, fetched once a day", async (t) => {
  const { open, asked, wait, home } = await setUp(t, {
    [DOCKER]: () => new Response(catalog("fetch"), { headers: { etag: '"1"' } }),
  });
  const first = open();
  assert.equal((await first.find("fetch")).name, "fetch");
  await first.find("fetch");
  await open().find("fetch");
  assert.equal(asked.length, 1);
  const [copy = ""] = await readdir(join(home, "catalogs"));
  assert.equal((await stat(join(home, "catalogs", copy))).mode & 0o777, 0o600);

  wait(DAY_MS + 1);
  await open().find("fetch");
  assert.equal(asked.length, 2);
  assert.equal(asked[1]?.headers.get("if-none-match"), '"1"');
});

test("a copy that has not changed is good for another day", async (t) => {
  const web = { [DOCKER]: () => new Response(catalog("a"), { headers: { etag: '"1"' } }) };
  const { open, asked, wait } = await setUp(t, web);
  await open().find("a");
  web[DOCKER] = () => new Response(null, { status: 304 });
  wait(DAY_MS + 1);
  assert.equal((await open().find("a")).name, "a");
  await open().find("a");
  assert.equal(asked.length, 2);
});

test("offline, the copy is used with a note; without one the error says what to do", async (t) => {
  const web: Record<string, () => Response> = { [DOCKER]: () => new Response(catalog("a")) };
  const { open, wait, notes } = await setUp(t, web);
  await open().find("a");
  delete web[DOCKER];
  wait(DAY_MS + 1);
  assert.equal((await open().find("a")).name, "a");
  assert.deepEqual(notes, ["Using the copy of 2023-11-14 of Docker's catalog: fetch failed"]);

  const other = await setUp(t, {});
  await assert.rejects(other.open().find("a"), {
    code: "config_invalid",
    message:
      /Cannot read Docker's catalog: desktop.docker.com gives none \(fetch failed\) and no copy/,
  });
});

test("refresh asks at once, whatever the age of the copy", async (t) => {
  const web = { [DOCKER]: () => new Response(catalog("a")) };
  const { open } = await setUp(t, web);
  const catalogs = open();
  await catalogs.find("a");
  web[DOCKER] = () => new Response(catalog("b"));
  await catalogs.refresh();
  assert.equal((await catalogs.find("b")).name, "b");
});

test("a catalog that could not be read is tried again", async (t) => {
  const web: Record<string, () => Response> = {};
  const { open } = await setUp(t, web);
  const catalogs = open();
  await assert.rejects(catalogs.find("a"));
  web[DOCKER] = () => new Response(catalog("a"));
  assert.equal((await catalogs.find("a")).name, "a");
});

test("redirects are followed to https alone, and not for ever", async (t) => {
  const to = (location: string) => () => new Response(null, { status: 302, headers: { location } });
  const web: Record<string, () => Response> = {
    [DOCKER]: to("/other"),
    "https://desktop.docker.com/other": () => new Response(catalog("a")),
  };
  assert.equal((await (await setUp(t, web)).open().find("a")).name, "a");

  web["https://desktop.docker.com/other"] = to("http://desktop.docker.com/plain");
  await assert.rejects((await setUp(t, web)).open().find("a"), { message: /not encrypted/ });

  web["https://desktop.docker.com/other"] = to(DOCKER);
  await assert.rejects((await setUp(t, web)).open().find("a"), { message: /in circles/ });
});

test("a catalog without an end is given up", async (t) => {
  const chunk = new Uint8Array(1024 * 1024);
  let sent = 0;
  const endless = () =>
    new Response(
      new ReadableStream({
        pull(controller) {
          sent++;
          controller.enqueue(chunk);
        },
      }),
    );
  const { open } = await setUp(t, { [DOCKER]: endless });
  await assert.rejects(open().find("a"), { message: /more than 8388608 bytes/ });
  assert.ok(sent < 40);
});

test("the config's catalogs come first and in their order, and a name that is there twice is told", async (t) => {
  const { open, write, notes } = await setUp(
    t,
    {
      "https://example.com/c.yaml": () => new Response(catalog("a", "b")),
      [DOCKER]: () => new Response(catalog("a", "c")),
    },
    ["mine.yaml", "https://example.com/c.yaml"],
  );
  await write("mine.yaml", "registry: { a: { type: server, image: mine/a } }");
  const catalogs = open();
  const program = async (name: string) => {
    const found = (await catalogs.find(name)).program;
    return found.kind === "container" ? found.source : found.kind;
  };
  assert.equal(await program("a"), "image:mine/a");
  assert.equal(await program("b"), "image:ada/b");
  assert.equal(await program("c"), "image:ada/c");
  assert.deepEqual((await catalogs.entries()).map(({ name }) => name), ["a", "b", "c"]);
  assert.deepEqual(notes, [
    '"a" of https://example.com/c.yaml is not used: HOME/mine.yaml has one, too',
  ]);
});

test("a folder is read as docker/mcp-registry is laid out, or as a heap of files", async (t) => {
  const server = (name: string) => `name: ${name}\ntype: server\nimage: ada/${name}\n`;
  const { open, write } = await setUp(t, {}, ["tree", "heap"]);
  await write("tree/README.md", "# Not a catalog");
  await write("tree/servers/a/server.yaml", server("a"));
  await write("tree/servers/b/server.yaml", server("b"));
  await write("heap/c.yaml", server("c"));
  await write("heap/d.yml", catalog("d"));
  assert.deepEqual((await open().entries()).map(({ name }) => name), ["a", "b", "c", "d"]);
});

const badPlaces: Array<[why: string, message: RegExp]> = [
  ["missing", /there is no such file or folder, correct catalogs in the config/],
  ["empty", /it holds no catalog/],
  ["latin.yaml", /it is not UTF-8/],
  ["loop.yaml", /ELOOP/],
];

for (const [place, message] of badPlaces) {
  test(`a place that is ${place} is told`, async (t) => {
    const { open, home } = await setUp(t, {}, [place]);
    await mkdir(join(home, "empty"));
    await writeFile(join(home, "latin.yaml"), new Uint8Array([0x61, 0x3a, 0xe9]));
    await symlink(join(home, "loop.yaml"), join(home, "loop.yaml"));
    await assert.rejects(open().find("a"), { code: "config_invalid", message });
  });
}

test("an unknown entry is answered with the nearest name", async (t) => {
  const { open } = await setUp(t, { [DOCKER]: () => new Response(catalog("filesystem")) });
  await assert.rejects(open().find("filesytem"), { message: /did you mean "filesystem"/ });
  await assert.rejects(open().find("zzz"), {
    message: /"mcp-runner catalog search <words>" finds/,
  });
});

const answer = (status: string) =>
  Response.json({
    server: {
      name: "io.github.ada/notes",
      description: "Notes",
      version: "1.0.0",
      packages: [{
        registryType: "npm",
        identifier: "notes",
        version: "1.0.0",
        transport: { type: "stdio" },
      }],
    },
    _meta: { "io.modelcontextprotocol.registry/official": { status, statusMessage: "Use b" } },
  });

test("a server of the registry is asked for by name and version, the latest unless given", async (t) => {
  const { open, asked } = await setUp(t, {
    [`${OFFICIAL}latest`]: () => answer("active"),
    [`${OFFICIAL}1.0.0%2Bb`]: () => answer("active"),
  });
  const { program } = await open().registered("io.github.ada/notes");
  assert.deepEqual(program, { kind: "container", source: "npm:notes@1.0.0" });
  await open().registered("io.github.ada/notes", "1.0.0+b");
  assert.deepEqual(asked.map(({ url }) => url), [`${OFFICIAL}latest`, `${OFFICIAL}1.0.0%2Bb`]);
});

test("a deleted server is refused, a deprecated one told, an unknown one named", async (t) => {
  const web = { [`${OFFICIAL}latest`]: () => answer("deleted") };
  const ask = async () => (await setUp(t, web)).open().registered("io.github.ada/notes");
  await assert.rejects(ask(), { code: "config_invalid", message: /it was deleted/ });
  web[`${OFFICIAL}latest`] = () => answer("deprecated");
  assert.deepEqual((await ask()).notes, ['The registry calls it deprecated: "Use b"']);
  web[`${OFFICIAL}latest`] = () => Response.json({ error: "Server not found" }, { status: 404 });
  await assert.rejects(ask(), {
    message: /Cannot find "io.github.ada\/notes" in the MCP registry/,
  });
  web[`${OFFICIAL}latest`] = () => Response.json({ server: { name: "io.github.eve/notes" } });
  await assert.rejects(ask(), { message: /not a description of it/ });
});

test("a server.json of the config's own takes the place of the registry", async (t) => {
  const { open, write, asked } = await setUp(t, {}, ["server.json"]);
  const { server } = await answer("active").json() as { server: object };
  await write("server.json", JSON.stringify(server));
  assert.equal(
    (await open().registered("io.github.ada/notes")).place.endsWith("server.json"),
    true,
  );
  assert.equal(asked.length, 0);
});

test("a damaged copy is fetched again", async (t) => {
  const { open, home, asked } = await setUp(t, { [DOCKER]: () => new Response(catalog("a")) });
  await open().find("a");
  const [copy = ""] = await readdir(join(home, "catalogs"));
  const path = join(home, "catalogs", copy);
  await writeFile(path, (await readFile(path, "utf8")).slice(0, 40));
  assert.equal((await open().find("a")).name, "a");
  assert.equal(asked.length, 2);
});
