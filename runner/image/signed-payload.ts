/**
 * Checks one signature of an image with public keys. Pure: what it looks at was written by whoever can
 * write to the registry, who is not trusted. Called by signature.ts.
 *
 *     cosign before version 3   JSON that names the digest, signed as it is ("simple signing")
 *     cosign from version 3     in-toto statement that names the digest, in a DSSE envelope
 *
 * @module
 */
import { createHash, createPublicKey, type KeyObject, verify } from "node:crypto";
import * as v from "valibot";

/** A public key of a rule. */
export interface VerificationKey {
  readonly key: KeyObject;
  /** SHA-256 of the key (SubjectPublicKeyInfo), 64 hex digits. */
  readonly fingerprint: string;
}

/** A signature as the registry has it. */
export type ImageSignature =
  | {
    readonly kind: "simple";
    readonly payload: Uint8Array;
    readonly signature: string;
    /** In PEM, and the entry of a public log: of a signature without a key of one's own. */
    readonly certificate?: string | undefined;
    readonly log?: string | undefined;
  }
  | { readonly kind: "bundle"; readonly bundle: string };

/** Whose signature it is, or why it does not count. */
export type Verdict = { readonly key: VerificationKey } | { readonly refused: string };

const simplePayload = v.object({
  critical: v.object({
    type: v.literal("cosign container image signature"),
    image: v.object({ "docker-manifest-digest": v.string() }),
  }),
});

const bundleFile = v.object({
  dsseEnvelope: v.object({
    payload: v.string(),
    payloadType: v.literal("application/vnd.in-toto+json"),
    signatures: v.pipe(v.array(v.object({ sig: v.string() })), v.maxLength(16)),
  }),
});

// Other statements about an image, such as a list of its faults, are signed in the same way.
const statement = v.object({
  predicateType: v.pipe(v.string(), v.startsWith("https://sigstore.dev/cosign/sign/")),
  subject: v.array(v.object({ digest: v.object({ sha256: v.optional(v.string()) }) })),
});

/** Hash of signatures by elliptic curve; the others use SHA-256, Ed25519 none. */
const CURVE_HASH: Readonly<Record<string, string>> = { secp384r1: "sha384", secp521r1: "sha512" };

const PEM = /-----BEGIN PUBLIC KEY-----[\sA-Za-z0-9+/=]+-----END PUBLIC KEY-----/g;

/**
 * The public keys of a PEM file, which may hold several: each of them may sign.
 *
 * @throws {Error} when one of them is no key.
 */
export function readKeys(pem: string): VerificationKey[] {
  return [...pem.matchAll(PEM)].map(([block]) => {
    const key = createPublicKey(block);
    const der = key.export({ type: "spki", format: "der" });
    return { key, fingerprint: createHash("sha256").update(der).digest("hex") };
  });
}

/** Whether one of `keys` has signed that the image with `digest` is good. */
export function verifySignature(
  signature: ImageSignature,
  digest: string,
  keys: readonly VerificationKey[],
): Verdict {
  const read = signature.kind === "simple"
    ? {
      signed: signature.payload,
      signatures: [signature.signature],
      digests: simpleDigests(signature.payload),
    }
    : readBundle(signature.bundle);
  if (read === undefined) return { refused: "a signature makes no sense" };
  const key = keys.find((each) => read.signatures.some((sig) => isBy(each, read.signed, sig)));
  if (key === undefined) return { refused: "it is signed by another key, or was changed" };
  // Only now is what it says worth reading.
  return read.digests.includes(digest)
    ? { key }
    : { refused: "a signature of the right key is for another image" };
}

/** Digests of the images that a signature is for, by what it says itself. */
export function signedDigests(signature: ImageSignature): readonly string[] {
  return signature.kind === "simple"
    ? simpleDigests(signature.payload)
    : readBundle(signature.bundle)?.digests ?? [];
}

function simpleDigests(payload: Uint8Array): string[] {
  const text = new TextDecoder().decode(payload);
  const parsed = v.safeParse(v.pipe(v.string(), v.parseJson(), simplePayload), text);
  return parsed.success ? [parsed.output.critical.image["docker-manifest-digest"]] : [];
}

function readBundle(
  bundle: string,
): { signed: Uint8Array; signatures: string[]; digests: string[] } | undefined {
  const parsed = v.safeParse(v.pipe(v.string(), v.parseJson(), bundleFile), bundle);
  if (!parsed.success) return undefined;
  const { payload, payloadType, signatures } = parsed.output.dsseEnvelope;
  const body = Buffer.from(payload, "base64");
  // DSSE's pre-authentication encoding: the type is signed along.
  const head = `DSSEv1 ${payloadType.length} ${payloadType} ${body.length} `;
  const told = v.safeParse(v.pipe(v.string(), v.parseJson(), statement), body.toString("utf8"));
  return {
    signed: Buffer.concat([Buffer.from(head), body]),
    signatures: signatures.map(({ sig }) => sig),
    digests: told.success
      ? told.output.subject.map(({ digest }) => `sha256:${digest.sha256 ?? ""}`)
      : [],
  };
}

function isBy({ key }: VerificationKey, signed: Uint8Array, signature: string): boolean {
  const curve = key.asymmetricKeyDetails?.namedCurve ?? "";
  const isHashed = key.asymmetricKeyType !== "ed25519";
  try {
    const hash = isHashed ? CURVE_HASH[curve] ?? "sha256" : undefined;
    return verify(hash, signed, key, Buffer.from(signature, "base64"));
  } catch {
    // A signature of another kind of key.
    return false;
  }
}
