import assert from "node:assert/strict";
import { test } from "node:test";
import { containerUser, hostConfig } from "../../runner/docker/host-config.ts";

const limits = { memoryBytes: 512 * 1024 ** 2, cpuCores: 1, pids: 128 };
const SCRATCH = "rw,noexec,nosuid,nodev,size=64m,mode=1777";

test("hostConfig() is exactly what every server gets", () => {
  assert.deepEqual(hostConfig({ limits, mounts: [], imageVolumes: [] }), {
    NetworkMode: "none",
    ReadonlyRootfs: true,
    CapDrop: ["ALL"],
    SecurityOpt: ["no-new-privileges:true"],
    Init: true,
    PidsLimit: 128,
    Memory: 536_870_912,
    MemorySwap: 536_870_912,
    NanoCpus: 1_000_000_000,
    ShmSize: 16_777_216,
    Tmpfs: { "/tmp": SCRATCH },
    IpcMode: "private",
    CgroupnsMode: "private",
    OomScoreAdj: 500,
    Ulimits: [{ Name: "nofile", Soft: 1024, Hard: 4096 }, { Name: "core", Soft: 0, Hard: 0 }],
    LogConfig: { Type: "none", Config: {} },
    RestartPolicy: { Name: "no" },
    AutoRemove: true,
    Mounts: [],
  });
});

test("hostConfig() takes limits from the configuration, without swap", () => {
  const config = hostConfig({
    limits: { memoryBytes: 1_000_000_000, cpuCores: 0.25, pids: 7 },
    mounts: [],
    imageVolumes: [],
  });
  assert.partialDeepStrictEqual(config, {
    Memory: 1_000_000_000,
    MemorySwap: 1_000_000_000,
    NanoCpus: 250_000_000,
    PidsLimit: 7,
  });
});

test("hostConfig() mounts volumes, and puts scratch folders where the image wants volumes", () => {
  const mounts = [
    { source: "/home/ada/notes", target: "/data", readOnly: true },
    { source: "/home/ada/tmp", target: "/tmp", readOnly: false },
  ];
  const config = hostConfig({ limits, mounts, imageVolumes: ["/data", "/state"] });
  assert.deepEqual(config.Tmpfs, { "/state": SCRATCH });
  assert.deepEqual(config.Mounts, [
    {
      Type: "bind",
      Source: "/home/ada/notes",
      Target: "/data",
      ReadOnly: true,
      BindOptions: { Propagation: "rprivate" },
    },
    {
      Type: "bind",
      Source: "/home/ada/tmp",
      Target: "/tmp",
      ReadOnly: false,
      BindOptions: { Propagation: "rprivate" },
    },
  ]);
});

const users: [image: string, container: string][] = [
  ["", "65532:65532"],
  ["root", "65532:65532"],
  ["0", "65532:65532"],
  ["00:1000", "65532:65532"],
  ["root:root", "65532:65532"],
  ["1000", "1000"],
  ["1000:1000", "1000:1000"],
  ["node", "node"],
  ["app:app", "app:app"],
];
for (const [image, container] of users) {
  test(`containerUser() of an image with user "${image}" is ${container}`, () => {
    assert.equal(containerUser(image), container);
  });
}
