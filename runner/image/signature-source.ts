/**
 * Where signatures of an image are: beside it in its registry. Called by signature.ts.
 *
 *     tag sha256-<hex>.sig          cosign before version 3: one layer per signature
 *     referrers of the digest       cosign from version 3: one manifest per signature, with a bundle
 *
 * @module
 */
import * as v from "valibot";
import { parseImageName } from "./reference.ts";
import { openRegistry, type Registry } from "./registry-client.ts";
import type { ImageSignature } from "./signed-payload.ts";

/** Most signatures of one image that are looked at. */
const MAX_SIGNATURES = 20;

/** Largest signed payload, in bytes; real ones have some kilobytes. */
const MAX_PAYLOAD_BYTES = 1024 * 1024;

const digest = v.pipe(v.string(), v.regex(/^sha256:[0-9a-f]{64}$/));

const signatureManifest = v.object({
  layers: v.array(v.object({
    digest,
    mediaType: v.string(),
    annotations: v.optional(v.record(v.string(), v.string()), {}),
  })),
});

const index = v.object({
  manifests: v.array(v.object({ digest, artifactType: v.optional(v.string(), "") })),
});

const SIMPLE_SIGNING = "application/vnd.dev.cosign.simplesigning.v1+json";
const SIGNATURE = "dev.cosignproject.cosign/signature";
const CERTIFICATE = "dev.sigstore.cosign/certificate";
const LOG = "dev.sigstore.cosign/bundle";
const BUNDLE = "application/vnd.dev.sigstore.bundle";

/**
 * All signatures that the registry shows for an image; none of them is checked yet.
 *
 * @throws {RegistryFailure} when it cannot be asked.
 */
export async function readSignatures(
  image: { readonly reference: string; readonly digest: string },
): Promise<readonly ImageSignature[]> {
  const registry = openRegistry(parseImageName(image.reference));
  const simple = await simpleSignatures(registry, image.digest);
  return [...simple, ...await bundles(registry, image.digest)].slice(0, MAX_SIGNATURES);
}

async function simpleSignatures(registry: Registry, of: string): Promise<ImageSignature[]> {
  const found = await registry.manifest(`${of.replace(":", "-")}.sig`);
  const manifest = v.safeParse(signatureManifest, found);
  if (!manifest.success) return [];
  const signatures: ImageSignature[] = [];
  for (const layer of manifest.output.layers.slice(0, MAX_SIGNATURES)) {
    const signature = layer.annotations[SIGNATURE];
    if (layer.mediaType !== SIMPLE_SIGNING || signature === undefined) continue;
    const payload = await registry.blob(layer.digest, MAX_PAYLOAD_BYTES);
    const { [CERTIFICATE]: certificate, [LOG]: log } = layer.annotations;
    if (payload !== undefined) {
      signatures.push({ kind: "simple", payload, signature, certificate, log });
    }
  }
  return signatures;
}

async function bundles(registry: Registry, of: string): Promise<ImageSignature[]> {
  const listed = v.safeParse(index, await registry.referrers(of));
  if (!listed.success) return [];
  const signatures: ImageSignature[] = [];
  const candidates = listed.output.manifests
    .filter(({ artifactType }) => artifactType.startsWith(BUNDLE))
    .slice(0, MAX_SIGNATURES);
  for (const candidate of candidates) {
    const manifest = v.safeParse(signatureManifest, await registry.manifest(candidate.digest));
    const [layer] = manifest.success ? manifest.output.layers : [];
    const bytes = layer && await registry.blob(layer.digest, MAX_PAYLOAD_BYTES);
    if (bytes !== undefined) {
      signatures.push({ kind: "bundle", bundle: new TextDecoder().decode(bytes) });
    }
  }
  return signatures;
}
