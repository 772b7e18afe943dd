import assert from "node:assert/strict";
import { test } from "node:test";
import { type BindMachine, dangerOf } from "../../runner/docker/bind.ts";

const linux: BindMachine = {
  platform: "linux",
  home: "/home/ada",
  ours: ["/home/ada/.colima/default/docker.sock", "/srv/mcp-runner"],
};
const mac: BindMachine = { platform: "darwin", home: "/Users/ada", ours: [] };
const windows: BindMachine = { platform: "win32", home: "C:\\Users\\ada", ours: [] };

const refused: [machine: BindMachine, path: string, guarded: string][] = [
  [linux, "/", "/"],
  [linux, "//", "//"],
  [linux, "/home/../", "/home/../"],
  [linux, "/etc", "/etc"],
  [linux, "/etc/passwd", "/etc"],
  [linux, "/data/../etc/", "/etc"],
  [linux, "/proc/1", "/proc"],
  [linux, "/sys", "/sys"],
  [linux, "/dev/sda", "/dev"],
  [linux, "/run/docker.sock", "/run"],
  [linux, "/var/run/docker.sock", "/var/run"],
  [linux, "/var", "/var/run"],
  [linux, "/home", "/home/ada/.ssh"],
  [linux, "/home/ada", "/home/ada/.ssh"],
  [linux, "/home/ada/.ssh/id_ed25519", "/home/ada/.ssh"],
  [linux, "/home/ada/.aws", "/home/ada/.aws"],
  [linux, "/home/ada/.docker/config.json", "/home/ada/.docker"],
  [linux, "/home/ada/.config", "/home/ada/.config/gcloud"],
  [linux, "/home/ada/.colima", "/home/ada/.colima/default/docker.sock"],
  [linux, "/srv/mcp-runner/credentials.json", "/srv/mcp-runner"],
  [mac, "/Users/ada/.SSH", "/Users/ada/.ssh"],
  [mac, "/Users/ADA/library/keychains", "/Users/ada/Library/Keychains"],
  [mac, "/private/etc/hosts", "/private/etc"],
  [windows, "C:\\", "C:\\"],
  [windows, "c:\\users\\ada\\.ssh", "C:\\Users\\ada\\.ssh"],
  [windows, "C:/Users/ada", "C:\\Users\\ada\\.ssh"],
];
for (const [machine, path, guarded] of refused) {
  test(`dangerOf() refuses ${path} on ${machine.platform}`, () => {
    assert.equal(dangerOf(path, machine), guarded);
  });
}

const allowed: [machine: BindMachine, path: string][] = [
  [linux, "/home/ada/notes"],
  [linux, "/home/ada/.sshd-notes"],
  [linux, "/etcetera"],
  [linux, "/srv/data"],
  [linux, "/home/ada/.config/notes"],
  [linux, "/tmp/project"],
  [mac, "/Users/ada/Documents"],
  [windows, "C:\\Users\\ada\\notes"],
  [windows, "D:\\data"],
];
for (const [machine, path] of allowed) {
  test(`dangerOf() allows ${path} on ${machine.platform}`, () => {
    assert.equal(dangerOf(path, machine), undefined);
  });
}
