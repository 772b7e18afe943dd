import assert from "node:assert/strict";
import { test } from "node:test";
import { endpoints, plan } from "../../scripts/engine.mjs";

const NOWHERE = { DOCKER_CONFIG: "/nowhere/.docker" };

test("endpoints() takes DOCKER_HOST before anything else", () => {
  const env = { ...NOWHERE, DOCKER_HOST: "tcp://10.0.0.2:2375", DOCKER_CONTEXT: "colima" };
  assert.deepEqual(endpoints(env, "/home/ada"), [
    { host: "tcp://10.0.0.2:2375", from: "DOCKER_HOST" },
  ]);
});

test("endpoints() names a chosen context that does not exist", () => {
  assert.throws(
    () => endpoints({ ...NOWHERE, DOCKER_CONTEXT: "colima" }, "/home/ada"),
    /^Error: Cannot use the Docker context "colima": it does not exist/,
  );
});

test("endpoints() tries the usual sockets when nobody chose", () => {
  const env = { ...NOWHERE, DOCKER_HOST: "", XDG_RUNTIME_DIR: "/run/user/1000" };
  assert.deepEqual(endpoints(env, "/home/ada", "linux").map(({ host }) => host), [
    "unix:///home/ada/.docker/run/docker.sock",
    "unix:///var/run/docker.sock",
    "unix:///run/user/1000/docker.sock",
  ]);
});

test("endpoints() tries the named pipe on Windows", () => {
  assert.deepEqual(endpoints(NOWHERE, "C:\\Users\\ada", "win32"), [
    { host: "npipe:////./pipe/docker_engine", from: undefined },
  ]);
});

type Machine = Parameters<typeof plan>[0];

/** A Debian machine as root with nothing installed. */
const bare: Machine = {
  tried: [{ host: "unix:///var/run/docker.sock", from: undefined }],
  reasons: ["connect ENOENT /var/run/docker.sock"],
  platform: "linux",
  root: true,
  mayInstall: true,
  dockerd: false,
  apt: true,
};

test("plan() installs the engine on a bare machine", () => {
  assert.deepEqual(plan(bare), { do: "install" });
});

test("plan() starts the engine that is installed", () => {
  assert.deepEqual(plan({ ...bare, dockerd: true }), { do: "start" });
});

const hopeless: Array<[why: string, change: Partial<Machine>, error: RegExp]> = [
  [
    "DOCKER_HOST names a dead engine",
    { dockerd: true, tried: [{ host: "unix:///tmp/none.sock", from: "DOCKER_HOST" }] },
    /^Cannot reach the Docker engine at unix:\/\/\/tmp\/none\.sock, which DOCKER_HOST names: /,
  ],
  [
    "the socket is not ours to open",
    { root: false, reasons: ["connect EACCES /var/run/docker.sock"] },
    /permission denied; join the group .*usermod -aG docker/,
  ],
  ["it is a Mac", { platform: "darwin", root: false, apt: false }, /install Docker Desktop/],
  ["it is Windows", { platform: "win32", root: false, apt: false }, /install Docker Desktop/],
  ["we are not root", { root: false }, /sudo apt-get install docker\.io/],
  ["the user opted out", { mayInstall: false, dockerd: true }, /MCP_RUNNER_NO_INSTALL=1/],
  ["there is no apt", { apt: false }, /install one \(https:/],
];

for (const [why, change, error] of hopeless) {
  test(`plan() gives up and says what to do when ${why}`, () => {
    const next = plan({ ...bare, ...change });
    assert.ok(next.do === "give up");
    assert.match(next.error, error);
  });
}
