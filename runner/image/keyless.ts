/**
 * Checks a signature that was made without a key of one's own: a short-lived certificate of Sigstore says
 * who signed, and a public log says when. Called by signature.ts.
 *
 *     certificate   from an authority of the trusted root, for the rule's identity, by the rule's issuer
 *     log           an entry for this signature, signed by a log of the trusted root
 *     payload       names the image's digest
 *
 * What is trusted comes from a file of the user (Sigstore's `trusted_root.json`), so that nothing is fetched
 * for it and an old copy is their own decision.
 *
 * @module
 */
import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";
import * as v from "valibot";
import { type ImageSignature, signedDigests } from "./signed-payload.ts";

/** Who must have signed. */
export interface KeylessRule {
  /** Subject of the certificate, in full: a URL or a mail address. */
  readonly identity: string;
  /** URL of who vouches for the identity. */
  readonly issuer: string;
  /** Path of the trusted root. */
  readonly trustedRoot: string;
}

/** A rule whose trusted root was read. */
export interface KeylessTrust {
  /** Another text for another rule or another root, 64 hex digits. */
  readonly fingerprint: string;
  /** Why the signature does not count; undefined if it does. */
  refusal(signature: ImageSignature, digest: string): string | undefined;
}

/** What cosign before version 3 keeps of Rekor's answer. */
const logEntry = v.object({
  SignedEntryTimestamp: v.string(),
  Payload: v.object({
    body: v.string(),
    integratedTime: v.number(),
    logIndex: v.number(),
    logID: v.pipe(v.string(), v.regex(/^[0-9a-f]{64}$/)),
  }),
});

/** With a signature over something else beside the envelope, it would be open which of them was checked. */
const envelopeBundle = v.looseObject({
  dsseEnvelope: v.looseObject({}),
  messageSignature: v.optional(v.never()),
});

/**
 * Reads the trusted root of a rule.
 *
 * @throws {Error} when it cannot be read or is none.
 */
export async function readTrust(rule: KeylessRule): Promise<KeylessTrust> {
  const { toSignedEntity, toTrustMaterial, Verifier } = await import("@sigstore/verify");
  const { bundleFromJSON } = await import("@sigstore/bundle");
  const { TrustedRoot } = await import("@sigstore/protobuf-specs");
  const text = await readFile(rule.trustedRoot, "utf8");
  const verifier = new Verifier(toTrustMaterial(TrustedRoot.fromJSON(JSON.parse(text))));
  const policy = {
    // The library takes it for a pattern that may match anywhere.
    subjectAlternativeName: `^${rule.identity.replace(/[^\w]/g, "\\$&")}$`,
    extensions: { issuer: rule.issuer },
  };
  const hash = createHash("sha256");
  for (const part of [rule.identity, rule.issuer, text]) hash.update(`${part.length}:${part}`);
  return {
    fingerprint: hash.digest("hex"),
    refusal: (signature, digest) => {
      const bundle = bundleOf(signature);
      if (bundle === undefined) return "a signature has no certificate or no entry of a log";
      const artifact = signature.kind === "simple" ? Buffer.from(signature.payload) : undefined;
      try {
        verifier.verify(toSignedEntity(bundleFromJSON(bundle), artifact), policy);
      } catch (error) {
        return reasonOf(error);
      }
      // Only now is what it says worth reading.
      return signedDigests(signature).includes(digest)
        ? undefined
        : "a signature of the right identity is for another image";
    },
  };
}

/** The signature as a bundle of Sigstore, JSON that is not checked yet. */
function bundleOf(signature: ImageSignature): unknown {
  if (signature.kind === "bundle") {
    const parsed = v.safeParse(v.pipe(v.string(), v.parseJson(), envelopeBundle), signature.bundle);
    return parsed.success ? parsed.output : undefined;
  }
  const { payload, certificate, log } = signature;
  const entry = v.safeParse(v.pipe(v.string(), v.parseJson(), logEntry), log);
  const der = /-----BEGIN CERTIFICATE-----([\sA-Za-z0-9+/=]+)-----END CERTIFICATE-----/
    .exec(certificate ?? "")?.[1]?.replace(/\s/g, "");
  if (!entry.success || der === undefined) return undefined;
  const { SignedEntryTimestamp, Payload } = entry.output;
  return {
    mediaType: "application/vnd.dev.sigstore.bundle+json;version=0.1",
    verificationMaterial: {
      x509CertificateChain: { certificates: [{ rawBytes: der }] },
      tlogEntries: [{
        logIndex: String(Payload.logIndex),
        logId: { keyId: Buffer.from(Payload.logID, "hex").toString("base64") },
        kindVersion: { kind: "hashedrekord", version: "0.0.1" },
        integratedTime: String(Payload.integratedTime),
        inclusionPromise: { signedEntryTimestamp: SignedEntryTimestamp },
        canonicalizedBody: Payload.body,
      }],
    },
    messageSignature: {
      messageDigest: {
        algorithm: "SHA2_256",
        digest: createHash("sha256").update(payload).digest("base64"),
      },
      signature: signature.signature,
    },
  };
}

const coded = v.object({ code: v.string() });

function reasonOf(error: unknown): string {
  const code = v.is(coded, error) ? error.code : "";
  if (code === "UNTRUSTED_SIGNER_ERROR") return "it is signed by another identity or issuer";
  if (code.startsWith("TLOG")) return "its entry in the log is not valid, or of another log";
  if (code === "TIMESTAMP_ERROR") return "nothing that is trusted says when it was signed";
  if (code === "CERTIFICATE_ERROR") return "its certificate is not of an authority that is trusted";
  return "its signature is not valid";
}
