import type { ServerSource } from "./source.ts";

/** A source as a config has it, without the query of a URL: that may be private. */
export function sourceText(source: ServerSource): string {
  const versioned = (name: string, version: string | undefined) =>
    version === undefined ? name : `${name}@${version}`;
  switch (source.kind) {
    case "npm":
    case "pypi":
      return `${source.kind}:${versioned(source.package, source.version)}`;
    case "image":
      return `image:${source.reference}`;
    case "docker":
      return `docker:${source.entry}`;
    case "registry":
      return `registry:${versioned(source.name, source.version)}`;
    case "running":
      return `container:${source.container}`;
    case "commands":
      return `${source.tools.length} commands of a catalog`;
    case "http":
      return new URL(source.url).origin + new URL(source.url).pathname;
  }
}
