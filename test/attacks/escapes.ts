/**
 * Attacks that try to get out of the container, or to become more than it is. None of them may work.
 *
 * @module
 */
import { alone, type Attack } from "./attack.ts";
import { blocked, REFUSALS } from "./verdict.ts";

/** An attack whose tool of the same name tries things that the kernel must refuse. */
function refused(name: string, tool: string, held: readonly string[] = REFUSALS): Attack {
  return alone(
    name,
    async (scene, server) => blocked(await scene.attempts(server, tool), held),
  );
}

/** In the order in which they run. */
export const ESCAPES: readonly Attack[] = [
  refused("raw sockets", "raw-sockets"),
  refused("mount, remount, pivot_root", "mounts"),
  refused("namespaces: unshare, setns", "namespaces"),
  refused("mknod, chroot", "devices"),
  refused("kernel: bpf, modules, kexec, keys, clock …", "kernel-doors"),
  refused("writes to its root file system", "own-files"),
  refused("programs that it drops into /tmp, /dev/shm", "executables", [
    ...REFUSALS,
    "not mapped",
  ]),
  refused("another user, capabilities, set-user-ID", "users", [
    ...REFUSALS,
    "ran as 65532",
    "is 65532",
    "none",
    "NoNewPrivs",
    "Seccomp 2",
  ]),
  refused("/proc/sys, sysrq, kmsg, kcore, disks", "kernel-files", [
    ...REFUSALS,
    "ENOENT",
    "EIO",
    "empty",
  ]),
  refused("sockets of engines", "engine-sockets", ["ENOENT"]),
];
