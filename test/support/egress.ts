/**
 * A place outside for servers with a way out: a network of the engine on which this process listens, and
 * servers in containers that try to reach it and other places.
 *
 * @module
 */
import { randomBytes } from "node:crypto";
import {
  createServer as createHttp,
  type IncomingMessage,
  type Server as HttpServer,
} from "node:http";
import { createServer as createHttps } from "node:https";
import { type AddressInfo, createServer as createTcp, type Server, type Socket } from "node:net";
import { after } from "node:test";
import * as v from "valibot";
import { systemClock } from "../../src/clock.ts";
import type { EgressTarget } from "../../runner/config/egress-target.ts";
import type { ExtraHost } from "../../runner/config/extra-host.ts";
import type { ContainerNetwork } from "../../runner/docker/create.ts";
import { createEgress, type Egress } from "../../runner/egress/egress.ts";
import type { EgressEvent } from "../../runner/journal/event.ts";
import { authority, certificate } from "./certificate.ts";
import { linesOf, type TestEngine } from "./engine.ts";

/** What listens outside, all on one address of this machine that containers can reach. */
export interface Outside {
  readonly address: string;
  /** HTTPS with the certificate of certificate.ts; answers with the name that the client asked for. */
  readonly https: number;
  /** HTTP; answers with method, host and path, and echoes an upgraded connection. */
  readonly http: number;
  /** Echoes. */
  readonly echo: number;
  /** Says "hello" first, then echoes. */
  readonly greeting: number;
  /** Requests that `http` got, as "GET host/path". */
  readonly requests: readonly string[];
  /** Connections that any of them got. */
  readonly connections: () => number;
}

/** Starts everything outside; it ends after the file's tests. */
export async function startOutside({ engine }: TestEngine): Promise<Outside> {
  const { docker } = engine;
  const network = await docker.createNetwork({
    Name: `mcp-runner-test-${randomBytes(4).toString("hex")}`,
    // Without a label of the runner: it is removed below, after the check that nothing of that is left.
  });
  const shape = v.object({
    IPAM: v.object({ Config: v.tuple([v.looseObject({ Gateway: v.string() })]) }),
  });
  const address = v.parse(shape, await network.inspect()).IPAM.Config[0].Gateway;
  const requests: string[] = [];
  let connections = 0;
  const servers: Server[] = [];
  const sockets = new Set<Socket>();

  async function listen(server: Server): Promise<number> {
    servers.push(server);
    server.on("connection", (socket: Socket) => {
      connections += 1;
      sockets.add(socket.on("error", () => {}));
    });
    await new Promise<void>((resolve) => server.listen(0, address, resolve));
    return (server.address() as AddressInfo).port;
  }

  const secure = createHttps(certificate, (request, response) => {
    const name = "servername" in request.socket ? String(request.socket.servername) : "";
    response.end(`secure ${name}`);
  });
  const plain: HttpServer = createHttp((request, response) => {
    requests.push(line(request));
    request.resume().on("end", () => response.end(line(request)));
  });
  plain.on("upgrade", (request, socket) => {
    requests.push(line(request));
    socket.write(
      "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n",
    );
    socket.pipe(socket);
  });
  const echo = createTcp((socket) => void socket.pipe(socket));
  const greeting = createTcp((socket) => {
    socket.write("hello\n");
    socket.pipe(socket);
  });
  const ports = {
    https: await listen(secure),
    http: await listen(plain),
    echo: await listen(echo),
    greeting: await listen(greeting),
  };
  after(async () => {
    for (const socket of sockets) socket.destroy();
    for (const server of servers) server.close();
    await network.remove();
  });
  return { address, ...ports, requests, connections: () => connections };
}

function line({ method, headers, url }: IncomingMessage): string {
  return `${method} ${headers.host}${url}`;
}

/** A server with a way out. */
export interface TestEgress {
  readonly egress: Egress;
  readonly network: ContainerNetwork;
  /** What was refused so far. */
  readonly events: readonly EgressEvent[];
  /** What a script in a container found out; it calls `print` once. `env: {}`: without our variables. */
  probe(script: string, env?: Readonly<Record<string, string>>): Promise<unknown>;
}

/** Makes a way out, gives it to `use`, and removes it. */
export async function withEgress(
  docker: TestEngine,
  { targets, extraHosts = [], server = "probe" }: {
    readonly targets: readonly EgressTarget[];
    readonly extraHosts?: readonly ExtraHost[];
    readonly server?: string;
  },
  use: (way: TestEgress) => Promise<void>,
): Promise<void> {
  const events: EgressEvent[] = [];
  const egress = createEgress({
    engine: docker.engine,
    server,
    owner: docker.owner,
    targets,
    extraHosts,
    clock: systemClock,
    log: () => {},
    blocked: (event) => events.push(event),
  });
  try {
    const { network } = await egress.lease(() => {});
    const probe = (script: string, env = network.env) =>
      runProbe(docker, script, { ...network, env });
    await use({ egress, network, events, probe });
  } finally {
    await egress.close();
  }
}

/** What the scripts of tests may use. */
const PRELUDE = `
  const net = require("node:net"), tls = require("node:tls"), http = require("node:http");
  const dns = require("node:dns").promises, stream = require("node:stream");
  const ca = ${JSON.stringify(authority)};
  tls.setDefaultCACertificates([ca]);
  const print = (value) => { process.stdout.write(JSON.stringify(value) + "\\n"); };
  const codeOf = (error) => error.cause?.code ?? error.code ?? error.message;
  const text = async (url, options) => {
    try { return await (await fetch(url, options)).text(); } catch (error) { return "failed " + codeOf(error); }
  };
  // All that comes over a connection until it ends, after "input" was sent; "until" ends it earlier.
  const talk = (host, port, input, until) => new Promise((resolve) => {
    let got = "";
    const socket = net.connect({ host, port, timeout: 5000 });
    const done = (how) => { socket.destroy(); resolve(got + (how ?? "")); };
    socket.on("connect", () => input !== undefined && socket.write(input));
    socket.on("data", (chunk) => { got += chunk; if (until && got.includes(until)) done(); });
    socket.on("end", () => done()).on("timeout", () => done("timeout"));
    socket.on("error", (error) => done(error.code));
  });
`;

/** Runs one script in a container on `network` and resolves with what it prints. */
export async function runProbe(
  docker: TestEngine,
  script: string,
  network: ContainerNetwork,
): Promise<unknown> {
  const whole = `${PRELUDE}; (async () => { ${script} })().catch((error) => print(String(error)));`;
  const container = await docker.runScript(whole, { network });
  const printed = linesOf((listener) => container.onLine(listener))();
  const ended = container.exited.then((exit) => {
    throw new Error(`The probe ended without an answer: ${JSON.stringify(exit)}`);
  });
  try {
    return v.parse(v.pipe(v.string(), v.parseJson()), await Promise.race([printed, ended]));
  } finally {
    await container.stop(0);
    await ended.catch(() => {});
  }
}
