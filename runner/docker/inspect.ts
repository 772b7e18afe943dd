/**
 * What the engine knows about an image. Called by create.ts before a container, and by runner/image.
 *
 * @module
 */
import { posix } from "node:path";
import * as v from "valibot";
import { isRefusal, QUICK_MS, withDeadline } from "./deadline.ts";
import { dial } from "./dial.ts";
import type { Engine } from "./engine.ts";

const strings = v.nullish(v.array(v.string()), []);

const imageAnswer = v.object({
  Id: v.string(),
  /** `<repository>@sha256:…` of the manifests by which registries have it. */
  RepoDigests: strings,
  Architecture: v.string(),
  Config: v.object({
    User: v.nullish(v.string(), ""),
    Env: strings,
    Volumes: v.pipe(v.nullish(v.record(v.string(), v.unknown()), {}), v.transform(cleanPaths)),
    Entrypoint: strings,
    Cmd: strings,
    Labels: v.nullish(v.record(v.string(), v.string()), {}),
  }),
});

/** The part of an image's description that we use; the image's author wrote it. */
export type ImageFacts = v.InferOutput<typeof imageAnswer>;

/** Paths as the engine reads them: one that we read in another way would become a folder on its disk. */
function cleanPaths(volumes: Readonly<Record<string, unknown>>): Record<string, unknown> {
  const clean = (path: string) => posix.normalize(path).replace(/(?<=.)\/$/, "");
  return Object.fromEntries(Object.entries(volumes).map(([path, it]) => [clean(path), it]));
}

/** Describes the image with this tag or id, or answers `undefined` if the engine does not have it. */
export async function inspectImage(
  { docker }: Engine,
  reference: string,
): Promise<ImageFacts | undefined> {
  const path = `/images/${encodeURI(reference)}/json`;
  try {
    const answer = await withDeadline(
      "look at an image",
      QUICK_MS,
      (abortSignal) => dial(docker, { method: "GET", path, abortSignal }),
    );
    return v.parse(imageAnswer, answer);
  } catch (error) {
    if (isRefusal(error, 404)) return undefined;
    throw error;
  }
}
