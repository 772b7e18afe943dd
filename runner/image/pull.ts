/**
 * Pulls an image from its registry, telling how far it is. Called by pull-queue.ts and base-image.ts.
 *
 * @module
 */
import { GatewayError } from "../../src/errors.ts";
import { isRefusal } from "../docker/deadline.ts";
import type { Engine } from "../docker/engine.ts";
import { follow, type Message } from "./follow.ts";

/** Longest silence of a pull that goes well, in milliseconds: the engine retries for a while. */
export const PULL_MS = 120_000;

/** Time between two progress lines, in milliseconds. */
const PROGRESS_MS = 2_000;

/** What a person can do about the most common refusals of engines and registries. */
const ADVICE: readonly (readonly [reason: RegExp, told: string])[] = [
  [
    /pull access denied|repository does not exist|(?:manifest|blob) unknown|unknown blob|not found|name unknown/i,
    "it does not exist or needs a login, check its name, or pull it yourself",
  ],
  [
    /unauthorized|authentication required|no basic auth|denied/i,
    'its registry asks for a login, use "docker login" and pull it yourself',
  ],
  [/toomanyrequests|rate limit/i, "its registry allows no more pulls for now, try later or log in"],
  [
    /no matching manifest|no match for platform/i,
    "it is not made for the platform of this engine, choose another image",
  ],
  [/no space left/i, 'the disk of the engine is full, free some with "docker system prune"'],
  [
    /no such host|dial tcp|i\/o timeout|TLS handshake|connection refused|unreachable|Client\.Timeout|EOF/i,
    "its registry cannot be reached, check the network",
  ],
  [/invalid reference/i, "that is no image name, correct the source"],
];

/**
 * Pulls `reference`, with the tag `latest` if it has none.
 *
 * @param answerMs How long the registry may take to answer at all, in milliseconds.
 * @throws {GatewayError} `image_missing` with the image, the cause and the fix; `engine_unavailable`.
 */
export async function pullImage(
  engine: Engine,
  reference: string,
  progress: (line: string) => void,
  answerMs: number = PULL_MS,
): Promise<void> {
  const report = reporter(reference, progress);
  try {
    await follow({
      what: `pull image "${reference}"`,
      firstMs: answerMs,
      silenceMs: PULL_MS,
      open: (abortSignal) => engine.docker.pull(withTag(reference), { abortSignal }),
      onMessage: report,
    });
  } catch (error) {
    if (!isRefusal(error)) throw error;
    const { reason } = error;
    const [, advice] = ADVICE.find(([pattern]) => pattern.test(reason)) ?? [];
    throw new GatewayError(
      "image_missing",
      `Cannot pull image "${reference}": ${
        advice === undefined ? reason : `${advice} ("docker pull ${reference}" shows more)`
      }`,
      { cause: error },
    );
  }
  progress(`Pulled image ${reference}`);
}

/** Whether a pull failed because the registry has no such image, or none that it shows us. */
export function isAbsent(error: unknown): boolean {
  return error instanceof GatewayError && isRefusal(error.cause) &&
    ADVICE[0]?.[0].test(error.cause.reason) === true;
}

/** The engine would pull every tag of a name without one. */
export function withTag(reference: string): string {
  const name = reference.slice(reference.lastIndexOf("/") + 1);
  return name.includes(":") || name.includes("@") ? reference : `${reference}:latest`;
}

function reporter(reference: string, progress: (line: string) => void): (message: Message) => void {
  const layers = new Map<string, { current: number; total: number }>();
  let last = Date.now();
  progress(`Pulling image ${reference}`);
  return ({ status, id, progressDetail }) => {
    const { current, total } = progressDetail ?? {};
    if (status !== "Downloading" || !id || current === undefined || total === undefined) return;
    layers.set(id, { current, total });
    if (Date.now() - last < PROGRESS_MS) return;
    last = Date.now();
    const sum = (part: "current" | "total") =>
      Math.round([...layers.values()].reduce((bytes, layer) => bytes + layer[part], 0) / 1e6);
    progress(`Pulling image ${reference}: ${sum("current")} of ${sum("total")} MB`);
  };
}
