import assert from "node:assert/strict";
import { mkdir, mkdtemp, realpath, rm, symlink } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { planOf, upstreamPlan } from "../../runner/approval/container-plan.ts";
import { planHash, planLines } from "../../runner/approval/plan.ts";
import { parseConfig, type ServerConfig } from "../../runner/config/config.ts";

const IMAGE = {
  reference: "image:notes",
  ready: {
    image: `notes@sha256:${"a".repeat(64)}`,
    name: "notes:latest",
    id: `sha256:${"b".repeat(64)}`,
    digest: `sha256:${"a".repeat(64)}`,
    command: [],
  },
  facts: {
    Id: `sha256:${"b".repeat(64)}`,
    Architecture: "amd64",
    Os: "linux",
    RepoDigests: [],
    Config: { Entrypoint: ["/notes"], Cmd: [], User: "", Env: [], Labels: {}, Volumes: {} },
  },
} as unknown as Parameters<typeof planOf>[1];

async function server(fields: string, cwd = "/work"): Promise<ServerConfig> {
  const config = await parseConfig(`version: 1\nservers:\n  notes: { ${fields} }\n`, {
    file: "mcp-runner.yaml",
    cwd,
    machine: { platform: "linux", home: "/home/ada", ours: [] },
  });
  const [one] = config.servers;
  return one ?? assert.fail("no server");
}

test("a plan has the values of variables, and of a secret among them only whether it has changed", async () => {
  const plan = async (value: string) =>
    await planOf(await server(`source: image:notes, env: { A_URL: x, A_TOKEN: ${value} }`), IMAGE);
  const [one, other] = [await plan("first-one"), await plan("second-one")];
  assert.ok(one.variables.includes("A_URL=x"));
  assert.doesNotMatch(JSON.stringify([one, other]), /first-one|second-one/);
  assert.notEqual(await planHash(one), await planHash(other));
});

test("a plan names the folder that a link leads to: another one has to be agreed to anew", async (t) => {
  const folder = await realpath(await mkdtemp(join(tmpdir(), "mcp-runner-plan-")));
  t.after(() => rm(folder, { recursive: true }));
  const [one, other] = [join(folder, "one"), join(folder, "other")];
  await mkdir(one);
  await mkdir(other);
  const config = await server(`source: image:notes, volumes: ["./data:/data"]`, folder);
  await symlink(one, join(folder, "data"));
  assert.deepEqual((await planOf(config, IMAGE)).mounts, [`${one}:/data:ro`]);
  await rm(join(folder, "data"));
  await symlink(other, join(folder, "data"));
  assert.deepEqual((await planOf(config, IMAGE)).mounts, [`${other}:/data:ro`]);
});

test("a server at a URL has a plan as soon as it gets secrets of this machine", async () => {
  const url = "https://mcp.example.com/mcp";
  assert.equal(upstreamPlan(await server(`source: "${url}"`)), undefined);
  const plan = upstreamPlan(
    await server(
      `source: "${url}?team=1", headers: { A: "\${TOKEN}" }, secrets: { TOKEN: store:github.token }`,
    ),
  );
  assert.deepEqual(plan && planLines(plan), [
    `  url        ${url}`,
    "  secrets    TOKEN from store:github.token",
  ]);
});
