/**
 * One run of the benchmark: starts every subject, measures them in turns, and leaves nothing behind.
 *
 *     peers installed → engine, image → subjects (a) to (d) → rounds → cold calls → start-ups
 *
 * @module
 */
import { randomBytes } from "node:crypto";
import { rmSync } from "node:fs";
import { mkdir, mkdtemp } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { ContainerSpec } from "../runner/docker/container.ts";
import { removeContainer } from "../runner/docker/create.ts";
import { connectEngine, type Engine } from "../runner/docker/engine.ts";
import { OWNER_LABEL, SERVER_LABEL } from "../runner/docker/label.ts";
import type { ServerConfig } from "../runner/config/config.ts";
import { ensureImage } from "../runner/image/image.ts";
import { claimOwner } from "../runner/local/owner.ts";
import { measureCold } from "./cold.ts";
import { echoSource } from "./echo.ts";
import type { Cast } from "./items.ts";
import type { Plan } from "./options.ts";
import type { Paired } from "./paired.ts";
import { ensurePeers } from "./peer-packages.ts";
import { measureRounds, type Results } from "./rounds.ts";
import { measureStartUps } from "./start-up.ts";
import { startAttached } from "./subject/attach.ts";
import { PEERS, startPeer } from "./subject/peer.ts";
import { startRelay } from "./subject/relay.ts";
import type { Subject } from "./subject/subject.ts";
import { startWholePath, writeConfig } from "./subject/whole-path.ts";

/** How to run. */
export interface RunOptions {
  readonly plan: Plan;
  readonly signal: AbortSignal;
  readonly say: (line: string) => void;
}

/** What a run has measured. */
export interface Run {
  readonly cast: Cast;
  readonly results: Results;
  readonly cold: Paired;
  readonly startUps: readonly Paired[];
}

/**
 * Runs the benchmark once.
 *
 * @throws {SubjectError} When a subject fails or answers wrongly; the signal's reason when it aborts.
 */
export async function runBench({ plan, signal, say }: RunOptions): Promise<Run> {
  await ensurePeers(say);
  signal.throwIfAborted();
  // Everything that is started goes on this stack, and is gone when this function ends.
  await using stack = new AsyncDisposableStack();
  const folder = await mkdtemp(join(tmpdir(), "mcp-runner-bench-"));
  // Also when a second Ctrl-C ends this process at once.
  process.on("exit", () => rmSync(folder, { recursive: true, force: true }));

  const engine = await connectEngine();
  const server = `bench-${randomBytes(4).toString("hex")}`;
  const names = { attached: `${server}-attached`, whole: server };
  stack.defer(() => removeLeft(engine, Object.values(names)));
  const { servers: [config] } = await writeConfig(folder, server);
  if (config === undefined) throw new RangeError("The config of the benchmark has no server");
  const home = join(folder, "home");
  await mkdir(home, { mode: 0o700 });
  const owner = await claimOwner(home);
  stack.defer(() => owner.close());
  const spec = await containerSpec(engine, config, say, {
    [OWNER_LABEL]: owner.id,
    [SERVER_LABEL]: names.attached,
  });

  say("Starting the subjects");
  const attach = await startAttached(stack, engine, spec);
  signal.throwIfAborted();
  const relay = await startRelay(stack, signal);
  const whole = await startWholePath(stack, { folder, engine, server, signal });
  const peers: Subject[] = [];
  for (const peer of PEERS) peers.push(await startPeer(stack, peer, signal));
  const cast: Cast = { attach, relay, legacy: whole.legacy, modern: whole.modern, peers };

  const nextEcho = echoSource();
  const subjects = [attach, relay, whole.legacy, whole.modern, ...peers];
  const results = await measureRounds(subjects, { plan, nextEcho, signal, say });
  say("Measuring cold calls");
  const cold = await measureCold({ whole, engine, spec, times: plan.coldCalls, nextEcho, signal });
  say("Measuring start-ups");
  const startUps = await measureStartUps({ folder, times: plan.starts, signal });
  return { cast, results, cold, startUps };
}

/** The container that the runner makes from this config. */
async function containerSpec(
  engine: Engine,
  { source, args, env, volumes, limits }: ServerConfig,
  say: (line: string) => void,
  labels: ContainerSpec["labels"],
): Promise<ContainerSpec> {
  if (source.kind !== "npm" && source.kind !== "image") {
    throw new TypeError("The benchmark runs servers in containers only");
  }
  const { image, command } = await ensureImage(engine, source, say);
  return { image, command: [...command, ...args], env, volumes, limits, labels };
}

/** Removes the containers of these servers: none, unless a runner could not do it itself. */
async function removeLeft(engine: Engine, servers: readonly string[]): Promise<void> {
  for (const server of servers) {
    const filters = { label: [`${SERVER_LABEL}=${server}`] };
    const left = await engine.docker.listContainers({ all: true, filters });
    for (const { Id } of left) await removeContainer(engine, Id);
  }
}
