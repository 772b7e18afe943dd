import type { SignatureRule } from "../config/config.ts";
import type { Journal } from "../journal/journal.ts";
import type { ImageLock } from "./lock.ts";

/** An image that the engine has. */
export interface ReadyImage {
  /** What containers are created from: an id or a name with a digest, which never lead elsewhere. */
  readonly image: string;
  /** How people know it, for messages: a tag. */
  readonly name: string;
  /** Another one when what is inside is. */
  readonly id: string;
  /**
   * What an approval is for: `sha256:…` of the registry's manifest, the id of an image that is from no
   * registry, or the hash over all files of a package and of those it depends on.
   */
  readonly digest: string;
  /**
   * What to put before the arguments of the configuration. If there are none either, the image's own
   * command is used.
   */
  readonly command: readonly string[];
}

/** What besides its source decides about the image of a server. */
export interface ImageOptions {
  /** Where images are pinned; without it they are not. */
  readonly lock?: ImageLock | undefined;
  /** Which images must be signed; the first rule that matches decides. */
  readonly signed?: readonly SignatureRule[] | undefined;
  /** Directory that keeps which signatures were found valid, so that they need no network again. */
  readonly stateDirectory?: string | undefined;
  readonly journal?: Journal | undefined;
  /** Name of the server, for messages and the journal. */
  readonly server?: string | undefined;
  /** Fetch nothing: what the engine does not have is missing. */
  readonly offline?: boolean | undefined;
  /** Pin what is there now, whatever was pinned before: a person has asked for it. */
  readonly accept?: boolean | undefined;
  /** Asked before anything is pinned; what it throws, `ensureImage` throws, and the lock stays as it was. */
  readonly check?: ((ready: ReadyImage) => Promise<void>) | undefined;
  /** Gets what a person should know although the server starts. */
  readonly warn?: ((line: string) => void) | undefined;
}
