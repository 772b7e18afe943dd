import assert from "node:assert/strict";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { test } from "node:test";
import { chooseScript, consoleScripts, readPypiEntry } from "../../runner/image/pypi-entry.ts";

test("consoleScripts() reads the scripts of its own section alone", () => {
  const text = `[gui_scripts]
window = notes:window
[console_scripts]
notes = notes.main:run
notes-admin=notes.admin : cli.main [extra, more]

[other]
plugin = notes:plugin
`;
  const scripts = [
    { name: "notes", module: "notes.main", attribute: "run" },
    { name: "notes-admin", module: "notes.admin", attribute: "cli.main" },
  ];
  assert.deepEqual(consoleScripts(text), scripts);
  assert.deepEqual(consoleScripts(text.replaceAll("\n", "\r\n")), scripts);
});

test("consoleScripts() takes nothing that is more than a name", () => {
  const hostile = [
    'notes = notes:main();import("os")',
    "notes = notes",
    'notes" = notes:main',
    "notes = notes..main:run",
    "= notes:main",
  ];
  for (const line of hostile) assert.deepEqual(consoleScripts(`[console_scripts]\n${line}\n`), []);
});

const script = (name: string, attribute = name) => ({ name, module: "m", attribute });

test("chooseScript() takes the one named as the package, in any spelling, or the only one", () => {
  const scripts = [script("Ada_Notes"), script("admin")];
  assert.equal(chooseScript("ada-notes", scripts)?.name, "Ada_Notes");
  assert.equal(chooseScript("ada-notes", [script("serve")])?.name, "serve");
  assert.equal(chooseScript("ada", [script("a", "main"), script("b", "main")])?.name, "a");
  assert.equal(chooseScript("ada", []), undefined);
  assert.throws(() => chooseScript("ada", [script("a"), script("b")]), {
    code: "image_missing",
    message: /several programs \(a, b\) and none is named as the package/,
  });
});

async function installed(files: Readonly<Record<string, string>>, name: string) {
  const folder = await mkdtemp(join(tmpdir(), "mcp-runner-entry-test-"));
  try {
    for (const [path, text] of Object.entries(files)) {
      await mkdir(dirname(join(folder, path)), { recursive: true });
      await writeFile(join(folder, path), text);
    }
    return await readPypiEntry(folder, name);
  } finally {
    await rm(folder, { recursive: true });
  }
}

test("readPypiEntry() starts the script without the working directory on the path", async () => {
  const entry = await installed({
    "ada_notes-1.2.dist-info/entry_points.txt": "[console_scripts]\nada-notes = ada.notes:main\n",
    "other-3.dist-info/entry_points.txt": "[console_scripts]\nother = other:main\n",
  }, "Ada.Notes");
  assert.deepEqual(entry, {
    version: "1.2",
    program: "import sys;sys.path[:]=[p for p in sys.path if p];" +
      'sys.argv[0]="ada-notes";from importlib import import_module as m;sys.exit(m("ada.notes").main())',
  });
});

test("readPypiEntry() runs the module of a package without scripts", async () => {
  const { program } = await installed({
    "ada_notes-1.2.dist-info/METADATA": "",
    "ada_notes/__main__.py": "",
  }, "ada-notes");
  assert.match(program, /runpy\.run_module\("ada_notes",run_name="__main__",alter_sys=True\)$/);
});

test("readPypiEntry() refuses a library, and what does not say its version", async () => {
  await assert.rejects(installed({ "ada-1.dist-info/METADATA": "" }, "ada"), {
    code: "image_missing",
    message: /it is a library, use another package or an image$/,
  });
  await assert.rejects(installed({ "ada.py": "" }, "ada"), { message: /does not say its version/ });
});
