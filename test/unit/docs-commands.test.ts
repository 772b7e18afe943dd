/**
 * What the documents tell people to type exists: commands, their options, npm scripts, environment
 * variables, config files, and the lines for clients.
 *
 * @module
 */
import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { clientLines } from "../../runner/cli/client-lines.ts";
import { commands } from "../../runner/cli/commands.ts";
import { parseConfig } from "../../runner/config/config.ts";

const root = join(dirname(fileURLToPath(import.meta.url)), "../..");

const PAGES = [
  "README.md",
  "CHANGELOG.md",
  "CONTRIBUTING.md",
  "SECURITY.md",
  ...readdirSync(join(root, "docs")).filter((name) => name.endsWith(".md"))
    .map((name) => `docs/${name}`),
];

function read(path: string): string {
  return readFileSync(join(root, path), "utf8");
}

/** What somebody could type: the spans and the lines of the fenced blocks of a page. */
function snippets(page: string): readonly string[] {
  const text = read(page);
  const fenced = [...text.matchAll(/^```\w*\n([\s\S]*?)^```$/gm)].flatMap(([, block = ""]) =>
    block.split("\n")
  );
  const inline = [...text.replaceAll(/^```[\s\S]*?^```$/gm, "").matchAll(/`([^`]+)`/g)]
    .map(([, span = ""]) => span.replaceAll(/\s+/g, " "));
  return [...fenced, ...inline].map((snippet) => snippet.trim());
}

/** The words after `mcp-runner` in a snippet that runs it. */
function wordsOf(snippet: string): readonly string[] | undefined {
  const [, rest] = /^(?:npx )?mcp-runner (.+)$/.exec(snippet) ?? [];
  return rest?.split(" ");
}

for (const page of PAGES) {
  test(`every command of mcp-runner in ${page} exists`, () => {
    for (const snippet of snippets(page)) {
      const words = wordsOf(snippet);
      if (words === undefined || words[0]?.startsWith("-") || /^[\d.]+/.test(words[0] ?? "")) {
        continue;
      }
      const [name = "", action = ""] = words;
      const usage = commands[name]?.usage;
      assert.ok(usage !== undefined, snippet);
      // A name or a source of the user's own, where the usage has a placeholder for it.
      const takesAny = new RegExp(`^mcp-runner ${name} \\[?<`).test(usage);
      if (/^[a-z]+$/.test(action) && !takesAny) {
        assert.match(usage, new RegExp(`\\b${action}\\b`), snippet);
      }
      for (const option of words.filter((word) => /^--[a-z]/.test(word) && word !== "--help")) {
        assert.ok(usage.includes(option), `${snippet}: no option ${option}`);
      }
    }
  });

  test(`every npm script in ${page} exists`, () => {
    const { scripts } = JSON.parse(read("package.json")) as { scripts: Record<string, string> };
    for (const [, run, short] of read(page).matchAll(/\bnpm (?:run ([\w:-]+)|(start|test)\b)/g)) {
      const name = run ?? short ?? "";
      assert.ok(Object.hasOwn(scripts, name), `npm run ${name}`);
    }
  });
}

test("the README names every command of mcp-runner", () => {
  const named = new Set(snippets("README.md").map((snippet) => wordsOf(snippet)?.[0]));
  assert.deepEqual(Object.keys(commands).filter((name) => !named.has(name)), []);
});

test("the README shows the lines for clients as the program prints them", () => {
  const lines = clientLines({ url: "http://127.0.0.1:8787/mcp", token: "mcpr_client_…" });
  assert.ok(read("README.md").includes(lines.join("\n")));
});

/** All text of these folders that programs are made of. */
function sourceOf(folders: readonly string[]): string {
  return folders.flatMap((top) =>
    readdirSync(join(root, top), { recursive: true, encoding: "utf8" })
      .filter((path) => /\.(ts|mjs)$/.test(path))
      .map((path) => read(join(top, path)))
  ).join("\n");
}

test("every environment variable of ours in the documents is read somewhere", () => {
  const product = sourceOf(["src", "worker", "runner", "scripts"]) + read("compose.yaml");
  const tests = sourceOf(["test"]);
  for (const page of PAGES) {
    // What only tests read is for those who change something.
    const source = page === "CONTRIBUTING.md" ? product + tests : product;
    for (const [name] of read(page).matchAll(/\bMCP_RUNNER_[A-Z_]+\b/g)) {
      assert.ok(source.includes(name), `${page}: ${name}`);
    }
  }
});

test("docs/workers.md has every variable of the worker's help", () => {
  const [, help = ""] = /\nEnvironment\n([\s\S]*?)`;/.exec(read("worker/command.ts")) ?? [];
  const names = [...help.matchAll(/\b[A-Z_]{4,}\b/g)].map(([name]) => name);
  assert.ok(names.includes("PORT") && names.includes("MCP_RUNNER_DATA"));
  const page = read("docs/workers.md");
  for (const name of names) assert.ok(page.includes(`\`${name}\``), name);
});

test("the classes that docs/workers.md binds are exported by the worker", () => {
  const main = read("worker/main.ts");
  const bound = [...read("docs/workers.md").matchAll(/class_?[nN]ame"?(?: =|:) "(\w+)"/g)]
    .map(([, name = ""]) => name);
  assert.deepEqual([...new Set(bound)], ["TunnelHome", "AccessStore"]);
  for (const name of bound) assert.match(main, new RegExp(`export \\{ ${name} \\}`));
});

test("the config of the README is one", async () => {
  const [, text = ""] = /```yaml\n([\s\S]*?)```/.exec(read("README.md")) ?? [];
  const machine = { platform: "linux", home: "/home/ada", ours: [] };
  const { servers } = await parseConfig(text, { file: "mcp-runner.yaml", cwd: "/work", machine });
  assert.deepEqual(servers.map(({ name, tools }) => ({ name, tools })), [
    { name: "everything", tools: { allow: ["echo", "get-sum"], deny: [] } },
  ]);
});
