import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { test } from "node:test";
import { toGatewayError } from "../../src/errors.ts";
import { checkSecrets, commandOf, handOver, hasSecrets, SHIM } from "../../runner/docker/shim.ts";

const secrets = (variables: Record<string, string>, files: Record<string, string> = {}) => ({
  variables: new Map(Object.entries(variables)),
  files: new Map(Object.entries(files)),
  mayUseEnvironment: false,
});

test("handOver() is one line of letters, digits and escapes for each secret, and a last line", () => {
  assert.equal(
    handOver(secrets({ TOKEN: "ab1", KEY: "a\n$" }, { CERT: "é" })),
    "vTOKEN=ab1\nvKEY=a\\0012\\0044\nfCERT=\\0303\\0251\n.\n",
  );
});

test("handOver() of a value that looks like the last line does not end early", () => {
  assert.deepEqual(handOver(secrets({ A: "\n.\n" })).split("\n"), [
    "vA=\\0012\\0056\\0012",
    ".",
    "",
  ]);
});

const refused: [why: string, given: ReturnType<typeof secrets>, message: RegExp][] = [
  ["a name with a dash", secrets({ "A-B": "s3cret" }), /"A-B": this is no name/],
  ["a name with a command", secrets({ "A=$(id)": "s3cret" }), /this is no name/],
  ["a file with a path for a name", secrets({}, { "../x": "s3cret" }), /this is no name/],
  ["a name that begins with a digit", secrets({ "1A": "s3cret" }), /this is no name/],
  ["an empty name", secrets({ "": "s3cret" }), /this is no name/],
  ["a zero byte", secrets({ A: "s3cret\0" }), /holds a zero byte/],
  ["a variable beyond what the kernel takes", secrets({ A: "s3cret".repeat(30_000) }), /180000/],
  ["a file beyond its folder", secrets({}, { A: "s3cret".repeat(100_000) }), /600000 bytes/],
  ["a name that is both", secrets({ A: "s3cret" }, { A: "s3cret" }), /both a variable and a file/],
];
for (const [why, given, message] of refused) {
  test(`checkSecrets() refuses ${why}, and does not tell the value`, () => {
    assert.throws(() => checkSecrets(given), (error: Error) => {
      assert.equal(toGatewayError(error).code, "config_invalid");
      assert.match(error.message, message);
      assert.doesNotMatch(error.message, /s3cret/);
      return true;
    });
  });
}

test("checkSecrets() takes names and values that a shell can hold", () => {
  checkSecrets(secrets({ _A1: "", b: "line\nline\n" }, { C: "x".repeat(500_000) }));
});

test("hasSecrets() is false of none and of nothing", () => {
  assert.equal(hasSecrets(undefined), false);
  assert.equal(hasSecrets(secrets({})), false);
  assert.equal(hasSecrets(secrets({}, { A: "" })), true);
});

const image = (Entrypoint: string[], Cmd: string[]) => ({ Entrypoint, Cmd });
const commands: [why: string, config: ReturnType<typeof image>, given: string[], argv: string[]][] =
  [
    ["entry point and arguments", image(["/srv"], ["--http"]), [], ["/srv", "--http"]],
    ["arguments of ours", image(["/srv"], ["--http"]), ["--stdio"], ["/srv", "--stdio"]],
    ["no entry point", image([], ["node", "x.js"]), [], ["node", "x.js"]],
    ["no entry point and arguments of ours", image([], ["node"]), ["sh"], ["sh"]],
    ["an entry point that was taken away", image([""], ["node"]), [], ["node"]],
    [
      "a shell form",
      image(["/bin/sh", "-c", "exec node x.js"], []),
      ["a"],
      ["/bin/sh", "-c", "exec node x.js", "a"],
    ],
    ["empty arguments", image(["/srv"], []), ["", ""], ["/srv", "", ""]],
  ];
for (const [why, config, given, argv] of commands) {
  test(`commandOf() of an image with ${why} is what the engine would run`, () => {
    assert.deepEqual(commandOf(config, given), argv);
  });
}

test("commandOf() refuses an image without any command", () => {
  assert.throws(() => commandOf(image([], []), []), { code: "config_invalid" });
});

const noBash = spawnSync("bash", ["-c", "true"]).status !== 0;
test("the shim hands no value to a program, which everybody could see", { skip: noBash }, () => {
  const [, , script = ""] = SHIM;
  const input = handOver(secrets({ TOKEN: "s3cret" }));
  const run = (before: string) =>
    spawnSync("bash", ["-c", `${before}\n${script}`, "mcp-runner", "printenv", "TOKEN"], {
      input,
      encoding: "utf8",
    });
  assert.equal(run("").stdout, "s3cret\n");
  const { status, stdout, stderr } = run("enable -n printf");
  assert.deepEqual({ status, stdout }, { status: 126, stdout: "" });
  assert.match(stderr, /^mcp-runner: the shell of this image has no printf of its own/);
});
