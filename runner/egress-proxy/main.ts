/**
 * The program of the proxy container: reads its settings, listens on the server's network, ends with its
 * standard input. It runs on Node alone, bundled into one file by scripts/build.mjs.
 *
 * @module
 */
import { createSocket } from "node:dgram";
import { Resolver } from "node:dns/promises";
import { createServer, type Socket } from "node:net";
import process from "node:process";
import { createInterface } from "node:readline";
import { setDefaultHighWaterMark } from "node:stream";
import { systemClock } from "../../src/clock.ts";
import { createAllowlist } from "./allowlist.ts";
import { decisionLog, READY } from "./decision.ts";
import { createDialler } from "./dial.ts";
import { answer } from "./dns-message.ts";
import { createReception } from "./reception.ts";
import type { ProxySettings } from "./settings.ts";

const DNS_PORT = 53;

/** Bytes that each side of a connection may keep: 256 connections have to fit into the container. */
const BUFFER_BYTES = 16 * 1024;

setDefaultHighWaterMark(false, BUFFER_BYTES);

const write = (line: string) => void process.stdout.write(`${line}\n`);

async function start(settings: ProxySettings): Promise<void> {
  const { address, proxyPort, targets } = settings;
  const allowlist = createAllowlist(targets);
  const decide = decisionLog(write, systemClock);
  const resolver = new Resolver({ timeout: 3_000, tries: 2 });
  const dialler = createDialler(settings, allowlist, (name) => resolver.resolve4(name));
  const reception = createReception(allowlist, dialler, decide);

  await Promise.all([
    ...allowlist.ports.map((port) =>
      listen(address, port, (client) => reception.direct(client, port))
    ),
    listen(address, proxyPort, (client) => reception.proxied(client)),
  ]);

  const bytes = address.split(".").map(Number);
  const names = createSocket("udp4");
  names.on("message", (query, { address: from, port }) => {
    const reply = answer(query, bytes, (name) => allowlist.knows(name));
    if (reply === undefined) return;
    if (reply.blocked !== undefined) {
      decide({ verdict: "blocked", host: reply.blocked, reason: "is not allowed (DNS)" });
    }
    names.send(reply.message, port, from, () => {});
  });
  names.on("error", fail);
  names.bind(DNS_PORT, address, () => write(READY));
}

function listen(host: string, port: number, onClient: (client: Socket) => void): Promise<void> {
  return new Promise((resolve, reject) => {
    const server = createServer(
      { allowHalfOpen: true, pauseOnConnect: true, noDelay: true },
      onClient,
    );
    server.once("error", reject).listen({ host, port }, resolve);
  });
}

function fail(error: unknown): void {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
  process.exit(1);
}

// One bad connection must not end all others.
process.on("uncaughtException", (error) => {
  process.stderr.write(`${error.stack ?? error.message}\n`);
});
for (const signal of ["SIGTERM", "SIGINT"]) process.on(signal, () => process.exit(0));

const lines = createInterface({ input: process.stdin });
lines.once("line", (line) => {
  // The runner wrote it, who is trusted here.
  start(JSON.parse(line) as ProxySettings).catch(fail);
});
// The runner has gone, however it went.
lines.once("close", () => process.exit(0));
