import assert from "node:assert/strict";
import { test } from "node:test";
import { FULL_ISOLATION, type Isolation } from "../../runner/config/isolation.ts";
import { hostConfig, isRoot, type Mount } from "../../runner/docker/host-config.ts";

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
    CpuPeriod: 10_000,
    CpuQuota: 10_000,
    CpuShares: 256,
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
    CpuPeriod: 10_000,
    CpuQuota: 2_500,
    PidsLimit: 7,
  });
});

test("hostConfig() gives turns that are long enough for the least that the kernel takes", () => {
  for (const [cpuCores, quota] of [[0.01, 1_000], [0.09, 9_000], [0.1, 1_000], [64, 640_000]]) {
    const limits = { memoryBytes: 1_000_000_000, cpuCores: cpuCores ?? 0, pids: 7 };
    const { CpuPeriod = 0, CpuQuota = 0 } = hostConfig({ limits, mounts: [], imageVolumes: [] });
    assert.equal(CpuQuota, quota);
    assert.equal(CpuQuota / CpuPeriod, cpuCores);
  }
});

test("hostConfig() mounts volumes, and puts scratch folders where the image wants volumes", () => {
  const mounts: Mount[] = [
    { type: "bind", source: "/home/ada/notes", target: "/data", readOnly: true },
    { type: "bind", source: "/home/ada/tmp", target: "/tmp", readOnly: false },
    { type: "volume", source: "mcp-runner-notes-db", target: "/db", readOnly: false },
  ];
  const config = hostConfig({ limits, mounts, imageVolumes: ["/data", "/db", "/state"] });
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
    {
      Type: "volume",
      Source: "mcp-runner-notes-db",
      Target: "/db",
      ReadOnly: false,
      VolumeOptions: { NoCopy: false, Labels: {}, DriverConfig: { Name: "", Options: {} } },
    },
  ]);
});

const usual = hostConfig({ limits, mounts: [], imageVolumes: ["/state"] });
const letOff: [what: string, isolation: Partial<Isolation>, changed: object][] = [
  ["root: true, which is about the user alone", { root: true }, {}],
  ["writable: true", { writable: true }, { ReadonlyRootfs: false }],
  ["execTmp: true", { execTmp: true }, {
    Tmpfs: { "/tmp": "rw,exec,nosuid,nodev,size=64m,mode=1777", "/state": SCRATCH },
  }],
  ["caps", { caps: ["CHOWN", "SETUID"] }, { CapAdd: ["CHOWN", "SETUID"] }],
  ["runtime", { runtime: "runsc" }, { Runtime: "runsc" }],
  ["two GPUs", { gpus: 2 }, {
    DeviceRequests: [{ Driver: "nvidia", Count: 2, Capabilities: [["gpu"]] }],
  }],
  ["all GPUs", { gpus: "all" }, {
    DeviceRequests: [{ Driver: "nvidia", Count: -1, Capabilities: [["gpu"]] }],
  }],
];
for (const [what, isolation, changed] of letOff) {
  test(`hostConfig() with ${what} changes that and nothing else`, () => {
    const config = hostConfig({
      limits,
      mounts: [],
      imageVolumes: ["/state"],
      isolation: { ...FULL_ISOLATION, ...isolation },
    });
    assert.deepEqual(config, { ...usual, ...changed });
  });
}

test("hostConfig() with a network changes that and nothing else", () => {
  const network = { name: "mcp-runner-egress", dns: ["192.0.2.254"] };
  const config = hostConfig({ limits, mounts: [], imageVolumes: ["/state"], network });
  assert.deepEqual(config, { ...usual, NetworkMode: "mcp-runner-egress", Dns: ["192.0.2.254"] });
});

test("hostConfig() with files of secrets adds a folder in memory for them", () => {
  const config = hostConfig({ limits, mounts: [], imageVolumes: ["/state"], secretFiles: true });
  assert.deepEqual(config, {
    ...usual,
    Tmpfs: {
      ...usual.Tmpfs,
      "/run/secrets/mcp-runner": "rw,noexec,nosuid,nodev,size=2m,mode=1777",
    },
  });
});

const users: [user: string, root: boolean][] = [
  ["", true],
  ["root", true],
  ["0", true],
  ["00", true],
  ["0x0", true],
  ["1000", false],
  ["node", false],
];
for (const [user, root] of users) {
  test(`isRoot() of "${user}" is ${root}`, () => {
    assert.equal(isRoot(user), root);
  });
}
