import assert from "node:assert/strict";
import { test } from "node:test";
import { readCatalog } from "../../runner/catalog/read.ts";
import { sliceOf } from "../../runner/catalog/slice.ts";

const TEXT = `version: 3
name: docker-mcp
# what follows is long
registry:
  a:
    type: server
    image: ada/a
    description: |
      Text with
        b:
      in it

      and an empty line
  b-2:
    type: server
    image: ada/b2
  b:
    type: server
    image: ada/b
# a comment
    stray: 1
  "c":
    type: server
    image: ada/c
last: 1
`;

test("an entry is found without the others, at its own lines", async () => {
  for (const [name, image] of [["a", "ada/a"], ["b", "ada/b"], ["b-2", "ada/b2"], ["c", "ada/c"]]) {
    const slice = sliceOf(TEXT, name ?? "");
    const { entries } = await readCatalog(slice ?? "", "c.yaml");
    assert.deepEqual(entries.map((it) => [it.name, it.program]), [
      [name, { kind: "container", source: `image:${image}` }],
    ]);
  }
  const { warnings } = await readCatalog(sliceOf(TEXT, "b") ?? "", "c.yaml");
  assert.deepEqual(warnings, ["c.yaml:21:5 registry.b.stray: unknown field"]);
});

test("an entry of a slice is what it is in the whole catalog", async () => {
  const { entries } = await readCatalog(TEXT, "c.yaml");
  for (const entry of entries) {
    const { entries: [alone] } = await readCatalog(sliceOf(TEXT, entry.name) ?? "", "c.yaml");
    assert.deepEqual(alone, entry);
  }
});

test("what is laid out in another way is left to be read whole", () => {
  for (
    const text of ["", "registry: { a: { type: server } }", "registry:\n", "a:\n  b:\n    c: 1\n"]
  ) {
    assert.equal(sliceOf(text, "a"), undefined);
  }
  assert.equal(sliceOf(TEXT, "type"), undefined);
  assert.equal(sliceOf(TEXT, "zz"), undefined);
});
