import assert from "node:assert/strict";
import { mkdir, mkdtemp, realpath, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { refuseOwnFiles } from "../../runner/config/own-files.ts";

describe("what decides about a server", () => {
  let folder: string;
  const config = (): string => join(folder, "mcp-runner.yaml");
  const server = (path: string, readOnly = false) => ({
    name: "notes",
    volumes: [{ hostPath: path, containerPath: "/data", readOnly }],
  });

  before(async () => {
    folder = await realpath(await mkdtemp(join(tmpdir(), "mcp-runner-own-")));
    await writeFile(config(), "");
    await mkdir(join(folder, "data"));
    await symlink(folder, join(folder, "data", "back"));
    await symlink(folder, `${folder}-link`);
  });
  after(async () => {
    await rm(`${folder}-link`);
    await rm(folder, { recursive: true });
  });

  test("is out of its reach: the config's folder, one above it, the file itself, by a link too", async () => {
    const above = join(folder, "..");
    for (const path of [folder, above, config(), `${folder}-link`, join(folder, "data", "back")]) {
      await assert.rejects(refuseOwnFiles(server(path), [config()]), {
        code: "config_invalid",
        message:
          `Cannot use server "notes": it could write to ${config()}, which decides what it may do, mount a folder inside "${path}" or with :ro`,
      });
    }
  });

  test("is out of its reach also where it does not exist yet", async () => {
    const lock = join(folder, "mcp-runner.lock");
    await assert.rejects(refuseOwnFiles(server(folder), [lock]), { code: "config_invalid" });
  });

  test("may be read, and a folder of its own may be written", async () => {
    await refuseOwnFiles(server(folder, true), [config()]);
    await refuseOwnFiles(server(join(folder, "data")), [config()]);
    await refuseOwnFiles(server(`${folder}-other`), [config()]);
  });

  test("is out of its reach where it is a folder of catalogs that holds what is mounted", async () => {
    await assert.rejects(refuseOwnFiles(server(join(folder, "data")), [folder]));
  });
});
