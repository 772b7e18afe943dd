import assert from "node:assert/strict";
import { mkdtemp, realpath, rm, symlink } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { checkBind } from "../../runner/docker/bind.ts";
import { foldersOf, isWithin, sharedFolders } from "../../runner/docker/shared-folders.ts";

/** Lines of proc_pid_mountinfo(5), as they are in a container. */
const mounts: [line: string, shared: string[], why: string][] = [
  [
    "1 0 0:63 / / rw,relatime master:1 - overlay overlay rw,lowerdir=/a",
    [],
    "the container's own root",
  ],
  ["2 1 0:6 / /tmp rw - tmpfs tmpfs rw,size=65536k", [], "a folder in memory"],
  ["3 1 0:7 / /proc rw - proc proc rw", [], "a file system of the kernel"],
  [
    "4 1 254:0 /var/lib/docker/volumes/x_runner/_data /var/lib/mcp-runner/runner rw - ext4 /dev/vda rw",
    [],
    "a volume of the engine",
  ],
  [
    "5 1 254:0 /home/ada/notes /etc/mcp-runner ro - ext4 /dev/vda rw",
    [],
    "a folder of the machine at another path",
  ],
  [
    "6 1 254:0 /home/ada/notes /home/ada/notes ro - ext4 /dev/vda rw",
    ["/home/ada/notes"],
    "a folder of the machine at its own path",
  ],
  [
    "7 1 254:1 /notes /srv/notes ro - ext4 /dev/vdb rw",
    ["/srv/notes"],
    "a folder of a disk that the machine has at /srv",
  ],
  ["8 1 254:1 / /srv ro - ext4 /dev/vdb rw", ["/srv"], "a whole disk of the machine"],
  [
    "9 1 0:33 /@/srv/notes /srv/notes ro shared:9 - btrfs /dev/vda rw",
    ["/srv/notes"],
    "a folder in a part of a disk",
  ],
  [
    "10 1 254:0 /home/ada/my\\040notes /home/ada/my\\040notes ro - ext4 /dev/vda rw",
    ["/home/ada/my notes"],
    "a name with a space",
  ],
  ["", [], "the end of the file"],
  ["what is no mount", [], "garbage"],
];
for (const [line, shared, why] of mounts) {
  test(`foldersOf() tells what the engine sees at the same path: ${why}`, () => {
    assert.deepEqual(foldersOf(line), shared);
  });
}

test("isWithin() takes a folder and what is in it, and no other that begins like it", () => {
  assert.equal(isWithin("/srv/notes", ["/srv/notes"]), true);
  assert.equal(isWithin("/srv/notes/a", ["/opt", "/srv/notes"]), true);
  assert.equal(isWithin("/srv/notes-2", ["/srv/notes"]), false);
  assert.equal(isWithin("/srv", ["/srv/notes"]), false);
});

test("a runner that is in no container sees the paths of the machine as they are", () => {
  assert.equal(sharedFolders({}), undefined);
});

test("checkBind() refuses what the engine has elsewhere, also behind a link", async () => {
  const folder = await realpath(await mkdtemp(join(tmpdir(), "mcp-runner-shared-")));
  const machine = { platform: "linux", home: "/home/ada", ours: [] };
  const refused = { code: "config_invalid", message: /does not see that path of the machine/ };
  try {
    assert.equal((await checkBind(folder, { ...machine, shared: [folder] })).real, folder);
    await assert.rejects(checkBind(folder, { ...machine, shared: ["/srv"] }), refused);
    // It is not said to be missing: on the machine it may exist.
    await assert.rejects(checkBind("/no/such", { ...machine, shared: [] }), refused);
    await symlink("/usr", join(folder, "link"));
    await assert.rejects(
      checkBind(join(folder, "link"), { ...machine, shared: [folder] }),
      refused,
    );
  } finally {
    await rm(folder, { recursive: true });
  }
});
