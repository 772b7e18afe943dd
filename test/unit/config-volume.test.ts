import assert from "node:assert/strict";
import { test } from "node:test";
import { parseVolume } from "../../runner/config/volume.ts";

const linux = {
  platform: "linux",
  home: "/home/ada",
  directory: "/home/ada/project",
  ours: ["/srv/mcp-runner"],
};
const mac = { platform: "darwin", home: "/Users/ada", directory: "/Users/ada/project", ours: [] };
const windows = {
  platform: "win32",
  home: "C:\\Users\\ada",
  directory: "C:\\Users\\ada\\project",
  ours: [],
};

type Place = typeof linux;
const accepted: Array<
  [place: Place, text: string, host: string, container: string, mode: "ro" | "rw"]
> = [
  [linux, "./data:/data", "/home/ada/project/data", "/data", "ro"],
  [linux, "./data:/data:ro", "/home/ada/project/data", "/data", "ro"],
  [linux, "./data:/data:rw", "/home/ada/project/data", "/data", "rw"],
  [linux, "../shared/:/data/", "/home/ada/shared", "/data", "ro"],
  [linux, ".:/project", "/home/ada/project", "/project", "ro"],
  [linux, "~/notes:/notes", "/home/ada/notes", "/notes", "ro"],
  [linux, "/srv/data:/srv//data", "/srv/data", "/srv/data", "ro"],
  [mac, "/Users/ada/notes:/notes", "/Users/ada/notes", "/notes", "ro"],
  [windows, "C:\\data:/data", "C:\\data", "/data", "ro"],
  [windows, "d:/data:/data:rw", "d:\\data", "/data", "rw"],
  [windows, ".\\data:/data", "C:\\Users\\ada\\project\\data", "/data", "ro"],
  [windows, "~\\notes:/notes", "C:\\Users\\ada\\notes", "/notes", "ro"],
];

for (const [place, text, hostPath, containerPath, mode] of accepted) {
  test(`parseVolume() reads ${text} on ${place.platform}`, () => {
    assert.deepEqual(parseVolume(text, place), {
      hostPath,
      containerPath,
      readOnly: mode === "ro",
    });
  });
}

const refused: Array<[place: Place, text: string, message: RegExp]> = [
  [linux, "", /is not a volume, write <host path>:<container path>\[:ro\|:rw\], such as/],
  [linux, "./data", /is not a volume/],
  [linux, "./data:", /is not a volume/],
  [linux, ":/data", /is not a volume/],
  [linux, "./data:/data:rw:z", /is not a volume/],
  [linux, "./data:/data:z", /^"z" is not a mode, allowed are ro \(read only\) and rw$/],
  [
    linux,
    "Data:/data",
    /^"Data" is not a path, begin it with \.\/ \(beside this file\), ~\/ or \/$/,
  ],
  [linux, "$HOME/x:/data", /is not a path/],
  [linux, "~bob/x:/data", /is not a path/],
  [linux, "C:\\data:/data", /^"C:\\data" is a path of Windows, write one of this machine$/],
  [linux, "./data:data", /^"data" is not an absolute path in the container/],
  [linux, "./data:/data/../etc", /is not an absolute path in the container/],
  [linux, "./data:/", /^"\/" belongs to the container's system, mount to a path such as \/data$/],
  [linux, "./data:/proc/1", /belongs to the container's system/],
  [linux, "./data:/sys", /belongs to the container's system/],
  [linux, "./da\0ta:/data", /^"\.\/da\\x00ta" holds a zero character/],

  // What no server may see, however it is spelled.
  [linux, "/:/host", /^"\/" may not be seen by a server, mount a folder of its own$/],
  [linux, "/etc:/data", /may not be seen/],
  [linux, "/etc/../etc/ssl:/data", /may not be seen by a server \(guarded is "\/etc"\)/],
  [linux, "/var/run/docker.sock:/docker.sock", /may not be seen/],
  [linux, "~:/data", /may not be seen/],
  [linux, "~/.ssh:/data", /may not be seen/],
  [linux, "../.ssh/id_ed25519:/data", /may not be seen/],
  [linux, "..:/data", /may not be seen/],
  [linux, "/srv/mcp-runner:/data", /may not be seen/],
  [mac, "~/.SSH:/data", /may not be seen/],
  [windows, "C:\\:/data", /may not be seen/],
  [windows, "c:/users/ADA/.ssh:/data", /may not be seen/],
  [windows, "//./pipe/docker_engine:/data", /is a device or a pipe, mount a file or a folder$/],
];

for (const [place, text, message] of refused) {
  test(`parseVolume() refuses ${JSON.stringify(text)} on ${place.platform}`, () => {
    assert.throws(() => parseVolume(text, place), { code: "config_invalid", message });
  });
}
