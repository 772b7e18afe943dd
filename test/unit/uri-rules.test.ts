import assert from "node:assert/strict";
import { test } from "node:test";
import type { Rules } from "../../src/policy/allowlist.ts";
import { isUriAllowed } from "../../src/policy/uri-rules.ts";

const ALL_BUT_SECRET: Rules = { allow: ["*"], deny: ["file:///secret*", "https://host/secret*"] };
const ONLY_PUBLIC: Rules = { allow: ["file:///public/*"], deny: [] };

const spellings = [
  "file:///secret",
  "file:///secret?x",
  "file:///secret#x",
  "FILE:///secret",
  "file:///public/../secret",
  "file:///public/%2e%2E/secret",
  "file:///%73ecret",
  "file:////secret",
  "file:///./secret",
  "file:/secret",
  "file://localhost/secret",
  "file://LOCALHOST/secret",
  "file://%6cocalhost/secret",
  "https://HOST/secret",
  "https://host/a/../secret",
  "https://host:443/secret",
  "https://me@host/secret",
  "https://me:pw@host:443/secret",
  "file:///sec\tret",
];

for (const uri of spellings) {
  test(`${JSON.stringify(uri)} is denied like what it means`, () => {
    assert.equal(isUriAllowed(ALL_BUT_SECRET, uri), false);
  });
}

for (
  const uri of [
    "file:///public/../secret",
    "file:///public/%2e%2e/secret",
    "file:///public\\..\\secret",
    "file:///public/..%2fsecret",
  ]
) {
  test(`${uri} does not leave what is allowed`, () => {
    assert.equal(isUriAllowed(ONLY_PUBLIC, uri), false);
  });
}

test("what means nothing denied is allowed as it is written", () => {
  for (const uri of ["file:///x", "file://localhost/x", "https://me@host:8443/x", "note:x"]) {
    assert.ok(isUriAllowed(ALL_BUT_SECRET, uri), uri);
  }
  assert.ok(isUriAllowed({ allow: ["file://localhost/*"], deny: [] }, "file://localhost/x"));
});
