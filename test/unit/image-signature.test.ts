import assert from "node:assert/strict";
import { generateKeyPairSync, type KeyObject, sign } from "node:crypto";
import { test } from "node:test";
import { readKeys, verifySignature } from "../../runner/image/signed-payload.ts";
import { matchesImage } from "../../runner/image/signature.ts";

const DIGEST = `sha256:${"1".repeat(64)}`;

const payloadOf = (digest: string, type = "cosign container image signature") =>
  Buffer.from(JSON.stringify({ critical: { type, image: { "docker-manifest-digest": digest } } }));

const pemOf = (key: KeyObject) => key.export({ type: "spki", format: "pem" }).toString();

const simple = (payload: Buffer, hash: string | null, key: KeyObject) => ({
  kind: "simple" as const,
  payload,
  signature: sign(hash, payload, key).toString("base64"),
});

const ec = generateKeyPairSync("ec", { namedCurve: "P-256" });

const kinds: [
  name: string,
  hash: string | null,
  pair: { publicKey: KeyObject; privateKey: KeyObject },
][] = [
  ["ECDSA P-256", "sha256", ec],
  ["ECDSA P-384", "sha384", generateKeyPairSync("ec", { namedCurve: "P-384" })],
  ["RSA", "sha256", generateKeyPairSync("rsa", { modulusLength: 2048 })],
  ["Ed25519", null, generateKeyPairSync("ed25519")],
];
for (const [name, hash, { publicKey, privateKey }] of kinds) {
  test(`verifySignature() accepts a signature by ${name} and none of what was changed`, () => {
    const keys = readKeys(pemOf(publicKey));
    const signature = simple(payloadOf(DIGEST), hash, privateKey);
    assert.deepEqual(verifySignature(signature, DIGEST, keys), { key: keys[0] });
    const changed = { ...signature, payload: Buffer.concat([signature.payload, Buffer.from(" ")]) };
    assert.deepEqual(verifySignature(changed, DIGEST, keys), {
      refused: "it is signed by another key, or was changed",
    });
  });
}

test("verifySignature() accepts each key of a file that holds several", () => {
  const other = generateKeyPairSync("ed25519");
  const keys = readKeys(`${pemOf(ec.publicKey)}\n# new\n${pemOf(other.publicKey)}`);
  assert.equal(keys.length, 2);
  const byOther = simple(payloadOf(DIGEST), null, other.privateKey);
  assert.deepEqual(verifySignature(byOther, DIGEST, keys), { key: keys[1] });
});

const keys = readKeys(pemOf(ec.publicKey));
const refusals: [why: string, payload: Buffer, told: RegExp][] = [
  ["of another image", payloadOf(`sha256:${"2".repeat(64)}`), /is for another image/],
  ["of something that is no image", payloadOf(DIGEST, "something else"), /is for another image/],
  ["of what is not JSON", Buffer.from(DIGEST), /is for another image/],
];
for (const [why, payload, told] of refusals) {
  test(`verifySignature() refuses a signature of the right key ${why}`, () => {
    const verdict = verifySignature(simple(payload, "sha256", ec.privateKey), DIGEST, keys);
    assert.match("refused" in verdict ? verdict.refused : "", told);
  });
}

for (const bundle of ["", "[]", '{"dsseEnvelope":{}}', '{"dsseEnvelope":{"payload":1}}']) {
  test(`verifySignature() refuses the bundle ${JSON.stringify(bundle)}`, () => {
    assert.deepEqual(verifySignature({ kind: "bundle", bundle }, DIGEST, keys), {
      refused: "a signature makes no sense",
    });
  });
}

test("a signature that is no signature is refused like one of another key", () => {
  for (const signature of ["", "AA==", "not base64", "=".repeat(1000)]) {
    const verdict = verifySignature(
      { kind: "simple", payload: payloadOf(DIGEST), signature },
      DIGEST,
      keys,
    );
    assert.ok("refused" in verdict);
  }
});

test("readKeys() finds no key in a private key, and fails on what is none", () => {
  assert.deepEqual(readKeys(ec.privateKey.export({ type: "pkcs8", format: "pem" }).toString()), []);
  assert.throws(() => readKeys("-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----"));
});

const patterns: [pattern: string, reference: string, matches: boolean][] = [
  ["ghcr.io/ada/*", "ghcr.io/ada/notes:1", true],
  ["ghcr.io/ada/*", "ghcr.io/ada/notes@sha256:" + "0".repeat(64), true],
  ["ghcr.io/ada/*", "ghcr.io/adam/notes", false],
  ["ghcr.io/ada/*", "evil.example/ghcr.io/ada/notes", false],
  ["mcp/*", "mcp/time", true],
  // However an image is written, it is the same image, and the rule must not be dodged.
  ["mcp/*", "docker.io/mcp/time", true],
  ["mcp/*", "index.docker.io/mcp/time", true],
  ["mcp/*", "Docker.io/mcp/time", true],
  ["mcp/*", "registry-1.docker.io/mcp/time", true],
  ["mcp/*", "registry.hub.docker.com/mcp/time", true],
  ["mcp/*", "evil.example/mcp/time", false],
  ["notes", "docker.io/library/notes", true],
  ["library/notes", "notes", true],
  ["ghcr.io/ada/*", "GHCR.io/ada/notes", true],
  ["ghcr.io/ada/*", "ghcr.io:443/ada/notes", true],
  ["GHCR.io/ada/*", "ghcr.io/ada/notes", true],
  ["docker.io/mcp/*", "mcp/time:latest", true],
  ["docker.io/library/notes", "notes", true],
  ["*", "localhost:5000/a", true],
  ["localhost:5000/?", "localhost:5000/a:1", true],
  ["ghcr.io/ada/*", "ghcrxio/ada/notes", false],
];
for (const [pattern, reference, matches] of patterns) {
  test(`matchesImage() of ${pattern} and ${reference} is ${matches}`, () => {
    assert.equal(matchesImage(pattern, reference), matches);
  });
}
