import assert from "node:assert/strict";
import { test } from "node:test";
import { parseConfig } from "../../runner/config/config.ts";
import { selectProfile } from "../../runner/config/profile.ts";

const place = {
  file: "mcp-runner.yaml",
  cwd: "/home/ada",
  machine: { platform: "linux", home: "/home/ada", ours: [] },
};

const SERVERS =
  "version: 1\nservers: { a: { source: npm:a }, b: { source: npm:b }, c: { source: npm:c } }";

test("a profile has its servers alone, in the order of the file", async () => {
  const config = await parseConfig(`${SERVERS}\nprofiles: { work: [c, a], none: [] }`, place);
  const names = (profile?: string) =>
    selectProfile(config, profile).servers.map(({ name }) => name);
  assert.deepEqual(names(), ["a", "b", "c"]);
  assert.deepEqual(names("work"), ["a", "c"]);
  assert.deepEqual(names("none"), []);
});

test("a profile that is not there is refused, with those that are", async () => {
  const config = await parseConfig(`${SERVERS}\nprofiles: { work: [a], home: [b] }`, place);
  assert.throws(() => selectProfile(config, "wrk"), {
    code: "usage",
    message: 'Cannot use profile "wrk": did you mean "work"',
  });
  assert.throws(() => selectProfile(config, "constructor"), /there are work, home/);
  const bare = await parseConfig(SERVERS, place);
  assert.throws(() => selectProfile(bare, "work"), /the config has none/);
});
