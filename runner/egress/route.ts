/**
 * The way out of one server while it is there: its network, the proxy on it, and what the proxy says.
 * Called by egress.ts, one call at a time.
 *
 * @module
 */
import { isIP } from "node:net";
import { networkInterfaces } from "node:os";
import * as v from "valibot";
import type { Clock } from "../../src/clock.ts";
import type { Log } from "../../src/log.ts";
import { printable } from "../../src/log.ts";
import type { EgressTarget } from "../config/egress-target.ts";
import type { ExtraHost } from "../config/extra-host.ts";
import type { ContainerNetwork } from "../docker/create.ts";
import type { Engine } from "../docker/engine.ts";
import type { EgressEvent } from "../journal/event.ts";
import { type BlockedReport, createBlockedReport } from "./blocked-report.ts";
import {
  acquireOutside,
  createInside,
  exists,
  type Network,
  releaseOutside,
  removeNetwork,
} from "./network.ts";
import { type Proxy, startProxy } from "./proxy.ts";
import { ensureProxyImage } from "./proxy-image.ts";

/** What a way out is made from. */
export interface RouteOptions {
  readonly engine: Engine;
  /** Name of the server. */
  readonly server: string;
  /** Id of this runner, for what is made in the engine. */
  readonly owner: string;
  readonly targets: readonly EgressTarget[];
  readonly extraHosts: readonly ExtraHost[];
  readonly clock: Clock;
  readonly log: Log;
  /** Gets what the server tried in vain; the same at most once a minute. */
  readonly blocked: (event: EgressEvent) => void;
}

/** Name of the proxy on the server's network; it stays the same when the proxy is made anew. */
const PROXY_NAME = "mcp-runner-egress";

const decision = v.pipe(
  v.string(),
  v.parseJson(),
  v.object({
    verdict: v.picklist(["allowed", "blocked", "failed"]),
    host: v.string(),
    port: v.optional(v.number()),
    reason: v.optional(v.string(), ""),
    count: v.optional(v.number()),
  }),
);

/** One way out. */
export class Route {
  readonly #options: RouteOptions;
  readonly #report: BlockedReport;
  readonly #onEnd: () => void;
  #inside: Network | undefined;
  #outside: Network | undefined;
  #proxy: Proxy | undefined;

  /** @param onEnd Told each time that the proxy has ended without being asked to. */
  constructor(options: RouteOptions, onEnd: () => void) {
    this.#options = options;
    this.#onEnd = onEnd;
    const { server, clock, log, blocked } = options;
    this.#report = createBlockedReport(server, clock, (event) => {
      const { host, port, reason, count } = event;
      log("warn", "A server was kept from a place", { server, host, port, reason, count });
      blocked(event);
    });
  }

  /** Makes what is missing of it. */
  async open(progress: (line: string) => void): Promise<ContainerNetwork> {
    const { engine, server, owner } = this.#options;
    if (this.#inside !== undefined && this.#proxy !== undefined) {
      return networkOf(this.#inside, this.#proxy, this.#proxyPort, this.#options.targets);
    }
    const image = await ensureProxyImage(engine, progress);
    // Servers that still run are on this network, so it stays if only the proxy has ended.
    if (this.#inside === undefined || !(await exists(engine, this.#inside))) {
      this.#inside = await createInside(engine, owner, server);
    }
    if (this.#outside !== undefined && !(await exists(engine, this.#outside))) {
      this.#outside = undefined;
      await releaseOutside(engine, owner);
    }
    if (this.#outside === undefined) this.#outside = await acquireOutside(engine, owner);
    const proxy = await this.#start(image, this.#inside, this.#outside);
    return networkOf(this.#inside, proxy, this.#proxyPort, this.#options.targets);
  }

  /** Removes all of it; what cannot be removed is told, and left to the reaper of the next start. */
  async close(): Promise<void> {
    const { engine, owner } = this.#options;
    const [proxy, inside, outside] = [this.#proxy, this.#inside, this.#outside];
    this.#proxy = this.#inside = this.#outside = undefined;
    this.#report.close();
    await this.#attempt(async () => await proxy?.container.stop(0));
    await this.#attempt(async () => inside && await removeNetwork(engine, inside));
    await this.#attempt(async () => outside && await releaseOutside(engine, owner));
  }

  async #start(image: string, inside: Network, outside: Network): Promise<Proxy> {
    const { engine, server, owner, targets, extraHosts, log } = this.#options;
    const proxy = await startProxy(engine, {
      image,
      owner,
      server,
      inside,
      outside,
      name: PROXY_NAME,
      settings: { proxyPort: this.#proxyPort, targets, extraHosts, machine: machineAddresses() },
      onLine: (line) => this.#read(line),
      onComplaint: (line) =>
        log("debug", "The network proxy complains", { server, line: printable(line) }),
    });
    this.#proxy = proxy;
    void proxy.container.exited.then(({ code, oomKilled }) => {
      if (this.#proxy !== proxy) return;
      this.#proxy = undefined;
      log("warn", "The network proxy has ended", { server, code: code ?? undefined, oomKilled });
      this.#onEnd();
    });
    return proxy;
  }

  /** Port for CONNECT, unless a target has that. */
  get #proxyPort(): number {
    const taken = new Set(this.#options.targets.map(({ port }) => port));
    let port = 3128;
    while (taken.has(port)) port += 1;
    return port;
  }

  #read(line: string): void {
    const read = v.safeParse(decision, line);
    if (!read.success) return;
    const { verdict, host, port, reason, count } = read.output;
    if (verdict === "blocked") return this.#report.add({ host, port, reason, count });
    const { server, log } = this.#options;
    const message = verdict === "allowed" ? "A server connected" : "A server could not connect";
    log("debug", message, { server, host: printable(host), port, reason: printable(reason) });
  }

  async #attempt(run: () => Promise<unknown>): Promise<void> {
    try {
      await run();
    } catch (error) {
      const { server, log } = this.#options;
      log("warn", "Part of a server's network is left behind", {
        server,
        error: error instanceof Error ? error.message : String(error),
      });
    }
  }
}

/** Exact names lead to the proxy even where the engine does not forward to our name server. */
function linksOf(targets: readonly EgressTarget[]): string[] {
  const names = targets.map(({ host }) => host)
    .filter((host) => !host.startsWith("*") && isIP(host) === 0);
  // Not aliases of the proxy: it would find itself under the names that it has to look up.
  return [...new Set(names)].map((name) => `${PROXY_NAME}:${name}`);
}

function networkOf(
  { name }: Network,
  { address }: Proxy,
  port: number,
  targets: readonly EgressTarget[],
): ContainerNetwork {
  const proxy = `http://${PROXY_NAME}:${port}`;
  const none = "localhost,127.0.0.1,::1";
  return {
    name,
    dns: [address],
    links: linksOf(targets),
    env: {
      HTTP_PROXY: proxy,
      HTTPS_PROXY: proxy,
      ALL_PROXY: proxy,
      NO_PROXY: none,
      http_proxy: proxy,
      https_proxy: proxy,
      all_proxy: proxy,
      no_proxy: none,
      // Node reads the others only when it is told to.
      NODE_USE_ENV_PROXY: "1",
    },
  };
}

function machineAddresses(): string[] {
  return Object.values(networkInterfaces()).flat()
    .flatMap((at) => at === undefined ? [] : [at.address]);
}
