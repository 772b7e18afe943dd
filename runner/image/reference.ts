/**
 * Names of images, as engines and registries read them. Called by pin.ts and the signature files.
 *
 *     notes            → docker.io / library/notes : latest
 *     ada/notes:1      → docker.io / ada/notes     : 1
 *     ghcr.io/a/n@sha… → ghcr.io   / a/n           @ sha256:…
 *
 * @module
 */

/** The parts of a reference whose grammar the configuration has checked. */
export interface ImageName {
  /** Host of the registry, with its port if it names one. */
  readonly host: string;
  /** Path within the registry. */
  readonly repository: string;
  /** `latest` if neither a tag nor a digest is given. */
  readonly tag: string | undefined;
  /** `sha256:…` */
  readonly digest: string | undefined;
}

/** The host that names without one are at. */
const HUB = "docker.io";

/** Takes a reference apart. */
export function parseImageName(reference: string): ImageName {
  const [named = "", digest] = reference.split("@");
  const colon = named.indexOf(":", named.lastIndexOf("/") + 1);
  const name = colon < 0 ? named : named.slice(0, colon);
  const tag = colon < 0 ? undefined : named.slice(colon + 1);
  const slash = name.indexOf("/");
  const first = name.slice(0, Math.max(slash, 0));
  const hasHost = first === "localhost" || /[.:]/.test(first);
  const host = hasHost ? first.replace(/^(?:index\.)?docker\.io$/, HUB) : HUB;
  const path = hasHost ? name.slice(slash + 1) : name;
  return {
    host,
    repository: host === HUB && !path.includes("/") ? `library/${path}` : path,
    tag: tag ?? (digest === undefined ? "latest" : undefined),
    digest,
  };
}

/** The reference without tag and digest, as it was written. */
export function bareName(reference: string): string {
  const [named = ""] = reference.split("@");
  const colon = named.indexOf(":", named.lastIndexOf("/") + 1);
  return colon < 0 ? named : named.slice(0, colon);
}

/** `host/repository`, by which one repository has one name. */
export function fullName(reference: string): string {
  const { host, repository } = parseImageName(reference);
  return `${host}/${repository}`;
}

/** A digest or id as short as people compare them: 12 hex digits. */
export function shortDigest(digest: string): string {
  return digest.replace(/^sha256:/, "").slice(0, 12);
}
