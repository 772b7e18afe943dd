import assert from "node:assert/strict";
import process from "node:process";
import { test } from "node:test";
import { installedNode, isCurrent, productNode } from "../../scripts/install.mjs";

const locked = {
  "": { version: "0.1.0" },
  "node_modules/a": { version: "1.0.0", integrity: "sha512-a" },
  "node_modules/a-windows": { version: "1.0.0", integrity: "sha512-w", optional: true },
};
const installed = { "node_modules/a": { version: "1.0.0", integrity: "sha512-a" } };

const cases: Array<[why: string, installed: Parameters<typeof isCurrent>[1], current: boolean]> = [
  ["every package is there, but for those of other platforms", installed, true],
  [
    "somebody added a package by hand",
    { ...installed, "node_modules/b": { version: "2.0.0" } },
    true,
  ],
  ["a package is missing", {}, false],
  ["a package has another version", {
    "node_modules/a": { version: "1.0.1", integrity: "sha512-a" },
  }, false],
  ["a package has other content", {
    "node_modules/a": { version: "1.0.0", integrity: "sha512-b" },
  }, false],
  ["an optional package is stale", {
    ...installed,
    "node_modules/a-windows": { version: "0.9.0", integrity: "sha512-v" },
  }, false],
];

for (const [why, found, current] of cases) {
  test(`isCurrent() is ${current} when ${why}`, () => {
    assert.equal(isCurrent(locked, found), current);
  });
}

for (const version of ["22.13.0", "22.22.2", "24.1.0", "26.0.0"]) {
  test(`productNode() keeps the running Node ${version}`, () => {
    assert.equal(productNode("/project", version), process.execPath);
  });
}

for (const version of ["18.20.0", "20.20.2", "22.12.0"]) {
  test(`productNode() replaces Node ${version} by the installed one`, () => {
    assert.equal(productNode("/project", version), installedNode("/project"));
  });
}
