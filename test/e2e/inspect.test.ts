import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { probeImage } from "../support/probe-image.ts";
import { probeEntry } from "../support/probe-server.ts";
import { createMachine, type Machine } from "../support/runner.ts";

/** Two servers of one image, so that they have every name in common, and one that cannot start. */
async function config(): Promise<string> {
  const image = await probeImage();
  const alike = ["first", "second"].map((name) => `${probeEntry(image, name)}    prefix: none\n`);
  return `version: 1\nservers:\n${alike.join("")}${probeEntry(image, "third", "exits")}`;
}

describe("inspect", () => {
  let machine: Machine;

  before(async () => {
    machine = await createMachine(await config());
  });
  after(() => machine[Symbol.asyncDispose]());

  test("says of each server what clients see, and why not the rest", async () => {
    const { code, stdout, output } = await machine.run("inspect", "--json");
    assert.equal(code, 0, output);
    const { ok, servers: [first, second, third] } = JSON.parse(stdout) as {
      ok: boolean;
      servers: readonly {
        name: string;
        state: string;
        error?: string;
        image?: string;
        era?: string;
        lists: { tools: { listed: number; allowed: number } };
        problems: readonly { kind: string; key: string; why: string; fix?: string }[];
      }[];
    };
    assert.equal(ok, true);
    assert.deepEqual([first?.state, first?.era, first?.problems], ["ready", "legacy", []]);
    assert.ok(first?.image);
    assert.deepEqual(first.lists.tools, { listed: 8, allowed: 7, denied: ["secret"] });
    const [problem] = second?.problems ?? [];
    assert.equal(second?.problems.length, 7);
    assert.deepEqual([problem?.kind, problem?.key], ["collision", "echo"]);
    assert.match(problem?.why ?? "", /"echo" of "first"/);
    assert.match(problem?.fix ?? "", /another prefix/);
    assert.equal(third?.state, "failed");
    assert.match(third.error ?? "", /Cannot start server "third"/);
  });

  test("says it to people, of one server if it is named", async () => {
    const { code, stdout, output } = await machine.run("inspect", "second");
    assert.equal(code, 0, output);
    assert.match(stdout, /^second {2}ready\n/);
    assert.match(stdout, /^ {2}collision: tool "echo" has the name "echo" of "first"; /m);
    assert.match(stdout, /^ {2}denied tools: secret$/m);
    assert.doesNotMatch(stdout, /^first/m);
  });

  test("refuses a server that the config does not have", async () => {
    const { code, output } = await machine.run("inspect", "nosuch");
    assert.equal(code, 2, output);
    assert.match(output, /Cannot inspect "nosuch": no such server/);
  });
});
