/**
 * Which runners of this state directory live. A runner listens on a socket for as long as it runs, and the
 * kernel closes it however the process ends: no process ids, which are used again, and no heartbeat files.
 *
 *     claimOwner → <home>/<owner>.sock → connect works: alive · refused: dead · no file: not ours to judge
 *
 * @module
 */
import { randomUUID } from "node:crypto";
import { chmod, readdir, rename, rm } from "node:fs/promises";
import { connect, createServer, type Server, type Socket } from "node:net";
import { join } from "node:path";
import { GatewayError } from "../../src/errors.ts";
import { printable } from "../../src/log.ts";
import { withSocketPath } from "./socket-path.ts";

/** Form of an owner id. Ids also come from labels in the engine, which anybody who may use it can set. */
const OWNER_ID = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

/** A listening process answers a connection at once, or the kernel does for it. */
const CONNECT_MS = 2_000;

const MAX_STATUS_BYTES = 4 * 1024 * 1024;

/** This process as the owner of what it makes in the engine. */
export interface Owner {
  /** UUID, new for each run. */
  readonly id: string;
  /**
   * Ends the claim. Call it when nothing of this owner is left in the engine; if something is, let the
   * process end instead, and the next runner finds the owner dead and removes what it left.
   */
  close(): Promise<void>;
}

/**
 * Makes this process an owner, alive until it ends.
 *
 * @param status What it says of itself to who asks, see `askOwners`; nothing unless given.
 * @throws {GatewayError} `store_unavailable` when the state directory takes nothing, as when it is read-only.
 */
export async function claimOwner(home: string, status: () => string = () => ""): Promise<Owner> {
  const id = randomUUID();
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    // Who only looks whether somebody is there does not read.
    socket.on("error", () => {});
    socket.setTimeout(CONNECT_MS, () => socket.destroy());
    sockets.add(socket);
    socket.on("close", () => sockets.delete(socket));
    let text = "";
    try {
      text = status();
    } catch {
      // Whoever asks must not end what is asked.
    }
    socket.end(text);
  });
  try {
    await appear(server, home, id);
  } catch (cause) {
    server.close();
    throw new GatewayError(
      "store_unavailable",
      `Cannot use ${printable(home)}: the system answers ${
        (cause as NodeJS.ErrnoException).code ?? "no"
      }, repair it or set MCP_RUNNER_HOME`,
      { cause },
    );
  }
  // An owner must not keep its process from ending.
  server.unref();
  return {
    id,
    async close() {
      const closed = new Promise((resolve) => server.close(resolve));
      for (const socket of sockets) socket.destroy();
      await closed;
      await rm(join(home, `${id}.sock`), { force: true });
    },
  };
}

/**
 * Whether the runner with this owner id may live. False only for a runner of this state directory that has
 * certainly ended, or an id that no runner has: what belongs to the runner of another user, or of another
 * state directory, is not ours to remove.
 */
export async function isAlive(home: string, owner: string): Promise<boolean> {
  if (!OWNER_ID.test(owner)) return false;
  // A pipe is known to the whole machine and ends with its process: one that is missing is dead.
  if (process.platform === "win32") return await reach(pipeOf(owner)) !== "ENOENT";
  const failure = await withSocketPath(home, `${owner}.sock`, reach);
  return failure !== "ECONNREFUSED" && failure !== "ENOTSOCK";
}

/**
 * Whether a runner of this state directory has this owner id and lives. For what only such runners make,
 * as `isAlive` cannot tell one of another directory from one that has ended and was forgotten.
 */
export async function livesHere(home: string, owner: string): Promise<boolean> {
  if (process.platform === "win32" || !OWNER_ID.test(owner)) return await isAlive(home, owner);
  const failure = await withSocketPath(home, `${owner}.sock`, reach);
  return failure !== "ENOENT" && failure !== "ECONNREFUSED" && failure !== "ENOTSOCK";
}

/**
 * Removes the socket files of runners that have ended. Only after their containers were removed: without
 * its file an owner can no longer be found dead.
 *
 * @returns How many were removed.
 */
export async function forgetDeadOwners(home: string): Promise<number> {
  const owners = (await readdir(home))
    .filter((name) => name.endsWith(".sock"))
    .map((name) => name.slice(0, -".sock".length))
    .filter((name) => OWNER_ID.test(name));
  const removed = await Promise.all(owners.map(async (owner) => {
    if (await isAlive(home, owner)) return 0;
    await rm(join(home, `${owner}.sock`), { force: true });
    return 1;
  }));
  return removed.reduce<number>((sum, one) => sum + one, 0);
}

/**
 * What each runner of this state directory that lives says of itself; not on Windows.
 *
 * @param except Id of an owner that is not asked.
 */
export async function askOwners(home: string, except?: string): Promise<readonly string[]> {
  const owners = (await readdir(home)).filter((name) => {
    const owner = name.slice(0, -".sock".length);
    return name.endsWith(".sock") && OWNER_ID.test(owner) && owner !== except;
  });
  const answers = await Promise.all(owners.map((name) => withSocketPath(home, name, listenTo)));
  return answers.filter((text) => text !== "");
}

function pipeOf(owner: string): string {
  return `\\\\.\\pipe\\mcp-runner-${owner}`;
}

async function appear(server: Server, home: string, id: string): Promise<void> {
  if (process.platform === "win32") return await listen(server, pipeOf(id));
  // Under another name first: a socket is refused until it listens, and would look dead.
  const early = `${id}.new`;
  await withSocketPath(home, early, (path) => listen(server, path));
  await chmod(join(home, early), 0o600);
  await rename(join(home, early), join(home, `${id}.sock`));
}

async function listen(server: Server, path: string): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(path, () => {
      server.off("error", reject);
      resolve();
    });
  });
}

/** Connects and hangs up. Resolves with the system's name of the failure, undefined when there is none. */
async function reach(path: string): Promise<string | undefined> {
  return await new Promise((resolve) => {
    const socket = connect(path);
    const settle = (failure: string | undefined) => {
      socket.destroy();
      resolve(failure);
    };
    socket.setTimeout(CONNECT_MS, () => settle("ETIMEDOUT"));
    socket.once("connect", () => settle(undefined));
    socket.once("error", ({ code }: NodeJS.ErrnoException) => settle(code ?? "EIO"));
  });
}

/** All that is said at `path`; empty when nobody is there. */
async function listenTo(path: string): Promise<string> {
  return await new Promise((resolve) => {
    const chunks: Uint8Array[] = [];
    let length = 0;
    const socket = connect(path);
    const settle = (): void => {
      socket.destroy();
      resolve(new TextDecoder().decode(Buffer.concat(chunks)));
    };
    socket.setTimeout(CONNECT_MS, settle);
    socket.on("data", (chunk) => {
      length += chunk.length;
      if (length <= MAX_STATUS_BYTES) chunks.push(chunk);
      else settle();
    });
    socket.once("end", settle);
    socket.once("error", settle);
  });
}
