/**
 * Attacks over the network: this machine, the metadata service of a cloud, the internet, other containers,
 * and names as a way out.
 *
 * @module
 */
import { randomBytes } from "node:crypto";
import { createSocket } from "node:dgram";
import { once } from "node:events";
import { type AddressInfo, connect, createServer } from "node:net";
import { networkInterfaces } from "node:os";
import * as v from "valibot";
import { OWNER_LABEL } from "../../runner/docker/label.ts";
import { alone, type Attack } from "./attack.ts";
import type { Scene } from "./scene.ts";
import { blocked, both, contained, failed, type Finding, UNREACHABLE } from "./verdict.ts";

/** Allows one host, of which nobody has ever heard. */
const WAY_OUT = { network: ["allowed.example:443"] };

/** Answers of a resolver that gave nothing; it says ECONNREFUSED where there is no route. */
const NO_NAME = [
  ...UNREACHABLE,
  "ENOTFOUND",
  "EAI_AGAIN",
  "ESERVFAIL",
  "ENODATA",
  "ETIMEOUT",
  "ECONNREFUSED",
  // That it left the container does not say that it arrived anywhere, which is looked at from outside.
  "sent",
];

const gateway = v.object({
  IPAM: v.object({ Config: v.tuple([v.looseObject({ Gateway: v.string() })]) }),
});
const networks = v.object({
  NetworkSettings: v.object({
    Networks: v.record(v.string(), v.object({ IPAddress: v.string(), Gateway: v.string() })),
  }),
});
const addresses = v.array(v.object({
  IPAM: v.object({ Config: v.nullish(v.array(v.looseObject({ Subnet: v.string() })), []) }),
}));

/** A port where nobody listens: who refuses a connection has been reached all the same. */
const CLOSED = 9;

/** Everything that a server must not reach, wherever it is. */
function outside(): readonly string[] {
  const own = Object.values(networkInterfaces()).flatMap((all) => all ?? [])
    .filter(({ family, internal }) => family === "IPv4" && !internal)
    .map(({ address }) => `${address}:${CLOSED}`);
  return [...own, "169.254.169.254:80", "1.1.1.1:443", "[fd00:ec2::254]:80"];
}

/** Somebody who listens on this machine, at an address that containers of other networks reach. */
interface Listener {
  readonly host: string;
  readonly port: number;
  /** Connections and packets that arrived. */
  readonly arrived: () => number;
}

/** Listens on a network of the engine, over TCP and UDP, and proves it before `use` begins. */
async function withListener<T>(
  { engine: { docker } }: Scene,
  use: (listener: Listener) => Promise<T>,
): Promise<T> {
  const network = await docker.createNetwork({
    Name: `mcp-runner-attacks-${randomBytes(4).toString("hex")}`,
  });
  let arrived = 0;
  const tcp = createServer((socket) => {
    arrived++;
    socket.destroy();
  });
  const udp = createSocket("udp4", () => arrived++);
  try {
    const { IPAM: { Config: [{ Gateway: host }] } } = v.parse(gateway, await network.inspect());
    await new Promise<void>((resolve) => tcp.listen(0, host, resolve));
    const { port } = tcp.address() as AddressInfo;
    await new Promise<void>((resolve) => udp.bind(port, host, resolve));
    await new Promise<void>((resolve) => connect({ host, port }).once("close", () => resolve()));
    const packet = once(udp, "message");
    udp.send("proof", port, host);
    await packet;
    const proofs = arrived;
    if (proofs !== 2) throw new Error("The listener of this machine does not work");
    return await use({ host, port, arrived: () => arrived - proofs });
  } finally {
    udp.close();
    await new Promise((resolve) => tcp.close(resolve));
    await network.remove();
  }
}

/** Nothing may have arrived, whatever the attacker believes. */
function unheard(found: Finding, { arrived }: Listener): Finding {
  return arrived() === 0 ? found : failed(`${arrived()} connections or packets arrived`);
}

/** Whether a server reaches this machine, or anything else that it must not. */
async function reachesOutside(scene: Scene, server: string): Promise<Finding> {
  return await withListener(scene, async (listener) => {
    const targets = [...outside(), `${listener.host}:${listener.port}`];
    const tried = await scene.attempts(server, "reach", { args: { targets } });
    return unheard(blocked(tried, UNREACHABLE), listener);
  });
}

/** Whether what it knows gets out by names or by packets; `name` is what it asks for. */
async function exfiltrates(scene: Scene, server: string, name: string): Promise<Finding> {
  return await withListener(scene, async (listener) => {
    const args = { name, listener: `${listener.host}:${listener.port}` };
    const tried = await scene.attempts(server, "exfiltrate", { args });
    return unheard(blocked(tried, NO_NAME), listener);
  });
}

/** The addresses of a server's containers, where its tool `listen` listens. */
async function addressesOf(scene: Scene, server: string): Promise<readonly string[]> {
  const found = await Promise.all((await scene.containers(server)).map(async (id) => {
    const facts = v.parse(networks, await scene.engine.docker.getContainer(id).inspect());
    return Object.values(facts.NetworkSettings.Networks).map(({ IPAddress }) => IPAddress);
  }));
  return found.flat().filter((address) => address !== "");
}

/** The first address of each network of the runner: where a gateway would be. */
async function gatewaysOf({ engine, owner }: Scene): Promise<readonly string[]> {
  const filters = { label: [`${OWNER_LABEL}=${owner}`] };
  const listed = v.parse(addresses, await engine.docker.listNetworks({ filters }));
  return listed.flatMap(({ IPAM }) => IPAM.Config.map(({ Subnet }) => Subnet))
    .map((subnet) => subnet.replace(/\.\d+\/\d+$/, ".1"));
}

const PORT = 8080;

/** Another container, which listens, from servers with and without a network. */
const neighbours: Attack = {
  name: "another server's container, gateways of networks",
  attackers: (name) => [
    { name, settings: WAY_OUT },
    { name: `${name}-b`, settings: WAY_OUT },
    { name: `${name}-c` },
  ],
  run: async (scene, name) => {
    const victim = `${name}-b`;
    await scene.listed(victim);
    await scene.listed(`${name}-c`);
    await scene.call(victim, "listen", { args: { port: PORT } });
    const own = (await addressesOf(scene, victim)).map((address) => `${address}:${PORT}`);
    const itself = await scene.attempts(victim, "reach", { args: { targets: own } });
    if (!itself.some(({ got }) => got === "done")) return failed("the victim does not listen");
    await scene.call(name, "echo"); // so that it has a network
    const gateways = (await gatewaysOf(scene)).map((address) => `${address}:${CLOSED}`);
    const args = { targets: [...own, ...gateways] };
    const inside = await scene.attempts(name, "reach", { args });
    const without = await scene.attempts(`${name}-c`, "reach", { args });
    return both(blocked(inside, UNREACHABLE), blocked(without, UNREACHABLE));
  },
};

/** What the call log tells of a server's blocked attempts. */
async function logged({ machine }: Scene, server: string): Promise<string> {
  const args = ["--all-events", "--json", "--limit", "10000", "--server", server];
  const { stdout } = await machine.run("calls", ...args);
  return stdout.split("\n").filter((line) => line.includes('"egress_blocked"')).join("\n");
}

/** In the order in which they run. */
export const NETWORKS: readonly Attack[] = [
  alone("this machine, metadata, internet: no network", reachesOutside),
  alone("this machine, metadata, internet: allowlist", reachesOutside, WAY_OUT),
  neighbours,
  alone(
    "names as a way out: no network",
    (scene, server) => exfiltrates(scene, server, `${server}.attacker.example`),
  ),
  alone("names as a way out: allowlist", async (scene, server) => {
    const name = `${server}.attacker.example`;
    const found = await exfiltrates(scene, server, name);
    const log = await logged(scene, server);
    return log.includes(`stolen.${name}`)
      ? both(found, contained("the call log names it", []))
      : failed("the call log does not name what was asked for");
  }, WAY_OUT),
];
