/**
 * The container of the proxy, from its start to its end. Called by route.ts.
 *
 *     image → create on the inner network → also on the outer → attach → start
 *           → its address → settings by stdin → "ready" → decisions, a line each
 *
 * @module
 */
import type { Duplex } from "node:stream";
import * as v from "valibot";
import { GatewayError } from "../../src/errors.ts";
import { VERSION } from "../../src/version.ts";
import { AttachedContainer } from "../docker/attached.ts";
import type { StdioContainer } from "../docker/container.ts";
import { removeContainer } from "../docker/create.ts";
import { isRefusal, QUICK_MS, SLOW_MS, withDeadline } from "../docker/deadline.ts";
import { dial } from "../docker/dial.ts";
import type { Engine } from "../docker/engine.ts";
import { watchExit } from "../docker/exit.ts";
import { hostConfig, NOBODY } from "../docker/host-config.ts";
import { OWNER_LABEL, SERVER_LABEL, VERSION_LABEL } from "../docker/label.ts";
import { within } from "../docker/within.ts";
import type { ProxySettings } from "../egress-proxy/settings.ts";
import type { Network } from "./network.ts";

/** Tells containers of the runner's own from servers; its value is `egress`. */
const ROLE_LABEL = "dev.mcp-runner.role";

/** How long the proxy may take until it listens, in milliseconds. */
const READY_MS = 20_000;

/** Longest line of the proxy, in bytes. */
const MAX_LINE_BYTES = 16 * 1024;

const LIMITS = { memoryBytes: 64 * 1024 * 1024, cpuCores: 1, pids: 64 };

/** What a proxy is started with. */
export interface ProxyOptions {
  readonly image: string;
  readonly owner: string;
  readonly server: string;
  readonly inside: Network;
  readonly outside: Network;
  /** Name by which containers on the inner network find it. */
  readonly name: string;
  readonly settings: Omit<ProxySettings, "address">;
  /** Gets each line that it writes after it is ready. */
  readonly onLine: (line: string) => void;
  /** Gets what it complains about. */
  readonly onComplaint: (line: string) => void;
}

/** A proxy that listens. */
export interface Proxy {
  /** Its IPv4 address on the inner network. */
  readonly address: string;
  readonly container: StdioContainer;
}

const createAnswer = v.object({ Id: v.string() });

/**
 * Starts a proxy.
 *
 * @throws {GatewayError} `server_failed`, `engine_unavailable`; no container is left then.
 */
export async function startProxy(engine: Engine, options: ProxyOptions): Promise<Proxy> {
  let id: string | undefined;
  let container: StdioContainer | undefined;
  try {
    id = await create(engine, options);
    await connect(engine, id, options.outside);
    container = await attachAndStart(engine, id);
    const address = await addressOf(engine, id, options.inside);
    await makeReady(container, { address, ...options.settings }, options);
    return { address, container };
  } catch (error) {
    await container?.stop(0);
    // The first error counts; what cannot be removed now is left to the reaper.
    if (id !== undefined) await removeContainer(engine, id).catch(() => {});
    if (!isRefusal(error)) throw error;
    throw new GatewayError(
      "server_failed",
      `Cannot start the network proxy of server "${options.server}": ${error.reason}`,
      { cause: error },
    );
  }
}

async function create({ docker }: Engine, options: ProxyOptions): Promise<string> {
  const { image, owner, server, inside, name } = options;
  const host = hostConfig({ limits: LIMITS, mounts: [], imageVolumes: [] });
  const body = {
    Image: image,
    User: NOBODY,
    Labels: {
      [OWNER_LABEL]: owner,
      [SERVER_LABEL]: server,
      [VERSION_LABEL]: VERSION,
      [ROLE_LABEL]: "egress",
    },
    OpenStdin: true,
    // It ends with its input, and so with the runner.
    StdinOnce: true,
    AttachStdin: true,
    AttachStdout: true,
    AttachStderr: true,
    Healthcheck: { Test: ["NONE"] },
    HostConfig: {
      ...host,
      NetworkMode: inside.id,
      // It has no children and listens to SIGTERM, and must run where the engine's init does not.
      Init: false,
      Tmpfs: {},
      Sysctls: {
        // Ports below 1024 without a capability.
        "net.ipv4.ip_unprivileged_port_start": "0",
        // Engines turn it on; what is not for the proxy itself must not pass from one network to the other.
        "net.ipv4.ip_forward": "0",
      },
    },
    NetworkingConfig: { EndpointsConfig: { [inside.id]: { Aliases: [name] } } },
  };
  const answer = await withDeadline(
    "create a container",
    SLOW_MS,
    (abortSignal) =>
      dial(docker, { method: "POST", path: "/containers/create", body, abortSignal }),
  );
  return v.parse(createAnswer, answer).Id;
}

async function connect({ docker }: Engine, container: string, network: Network): Promise<void> {
  await withDeadline("connect a container", QUICK_MS, (abortSignal) => {
    const options = { Container: container, abortSignal };
    return docker.getNetwork(network.id).connect(options);
  });
}

async function attachAndStart(engine: Engine, id: string): Promise<StdioContainer> {
  const container = engine.docker.getContainer(id);
  const watch = await watchExit(engine, id);
  let socket: Duplex | undefined;
  try {
    socket = await withDeadline("attach to a container", QUICK_MS, async (abortSignal) => {
      const streams = { stream: true, hijack: true, stdin: true, stdout: true, stderr: true };
      return await container.attach({ ...streams, abortSignal }) as Duplex;
    });
    const attached = new AttachedContainer({
      id,
      warnings: [],
      socket,
      watch,
      maxLineBytes: MAX_LINE_BYTES,
      // Nothing of it is worth a wait: it is always ended by force.
      terminate: async () => {},
      remove: () => removeContainer(engine, id),
      release: async () => {},
    });
    await withDeadline(
      "start a container",
      SLOW_MS,
      (abortSignal) => container.start({ abortSignal }),
    );
    return attached;
  } catch (error) {
    socket?.destroy();
    watch.close();
    throw error;
  }
}

async function addressOf(
  { docker }: Engine,
  id: string,
  { id: network }: Network,
): Promise<string> {
  const path = `/containers/${id}/json`;
  const answer = await withDeadline(
    "look at a container",
    QUICK_MS,
    (abortSignal) => dial(docker, { method: "GET", path, abortSignal }),
  );
  const endpoint = v.object({ NetworkID: v.string(), IPAddress: v.string() });
  const shape = v.object({
    NetworkSettings: v.object({ Networks: v.record(v.string(), endpoint) }),
  });
  const endpoints = Object.values(v.parse(shape, answer).NetworkSettings.Networks);
  const address = endpoints.find(({ NetworkID }) => NetworkID === network)?.IPAddress;
  if (address) return address;
  throw new GatewayError("server_failed", "Cannot start the network proxy: it has no address");
}

async function makeReady(
  container: StdioContainer,
  settings: ProxySettings,
  { server, onLine, onComplaint }: ProxyOptions,
): Promise<void> {
  let complaint: string | undefined;
  container.onStderr((line) => {
    complaint = line;
    onComplaint(line);
  });
  const ready = new Promise<true>((resolve) => {
    // The first line says that it listens.
    container.onLine(() => {
      container.onLine(onLine);
      resolve(true);
    });
  });
  container.write(JSON.stringify(settings));
  const ended = container.exited.then(({ code }) => {
    complaint ??= `it ended with code ${code ?? "unknown"}`;
    return false;
  });
  const outcome = Promise.race([ready, ended]);
  if (await within(READY_MS, outcome) && await outcome) return;
  complaint ??= `it was not ready within ${READY_MS / 1000} s`;
  throw new GatewayError(
    "server_failed",
    `Cannot start the network proxy of server "${server}": ${complaint}`,
  );
}
