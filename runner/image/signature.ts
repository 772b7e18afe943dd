/**
 * Images that must be signed, by the rules of `images.signed`. Called by image.ts before an image is pinned
 * and before each start.
 *
 *     no rule matches          → not looked at
 *     found valid before       → fine, without a network (verdicts.ts)
 *     signature at registry    → checked with the rule's keys (signature-source.ts, signed-payload.ts)
 *     anything else            → image_untrusted: what cannot be checked does not start
 *
 * @module
 */
import { readFile } from "node:fs/promises";
import { GatewayError } from "../../src/errors.ts";
import { printable } from "../../src/log.ts";
import type { SignatureRule } from "../config/config.ts";
import { homeDirectory } from "../local/home.ts";
import { readTrust } from "./keyless.ts";
import type { ImageOptions } from "./ready-image.ts";
import { bareName, fullName, shortDigest } from "./reference.ts";
import { RegistryFailure } from "./registry-client.ts";
import { readSignatures } from "./signature-source.ts";
import {
  type ImageSignature,
  readKeys,
  type VerificationKey,
  verifySignature,
} from "./signed-payload.ts";
import { openVerdicts } from "./verdicts.ts";

/** An image that is about to start. */
export interface SignedImage {
  /** As in the configuration. */
  readonly reference: string;
  /** `sha256:…` of what will run. */
  readonly digest: string;
  /** Whether a registry knows it by this digest. */
  readonly isPublished: boolean;
}

/**
 * Resolves if the first rule that matches the image is met, or none matches.
 *
 * @throws {GatewayError} `image_untrusted` with the reason and what to do.
 */
export async function requireSignature(image: SignedImage, options: ImageOptions): Promise<void> {
  const rule = options.signed?.find(({ match }) => matchesImage(match, image.reference));
  if (rule === undefined) return;
  const refuse = (why: string, cause?: unknown) =>
    new GatewayError(
      "image_untrusted",
      `Cannot trust image "${image.reference}" (${
        shortDigest(image.digest)
      }), which images.signed ` +
        `"${printable(rule.match)}" asks to be signed: ${why}`,
      { cause },
    );
  const judge = await judgeOf(rule, refuse);
  if (!image.isPublished) {
    throw refuse("it is from no registry, push it to one and sign it there");
  }
  const verdicts = openVerdicts(options.stateDirectory ?? homeDirectory());
  if (await verdicts.has(image.digest, judge.fingerprints)) return;
  if (options.offline) {
    throw refuse("it was not verified before, and nothing is to be fetched, start it once online");
  }
  const signatures = await readSignatures(image).catch((error: unknown) => {
    if (!(error instanceof RegistryFailure)) throw error;
    throw refuse(
      `its registry does not tell (${
        printable(error.message)
      }) and it was not verified before, try again when the registry answers`,
      error,
    );
  });
  if (signatures.length === 0) {
    throw refuse(
      `it has no signature, sign it ("cosign sign --key <key> ${
        bareName(image.reference)
      }@${image.digest}") or change the rule`,
    );
  }
  const reasons: string[] = [];
  for (const signature of signatures) {
    const verdict = judge.verdict(signature, image.digest);
    if ("by" in verdict) return await verdicts.add(image.digest, verdict.by);
    reasons.push(verdict.refused);
  }
  throw refuse(
    `${
      [...new Set(reasons)].join("; ")
    }; use an image that is signed as the rule says, or correct the rule`,
  );
}

/** Whether a rule's pattern is for this image, in any of the ways in which its name can be written. */
export function matchesImage(pattern: string, reference: string): boolean {
  const source = pattern.replace(/\*+/g, "*").replace(/[^*?]/g, (c) => c.replace(/\W/, "\\$&"))
    .replaceAll("*", ".*").replaceAll("?", ".");
  // Hosts alone may have capitals, and those say nothing.
  const expression = new RegExp(`^${source}$`, "i");
  return [bareName(reference), ...namesOf(reference)].some((name) => expression.test(name));
}

/** Hosts at which Docker Hub answers. */
const HUB = /^(?:(?:index\.|registry-1\.)?docker\.io|registry\.hub\.docker\.com)\//;

/** Names that lead to the same repository. */
function namesOf(reference: string): string[] {
  const full = fullName(reference).toLowerCase().replace(/^([^/]+):443\//, "$1/");
  const short = full.replace(HUB, "");
  return short === full ? [full] : [`docker.io/${short}`, short, short.replace(/^library\//, "")];
}

/** Decides whether a signature is one that a rule asks for. */
interface Judge {
  /** Of all that it trusts: what one of them has found valid need not be looked at again. */
  readonly fingerprints: readonly string[];
  /** By whose trust it counts, or why it does not. */
  verdict(
    signature: ImageSignature,
    digest: string,
  ): { readonly by: string } | { readonly refused: string };
}

type Refuse = (why: string, cause?: unknown) => GatewayError;

async function judgeOf(rule: SignatureRule, refuse: Refuse): Promise<Judge> {
  if (rule.key !== undefined) {
    const keys = await keysOf(rule.key, refuse);
    return {
      fingerprints: keys.map(({ fingerprint }) => fingerprint),
      verdict: (signature, digest) => {
        const verdict = verifySignature(signature, digest, keys);
        return "key" in verdict ? { by: verdict.key.fingerprint } : verdict;
      },
    };
  }
  const { identity, issuer, trustedRoot } = rule;
  if (identity === undefined || issuer === undefined || trustedRoot === undefined) {
    throw refuse("the rule says not who signs, write key, or identity, issuer and trustedRoot");
  }
  const trust = await readTrust({ identity, issuer, trustedRoot }).catch((error: unknown) => {
    const { code } = error as NodeJS.ErrnoException;
    throw refuse(
      `the rule's trustedRoot cannot be used (${code ?? "it is no trusted root of Sigstore"})`,
      error,
    );
  });
  return {
    fingerprints: [trust.fingerprint],
    verdict: (signature, digest) => {
      const refused = trust.refusal(signature, digest);
      return refused === undefined ? { by: trust.fingerprint } : { refused };
    },
  };
}

async function keysOf(key: string, refuse: Refuse): Promise<readonly VerificationKey[]> {
  try {
    const keys = readKeys(await readFile(key, "utf8"));
    if (keys.length > 0) return keys;
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    throw refuse(`the rule's key cannot be read (${code ?? "it is no public key"})`, error);
  }
  throw refuse("the rule's key file holds no public key in PEM, correct it");
}
