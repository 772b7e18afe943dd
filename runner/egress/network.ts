/**
 * Networks of the engine, made and removed. Called by route.ts.
 *
 *     inside:  one per server. Leads to the proxy and nowhere else, not even to this machine.
 *     outside: one per runner, for the proxies only. Engines have room for some thirty networks, and a
 *              second one per server would halve the number of servers; the proxies cannot see each
 *              other on it, as the engine drops what goes between them, and as each listens on its
 *              server's network only.
 *
 * @module
 */
import { randomBytes } from "node:crypto";
import * as v from "valibot";
import { GatewayError } from "../../src/errors.ts";
import { isRefusal, QUICK_MS, SLOW_MS, unlessRefused, withDeadline } from "../docker/deadline.ts";
import { dial } from "../docker/dial.ts";
import type { Engine } from "../docker/engine.ts";
import { OWNER_LABEL, SERVER_LABEL, VERSION_LABEL } from "../docker/label.ts";
import { VERSION } from "../../src/version.ts";
import { inTurn } from "../image/local-image.ts";

/** First version of the engine that knows a bridge without an address of the machine by that name. */
const ISOLATED_SINCE = 28;

/** A network that exists. */
export interface Network {
  readonly id: string;
  readonly name: string;
}

const createAnswer = v.object({ Id: v.string() });
const inspectAnswer = v.object({
  Containers: v.nullish(v.record(v.string(), v.unknown()), {}),
});

/** Makes the network of one server. */
export function createInside(engine: Engine, owner: string, server: string): Promise<Network> {
  const isolated = Number.parseInt(engine.version, 10) >= ISOLATED_SINCE;
  return create(engine, {
    Name: uniqueName(server),
    Internal: true,
    // An internal bridge still has an address of the machine unless it is told not to.
    Options: isolated
      ? { "com.docker.network.bridge.gateway_mode_ipv4": "isolated" }
      : { "com.docker.network.bridge.inhibit_ipv4": "true" },
    Labels: { [OWNER_LABEL]: owner, [SERVER_LABEL]: server, [VERSION_LABEL]: VERSION },
  });
}

/** Networks of runners that proxies go out by, with the number of proxies. */
const outsides = new Map<string, { readonly network: Network; users: number }>();

/** The outer network of a runner, made if there is none; to be given back with `releaseOutside`. */
export async function acquireOutside(engine: Engine, owner: string): Promise<Network> {
  const key = `${engine.endpoint} ${owner}`;
  return await inTurn(`egress outside ${key}`, async () => {
    let outside = outsides.get(key);
    if (outside === undefined || !(await exists(engine, outside.network))) {
      const network = await create(engine, {
        Name: uniqueName("outside"),
        Internal: false,
        Options: { "com.docker.network.bridge.enable_icc": "false" },
        Labels: { [OWNER_LABEL]: owner, [VERSION_LABEL]: VERSION },
      });
      outside = { network, users: outside?.users ?? 0 };
      outsides.set(key, outside);
    }
    outside.users += 1;
    return outside.network;
  });
}

/** Gives it back; the last one removes it. */
export async function releaseOutside(engine: Engine, owner: string): Promise<void> {
  const key = `${engine.endpoint} ${owner}`;
  await inTurn(`egress outside ${key}`, async () => {
    const outside = outsides.get(key);
    if (outside === undefined) return;
    outside.users -= 1;
    if (outside.users > 0) return;
    outsides.delete(key);
    await removeNetwork(engine, outside.network);
  });
}

/** Whether the engine still has it. */
export async function exists(engine: Engine, { id }: Network): Promise<boolean> {
  return await inspect(engine, id) !== undefined;
}

/** Removes a network; containers that are still on it are cut off. One that is gone already is fine. */
export async function removeNetwork(engine: Engine, { id }: Network): Promise<void> {
  const found = await inspect(engine, id);
  if (found === undefined) return;
  const { docker } = engine;
  for (const container of Object.keys(found.Containers)) {
    await unlessRefused(
      [403, 404, 500],
      () =>
        withDeadline("disconnect a container", QUICK_MS, (abortSignal) => {
          const options = { Container: container, Force: true, abortSignal };
          return docker.getNetwork(id).disconnect(options);
        }),
    );
  }
  await unlessRefused([404], () =>
    withDeadline(
      "remove a network",
      QUICK_MS,
      (abortSignal) => docker.getNetwork(id).remove({ abortSignal }),
    ));
}

async function inspect(
  { docker }: Engine,
  id: string,
): Promise<v.InferOutput<typeof inspectAnswer> | undefined> {
  try {
    const answer = await withDeadline(
      "look at a network",
      QUICK_MS,
      (abortSignal) => dial(docker, { method: "GET", path: `/networks/${id}`, abortSignal }),
    );
    return v.parse(inspectAnswer, answer);
  } catch (error) {
    if (isRefusal(error, 404)) return undefined;
    throw error;
  }
}

async function create(
  { docker }: Engine,
  { Name, ...settings }: { readonly Name: string } & Readonly<Record<string, unknown>>,
): Promise<Network> {
  const body = { Name, Driver: "bridge", EnableIPv6: false, CheckDuplicate: true, ...settings };
  try {
    const answer = await withDeadline(
      "create a network",
      SLOW_MS,
      (abortSignal) =>
        dial(docker, { method: "POST", path: "/networks/create", body, abortSignal }),
    );
    return { id: v.parse(createAnswer, answer).Id, name: Name };
  } catch (error) {
    if (!isRefusal(error)) throw error;
    const full = /non-overlapping|address pool/i.test(error.reason);
    throw new GatewayError(
      "server_failed",
      full
        ? 'Cannot create a network: the engine has no room for more, remove some with "docker network prune" or widen "default-address-pools" of the engine'
        : `Cannot create a network: ${error.reason}`,
      { cause: error },
    );
  }
}

function uniqueName(part: string): string {
  const plain = part.replace(/[^A-Za-z0-9_.-]/g, "-").slice(0, 40);
  return `mcp-runner-${plain}-${randomBytes(4).toString("hex")}`;
}
