import assert from "node:assert/strict";
import { test } from "node:test";
import { firstEntry, folderArchive } from "../../runner/docker/archive.ts";

const field = (archive: Uint8Array, start: number, end: number) =>
  new TextDecoder().decode(archive.subarray(start, end)).replace(/\0.*$/s, "");

test("folderArchive() makes one folder with an owner, that firstEntry() reads", () => {
  const archive = folderArchive("var/lib/data", 65532, 1000);
  assert.equal(field(archive, 0, 100), "var/lib/data/");
  assert.equal(field(archive, 156, 157), "5");
  assert.deepEqual(firstEntry(archive), {
    mode: 0o755,
    uid: 65532,
    gid: 1000,
    content: new Uint8Array(0),
  });
});

test("folderArchive() has the checksum of POSIX ustar", () => {
  const archive = folderArchive("data", 1, 1);
  const told = parseInt(field(archive, 148, 156), 8);
  const header = archive.slice(0, 512).fill(0x20, 148, 156);
  assert.equal(told, header.reduce((sum, byte) => sum + byte, 0));
});

test("folderArchive() divides a long path between name and prefix", () => {
  const path = `${"a".repeat(60)}/${"b".repeat(80)}`;
  const archive = folderArchive(path, 1, 1);
  assert.equal(`${field(archive, 345, 500)}/${field(archive, 0, 100)}`, `${path}/`);
});

test("firstEntry() steps over what is about the next entry, and bears an archive that is cut", () => {
  const about = new Uint8Array(1024);
  about.set(new TextEncoder().encode("00000000012"), 124);
  about.set(new TextEncoder().encode("x"), 156);
  const archive = new Uint8Array([...about, ...folderArchive("data", 7, 8)]);
  assert.equal(firstEntry(archive)?.uid, 7);
  assert.equal(firstEntry(archive.subarray(0, 600)), undefined);
  assert.equal(firstEntry(new Uint8Array(0)), undefined);
});
