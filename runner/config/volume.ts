import { posix, win32 } from "node:path";
import { GatewayError } from "../../src/errors.ts";
import { type BindMachine, dangerOf } from "../docker/bind.ts";
import { quote } from "./problem.ts";

/** A file or folder of this machine that a server sees. */
export interface Volume {
  /** Absolute, in the form of this machine. Need not exist; symlinks are not yet resolved. */
  readonly hostPath: string;
  /** Absolute path in the container. */
  readonly containerPath: string;
  readonly readOnly: boolean;
}

/** A volume of the engine, kept when its server stops; nothing bounds its size. */
export interface NamedVolume {
  /** Name as the config has it; the engine's is made of it and of the server's. */
  readonly volume: string;
  readonly containerPath: string;
  readonly readOnly: boolean;
}

/** What host paths are read against. */
export interface VolumePlace extends BindMachine {
  /** Absolute folder of the configuration file. */
  readonly directory: string;
}

const GRAMMAR = "write <host path>:<container path>[:ro|:rw], such as ./data:/data";

/** Small, so that no name is two on any machine. */
const VOLUME_NAME = /^[a-z0-9][a-z0-9_.-]{0,63}$/;

/** Folders that the container's system makes itself. */
const SYSTEM = /^\/(?:proc|sys|dev)(?:\/|$)/;

/**
 * Reads `host:container[:ro|rw]`; without a mode the server can only read. The host path is absolute, or
 * begins with `./`, `../` or `~/`. A bare word names a volume of the engine, into which the server may
 * write unless `ro` is given.
 *
 * @throws {GatewayError} `config_invalid`; also when the host path is one that no server may see.
 */
export function parseVolume(text: string, place: VolumePlace): Volume | NamedVolume {
  const [host, container, given, ...rest] = split(text, place.platform);
  if (!host || !container || rest.length > 0) {
    throw refused(`${quote(text)} is not a volume, ${GRAMMAR}`);
  }
  const named = VOLUME_NAME.test(host);
  const mode = given ?? (named ? "rw" : "ro");
  if (mode !== "ro" && mode !== "rw") {
    throw refused(`${quote(mode)} is not a mode, allowed are ro (read only) and rw`);
  }
  const where = { containerPath: containerPath(container), readOnly: mode === "ro" };
  return named ? { volume: host, ...where } : { hostPath: hostPath(host, place), ...where };
}

/** Parts between colons, where the colon of a Windows drive letter is none. */
function split(text: string, platform: string): string[] {
  const drive = /^[A-Za-z]:[\\/]/.test(text) && (platform === "win32" || /:\//.test(text.slice(3)));
  const parts = text.slice(drive ? 2 : 0).split(":");
  return drive ? [text.slice(0, 2) + (parts[0] ?? ""), ...parts.slice(1)] : parts;
}

function hostPath(host: string, place: VolumePlace): string {
  const { isAbsolute, join, resolve } = place.platform === "win32" ? win32 : posix;
  if (host.includes("\0")) {
    throw refused(`${quote(host)} holds a zero character, which no path can`);
  }
  const inHome = /^~(?:[\\/]|$)/.test(host);
  const relative = /^\.{1,2}(?:[\\/]|$)/.test(host);
  if (/^[A-Za-z]:/.test(host) && place.platform !== "win32") {
    throw refused(`${quote(host)} is a path of Windows, write one of this machine`);
  }
  if (!inHome && !relative && !isAbsolute(host)) {
    throw refused(`${quote(host)} is not a path, begin it with ./ (beside this file), ~/ or /`);
  }
  if (place.platform === "win32" && /^[\\/]{2}[.?][\\/]/.test(host)) {
    throw refused(`${quote(host)} is a device or a pipe, mount a file or a folder`);
  }
  const path = inHome ? join(place.home, host.slice(1)) : resolve(place.directory, host);
  const danger = dangerOf(path, place);
  if (danger !== undefined) {
    const what = danger === path ? "" : ` (guarded is ${quote(danger)})`;
    throw refused(`${quote(host)} may not be seen by a server${what}, mount a folder of its own`);
  }
  return path;
}

function containerPath(path: string): string {
  const plain = posix.normalize(path).replace(/(?<=.)\/$/, "");
  if (!path.startsWith("/") || path.split("/").includes("..") || path.includes("\0")) {
    throw refused(
      `${quote(path)} is not an absolute path in the container, write one such as /data`,
    );
  }
  if (plain === "/" || SYSTEM.test(plain)) {
    throw refused(
      `${quote(path)} belongs to the container's system, mount to a path such as /data`,
    );
  }
  return plain;
}

function refused(message: string): GatewayError {
  return new GatewayError("config_invalid", message);
}
