import { type AddressInfo, createServer } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { openLegacySession } from "../mcp-client.ts";
import { peerFile } from "../peer-packages.ts";
import { Program } from "../program.ts";
import { type Subject, SubjectError } from "./subject.ts";

/** Milliseconds for a peer to listen. */
const START_MS = 30_000;

const SERVER = [
  process.execPath,
  peerFile("@modelcontextprotocol/server-everything/dist/index.js"),
  "stdio",
];

/** A gateway from npm in front of the same server as a plain child process. */
export interface Peer {
  readonly name: string;
  /** Arguments of Node that start it on `port`. */
  readonly args: (port: number) => readonly string[];
}

/** (d) The peers, as their users start them. */
export const PEERS: readonly Peer[] = [
  {
    name: "mcp-proxy",
    args: (port) => [
      peerFile("mcp-proxy/dist/bin/mcp-proxy.mjs"),
      "--host=127.0.0.1",
      `--port=${port}`,
      "--server=stream",
      "--",
      ...SERVER,
    ],
  },
  {
    name: "supergateway --stateful",
    args: (port) => [
      peerFile("supergateway/dist/index.js"),
      "--stdio",
      SERVER.map((part) => JSON.stringify(part)).join(" "),
      "--outputTransport=streamableHttp",
      "--stateful",
      `--port=${port}`,
      "--logLevel=none",
    ],
  },
];

/** Starts a peer and opens a session of MCP 2025-11-25 with it. */
export async function startPeer(
  stack: AsyncDisposableStack,
  { name, args }: Peer,
  signal: AbortSignal,
): Promise<Subject> {
  const port = await freePort();
  const preload = ["--import", new URL("../loopback.mjs", import.meta.url).href];
  stack.use(new Program({ name, args: [...preload, ...args(port)], signal }));
  const url = `http://127.0.0.1:${port}/mcp`;
  const deadline = performance.now() + START_MS;
  while (!(await listens(url))) {
    signal.throwIfAborted();
    if (performance.now() > deadline) {
      throw new SubjectError(name, `it does not listen after ${START_MS / 1_000} s`);
    }
    await sleep(50);
  }
  return openLegacySession(stack, { name, url, tool: "echo" });
}

async function listens(url: string): Promise<boolean> {
  try {
    const response = await fetch(url, { method: "OPTIONS" });
    await response.body?.cancel();
    return true;
  } catch {
    return false; // nobody there yet
  }
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}
