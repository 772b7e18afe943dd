import assert from "node:assert/strict";
import { test } from "node:test";
import { bareName, fullName, parseImageName } from "../../runner/image/reference.ts";

const DIGEST = `sha256:${"0".repeat(64)}`;

const names: [
  reference: string,
  host: string,
  repository: string,
  tag?: string | undefined,
  digest?: string,
][] = [
  ["notes", "docker.io", "library/notes", "latest"],
  ["ada/notes:1.2", "docker.io", "ada/notes", "1.2"],
  ["docker.io/notes", "docker.io", "library/notes", "latest"],
  ["index.docker.io/ada/notes", "docker.io", "ada/notes", "latest"],
  ["ghcr.io/ada/notes:1", "ghcr.io", "ada/notes", "1"],
  ["localhost/notes", "localhost", "notes", "latest"],
  ["127.0.0.1:5000/a/b:1", "127.0.0.1:5000", "a/b", "1"],
  ["[::1]:5000/a", "[::1]:5000", "a", "latest"],
  [`ada/notes@${DIGEST}`, "docker.io", "ada/notes", undefined, DIGEST],
  [`ada/notes:1@${DIGEST}`, "docker.io", "ada/notes", "1", DIGEST],
];
for (const [reference, host, repository, tag, digest] of names) {
  test(`parseImageName() takes ${reference} apart`, () => {
    assert.deepEqual(parseImageName(reference), { host, repository, tag, digest });
    assert.equal(fullName(reference), `${host}/${repository}`);
  });
}

test("bareName() keeps the name as it was written", () => {
  assert.equal(bareName("localhost:5000/notes:1"), "localhost:5000/notes");
  assert.equal(bareName("localhost:5000/notes"), "localhost:5000/notes");
  assert.equal(bareName(`notes:1@${DIGEST}`), "notes");
});
