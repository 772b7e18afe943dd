import assert from "node:assert/strict";
import { test } from "node:test";
import deno from "../../deno.json" with { type: "json" };
import npm from "../../package.json" with { type: "json" };

test("every npm script is a Deno task of the same name", () => {
  const scripts = Object.keys(npm.scripts).filter((name) => name !== "prepack");
  assert.deepEqual(
    deno.tasks,
    Object.fromEntries(scripts.map((name) => [name, `npm run-script ${name} --`])),
  );
});

test("every dependency is bundled and pinned", () => {
  assert.ok(!("dependencies" in npm), "the package must install without a registry");
  for (const [name, version] of Object.entries(npm.devDependencies)) {
    // A second version of a package has a name of its own, and its source's before the version.
    assert.match(version, /^(?:npm:@?[\w./-]+@)?\d+\.\d+\.\d+(?:-[a-z]+\.\d+)?$/, name);
  }
});

test("nothing runs when the package is installed", () => {
  const install = ["preinstall", "install", "postinstall", "prepare"];
  assert.deepEqual(Object.keys(npm.scripts).filter((name) => install.includes(name)), []);
});
