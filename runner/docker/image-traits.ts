/**
 * What an image holds that its description does not tell: who its users are, and whether it has a shell.
 * The image is not trusted, so nothing of it runs: a container is made, looked into, and removed. Called by
 * create.ts for images whose user is a name and for servers with secrets.
 *
 * @module
 */
import * as v from "valibot";
import { fileExists, type Place, readEntry } from "./archive.ts";
import { QUICK_MS, SLOW_MS, unlessRefused, withDeadline } from "./deadline.ts";
import { dial } from "./dial.ts";
import type { Engine } from "./engine.ts";
import type { ImageFacts } from "./inspect.ts";
import { SHELL } from "./shim.ts";

/** What was found in an image. */
export interface ImageTraits {
  /** Text of `/etc/passwd` (passwd(5)); empty if there is none. */
  readonly passwd: string;
  /** Whether it has `/bin/sh`. */
  readonly shell: boolean;
}

/** More than any image's file of users. */
const MAX_PASSWD_BYTES = 256 * 1024;

/** By image id: an id never changes its content. */
const known = new Map<string, ImageTraits>();

const created = v.object({ Id: v.string() });

/**
 * Looks into an image, once for each id.
 *
 * @param labels Of the container that is made for it, so that the reaper finds it.
 */
export async function traitsOf(
  engine: Engine,
  image: ImageFacts,
  labels: Readonly<Record<string, string>>,
): Promise<ImageTraits> {
  const found = known.get(image.Id);
  if (found !== undefined) return found;
  const traits = await withIdleContainer(engine, { image, labels }, async (containerId) => {
    const at = (path: string): Place => ({ containerId, path });
    const passwd = await readEntry(engine, at("/etc/passwd"), MAX_PASSWD_BYTES);
    const shell = await fileExists(engine, at(SHELL));
    return { passwd: new TextDecoder().decode(passwd?.content), shell };
  });
  known.set(image.Id, traits);
  return traits;
}

/** A container that is never started. */
export interface IdleContainer {
  readonly image: ImageFacts;
  readonly labels: Readonly<Record<string, string>>;
  /** Volume of the engine to mount, if any. */
  readonly volume?: { readonly name: string; readonly path: string };
}

/** Makes a container that never runs, for `use`, and removes it. */
export async function withIdleContainer<T>(
  engine: Engine,
  { image, labels, volume }: IdleContainer,
  use: (id: string) => Promise<T>,
): Promise<T> {
  const scratch = Object.keys(image.Config.Volumes).filter((path) => path !== volume?.path);
  const body = {
    Image: image.Id,
    Entrypoint: ["/never-started"],
    Labels: { ...labels },
    HostConfig: {
      NetworkMode: "none",
      // In place of volumes that the engine would make and fill.
      Tmpfs: Object.fromEntries(scratch.map((path) => [path, "size=1m"])),
      ...(volume !== undefined && {
        Mounts: [{ Type: "volume", Source: volume.name, Target: volume.path }],
      }),
    },
  };
  const { Id } = v.parse(
    created,
    await withDeadline(
      "look into an image",
      SLOW_MS,
      (abortSignal) =>
        dial(engine.docker, { method: "POST", path: "/containers/create", body, abortSignal }),
    ),
  );
  try {
    return await use(Id);
  } finally {
    await unlessRefused(
      [404, 409],
      () =>
        withDeadline(
          "remove a container",
          QUICK_MS,
          (abortSignal) =>
            engine.docker.getContainer(Id).remove({ force: true, v: true, abortSignal }),
        ),
    );
  }
}
