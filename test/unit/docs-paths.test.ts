import assert from "node:assert/strict";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { dirname, join, posix } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";

const root = join(dirname(fileURLToPath(import.meta.url)), "../..");

const PAGES = [
  "README.md",
  "CHANGELOG.md",
  "CONTRIBUTING.md",
  "SECURITY.md",
  ...readdirSync(join(root, "docs")).filter((name) => name.endsWith(".md"))
    .map((name) => `docs/${name}`),
];

/** Paths of the project as pages write them in backticks: a file, or a folder below a known one. */
const PATH = /^(?:src|worker|runner|test|scripts|docs|bench)(?:\/[\w.-]+)+\/?$/;

function read(path: string): string {
  return readFileSync(join(root, path), "utf8");
}

/** A page without its fenced blocks. */
function prose(page: string): string {
  return read(page).replaceAll(/^```[\s\S]*?^```$/gm, "");
}

/** The anchor that a heading gets. */
function anchorOf(heading: string): string {
  return heading.toLowerCase().replaceAll(/[^\p{L}\p{N}\s_-]/gu, "").trim().replaceAll(/\s/g, "-");
}

for (const page of PAGES) {
  test(`every link of ${page} leads somewhere`, () => {
    for (const [, link = ""] of prose(page).matchAll(/\]\(([^)\s]+)\)/g)) {
      if (/^https?:/.test(link)) continue;
      const [path = "", anchor] = link.split("#");
      const target = path === "" ? page : posix.join(posix.dirname(page), path);
      assert.ok(existsSync(join(root, target)), `${link}: there is no ${target}`);
      if (anchor === undefined) continue;
      const anchors = [...prose(target).matchAll(/^#+ (.+)$/gm)].map(([, text = ""]) =>
        anchorOf(text)
      );
      assert.ok(anchors.includes(anchor), `${link}: ${target} has no such heading`);
    }
  });

  test(`every path that ${page} names exists`, () => {
    for (const [, name = ""] of prose(page).matchAll(/`([^`\n]+)`/g)) {
      if (!PATH.test(name)) continue;
      assert.ok(existsSync(join(root, name)), name);
    }
  });
}

/** The folders and files of the tree in docs/architecture.md. */
function tree(): readonly { readonly folder: string; readonly names: readonly string[] }[] {
  const [, block = ""] = /^## The tree\n+```text\n([\s\S]*?)```/m.exec(
    read("docs/architecture.md"),
  ) ?? [];
  const lines = block.replaceAll(/\n +/g, " ").split("\n").filter((line) => /^\w/.test(line));
  return lines.map((line) => {
    const [folder = "", ...names] = line.split(/ +/);
    return { folder, names };
  });
}

test("the tree of docs/architecture.md names files that exist", () => {
  const listed = tree();
  assert.ok(listed.length > 20);
  for (const { folder, names } of listed) {
    for (const name of names) {
      const found = name.endsWith("/")
        ? existsSync(join(root, folder, name))
        : [".ts", ".mjs"].some((ending) => existsSync(join(root, folder, `${name}${ending}`)));
      assert.ok(found, `${folder}${name}`);
    }
  }
});

test("the tree of docs/architecture.md has every folder of the source", () => {
  const folders = ["src", "worker", "runner"].flatMap((top) => [
    `${top}/`,
    ...readdirSync(join(root, top), { withFileTypes: true, recursive: true })
      .filter((entry) => entry.isDirectory())
      .map((entry) => `${join(entry.parentPath, entry.name).slice(root.length + 1)}/`),
  ]);
  const listed = new Set(tree().map(({ folder }) => folder));
  assert.deepEqual(folders.filter((folder) => !listed.has(folder.replaceAll("\\", "/"))), []);
});

test("each step of a story in docs/architecture.md is in the file that it names", () => {
  const stories = read("docs/architecture.md").split(/^#+ /m)
    .map((part) => [...part.matchAll(/^\| (\d+) +\| `([^`]+)` +\| `(\w+)`/gm)])
    .filter((steps) => steps.length > 0);
  assert.equal(stories.length, 4);
  for (const steps of stories) {
    assert.ok(steps.length > 10);
    steps.forEach(([, number = "", path = "", name = ""], index) => {
      assert.equal(Number(number), index + 1);
      assert.match(read(path), new RegExp(`\\b${name}\\b`), `${path}, step ${number}`);
    });
  }
});
