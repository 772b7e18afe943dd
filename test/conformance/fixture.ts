import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { build } from "esbuild";
import { probeImage } from "../support/probe-image.ts";
import { ROOT } from "../support/program.ts";
import type { Build } from "./sets.ts";

/** The fixture's file in the machine's folder, and in the container's root. */
const FILE = "fixture.mjs";

/** Bundles the fixture into one file in `folder`, where the config looks for it. */
export async function writeFixture(folder: string): Promise<void> {
  const { outputFiles: [file] } = await build({
    absWorkingDir: ROOT,
    entryPoints: ["test/conformance/fixture/main.ts"],
    bundle: true,
    write: false,
    platform: "node",
    format: "esm",
    target: "node22",
    // Its packages are of both kinds, and an ES module has no `require` of its own.
    banner: {
      js: `import { createRequire } from "node:module"; const require = createRequire("/");`,
    },
    logLevel: "error",
  });
  if (file === undefined) throw new Error("Cannot bundle the fixture");
  await writeFile(join(folder, FILE), file.contents, { mode: 0o644 });
}

/** The config of a runner with a build of the fixture: the suite wants its names as they are. */
export async function fixtureConfig(name: Build): Promise<string> {
  return `version: 1
servers:
  fixture:
    source: ${JSON.stringify(`image:${await probeImage()}`)}
    args: [/${FILE}, ${name}]
    volumes: ["./${FILE}:/${FILE}"]
    prefix: none
    tools: { allow: ["*"] }
    prompts: { allow: ["*"] }
    resources: { allow: ["*"] }
    tasks: { auto: ["*"], required: [failing_job] }
`;
}
