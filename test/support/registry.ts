/**
 * An image registry on loopback that serves what a test puts in (OCI Distribution 1.1, pull only); engines
 * speak plain HTTP to those.
 *
 * @module
 */
import { createHash } from "node:crypto";
import { once } from "node:events";
import { createServer, type RequestListener } from "node:http";
import type { AddressInfo } from "node:net";
import { buffer } from "node:stream/consumers";
import { Readable } from "node:stream";
import { after } from "node:test";
import { gzipSync } from "node:zlib";
import { pack } from "tar-fs";

/** A manifest as it is stored. */
interface Stored {
  readonly mediaType: string;
  readonly bytes: Buffer;
}

/** What a test image is to be. */
export interface TestImage {
  readonly architecture: string;
  /** Makes another image of it. */
  readonly mark?: string;
}

/** A registry that a test fills. */
export interface TestRegistry {
  /** `127.0.0.1:<port>` */
  readonly host: string;
  /** `<method> <path>` of all requests so far. */
  readonly requests: string[];
  /** Answers in place of the registry while it is set. */
  instead: RequestListener | undefined;
  /** Answers as the registry, for what `instead` lets through. */
  readonly pass: RequestListener;
  /** Puts an image with one small layer under a tag; the digest of its manifest. */
  putImage(repository: string, tag: string, image: TestImage): Promise<string>;
  /** Puts a manifest under a tag, or under its digest alone; its digest. */
  putManifest(repository: string, tag: string | undefined, manifest: object): string;
  putBlob(bytes: Uint8Array): string;
  /** Removes all that was put in. */
  clear(): void;
  /** From then on nobody answers there. */
  close(): void;
}

const OCI_MANIFEST = "application/vnd.oci.image.manifest.v1+json";
const DOCKER_MANIFEST = "application/vnd.docker.distribution.manifest.v2+json";

/** `sha256:…` of some bytes. */
export function digestOf(bytes: Uint8Array): string {
  return `sha256:${createHash("sha256").update(bytes).digest("hex")}`;
}

/** Opens a registry that is closed after the file's tests. */
export async function openTestRegistry(): Promise<TestRegistry> {
  const blobs = new Map<string, Buffer>();
  const manifests = new Map<string, Stored>();
  const requests: string[] = [];
  const server = createServer((request, response) => {
    const { method = "", url = "" } = request;
    requests.push(`${method} ${url}`);
    (registry.instead ?? registry.pass)(request, response);
  });
  const pass: RequestListener = ({ method = "", url = "" }, response) => {
    const path = decodeURIComponent(url.split("?")[0] ?? "");
    if (path === "/v2/") return void response.end("{}");
    const [, repository = "", kind, reference = ""] =
      /^\/v2\/(.+)\/(manifests|blobs|referrers)\/([^/]+)$/.exec(path) ?? [];
    const blob = blobs.get(reference);
    if (kind === "blobs" && blob !== undefined) {
      response.setHeader("content-length", blob.length);
      return void response.end(method === "HEAD" ? "" : blob);
    }
    const manifest = manifests.get(`${repository} ${reference}`);
    if (kind === "manifests" && manifest !== undefined) {
      response.setHeader("content-type", manifest.mediaType);
      response.setHeader("docker-content-digest", digestOf(manifest.bytes));
      response.setHeader("content-length", manifest.bytes.length);
      return void response.end(method === "HEAD" ? "" : manifest.bytes);
    }
    response.writeHead(404, { "content-type": "application/json" });
    const what = kind === "blobs" ? "blob" : "manifest";
    response.end(
      `{"errors":[{"code":"${what.toUpperCase()}_UNKNOWN","message":"${what} unknown to registry"}]}`,
    );
  };
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const close = () => {
    server.close();
    server.closeAllConnections();
  };
  after(close);

  const putBlob = (bytes: Uint8Array) => {
    blobs.set(digestOf(bytes), Buffer.from(bytes));
    return digestOf(bytes);
  };
  const described = (mediaType: string, bytes: Uint8Array) => ({
    mediaType: `application/vnd.docker.${mediaType}`,
    size: bytes.length,
    digest: putBlob(bytes),
  });
  const putManifest = (repository: string, tag: string | undefined, manifest: object) => {
    const bytes = Buffer.from(JSON.stringify(manifest));
    const mediaType = "mediaType" in manifest ? String(manifest.mediaType) : OCI_MANIFEST;
    for (const reference of [digestOf(bytes), ...(tag === undefined ? [] : [tag])]) {
      manifests.set(`${repository} ${reference}`, { mediaType, bytes });
    }
    return digestOf(bytes);
  };
  const registry: TestRegistry = {
    host: `127.0.0.1:${(server.address() as AddressInfo).port}`,
    requests,
    instead: undefined,
    pass,
    putBlob,
    putManifest,
    async putImage(repository, tag, { architecture, mark = "" }) {
      const layer = await buffer(
        Readable.from(pack(import.meta.dirname, { entries: ["registry.ts"] })),
      );
      const config = Buffer.from(JSON.stringify({
        architecture,
        os: "linux",
        config: { Cmd: ["/server", "--stdio"], User: "1000", Labels: { mark } },
        rootfs: { type: "layers", diff_ids: [digestOf(layer)] },
      }));
      return putManifest(repository, tag, {
        schemaVersion: 2,
        mediaType: DOCKER_MANIFEST,
        config: described("container.image.v1+json", config),
        layers: [described("image.rootfs.diff.tar.gzip", gzipSync(layer))],
      });
    },
    clear() {
      manifests.clear();
      blobs.clear();
    },
    close,
  };
  return registry;
}
