import assert from "node:assert/strict";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { type KeylessRule, readTrust } from "../../runner/image/keyless.ts";
import type { ImageSignature } from "../../runner/image/signed-payload.ts";
import { openSigstore, type Signer, type TestSigstore } from "../support/sigstore.ts";

const ADA: Signer = {
  identity: "https://github.com/ada/notes/.github/workflows/release.yml@refs/tags/v1",
  issuer: "https://token.actions.githubusercontent.com",
};
const DIGEST = `sha256:${"a".repeat(64)}`;
const OTHER = `sha256:${"b".repeat(64)}`;

describe("signatures without a key of one's own", () => {
  let folder: string;
  let sigstore: TestSigstore;
  let rule: KeylessRule;

  before(async () => {
    folder = await mkdtemp(join(tmpdir(), "mcp-runner-keyless-"));
    sigstore = await openSigstore();
    const trustedRoot = join(folder, "trusted_root.json");
    await writeFile(trustedRoot, sigstore.trustedRoot);
    rule = { ...ADA, trustedRoot };
  });
  after(() => rm(folder, { recursive: true }));

  const payloadFor = (digest: string): Buffer =>
    Buffer.from(JSON.stringify({
      critical: {
        identity: { "docker-reference": "ghcr.io/ada/notes" },
        image: { "docker-manifest-digest": digest },
        type: "cosign container image signature",
      },
      optional: null,
    }));
  const simple = async (
    { by = ADA, digest = DIGEST, from = sigstore }: {
      readonly by?: Signer;
      readonly digest?: string;
      readonly from?: TestSigstore;
    } = {},
  ): Promise<Extract<ImageSignature, { kind: "simple" }>> => {
    const payload = payloadFor(digest);
    const annotations = await from.signPayload(payload, by);
    return {
      kind: "simple",
      payload,
      signature: annotations["dev.cosignproject.cosign/signature"] ?? "",
      certificate: annotations["dev.sigstore.cosign/certificate"],
      log: annotations["dev.sigstore.cosign/bundle"],
    };
  };
  const bundle = async (by: Signer = ADA, digest = DIGEST): Promise<ImageSignature> => ({
    kind: "bundle",
    bundle: await sigstore.signStatement({
      _type: "https://in-toto.io/Statement/v1",
      subject: [{ name: "ghcr.io/ada/notes", digest: { sha256: digest.slice(7) } }],
      predicateType: "https://sigstore.dev/cosign/sign/v1",
    }, by),
  });
  const refusal = async (signature: ImageSignature, of: KeylessRule = rule) =>
    (await readTrust(of)).refusal(signature, DIGEST);

  test("one of the rule's identity counts, in the form of cosign 2 and of cosign 3", async () => {
    assert.equal(await refusal(await simple()), undefined);
    assert.equal(await refusal(await bundle()), undefined);
  });

  const others: Array<[why: string, by: Signer]> = [
    ["of another identity", { ...ADA, identity: "https://github.com/eve/notes" }],
    ["whose identity only contains the rule's", { ...ADA, identity: `${ADA.identity}/../../eve` }],
    ["whose identity the rule's would match as a pattern", {
      ...ADA,
      identity: ADA.identity.replace("github.com", "githubXcom"),
    }],
    ["of another issuer", { ...ADA, issuer: "https://accounts.example.com" }],
  ];
  for (const [why, by] of others) {
    test(`one ${why} does not count`, async () => {
      assert.equal(
        await refusal(await simple({ by })),
        "it is signed by another identity or issuer",
      );
      assert.equal(await refusal(await bundle(by)), "it is signed by another identity or issuer");
    });
  }

  test("one for another image does not count", async () => {
    const told = "a signature of the right identity is for another image";
    assert.equal(await refusal(await simple({ digest: OTHER })), told);
    assert.equal(await refusal(await bundle(ADA, OTHER)), told);
  });

  test("one of another authority and log does not count", async () => {
    const elsewhere = await simple({ from: await openSigstore() });
    assert.match(await refusal(elsewhere) ?? "", /log|certificate|not valid/);
  });

  test("one whose payload, signature, certificate or log entry was changed does not count", async () => {
    const good = await simple();
    const other = await simple();
    const changed: ImageSignature[] = [
      { ...good, payload: Buffer.concat([payloadFor(DIGEST), Buffer.from(" ")]) },
      { ...good, signature: other.signature },
      { ...good, certificate: other.certificate },
      { ...good, log: other.log },
      {
        ...good,
        log: (good.log ?? "").replace(/"logIndex":(\d)/, (_, n) => `"logIndex":${9 - n}`),
      },
    ];
    for (const signature of changed) assert.ok(await refusal(signature) !== undefined);
  });

  test("one without certificate or log entry does not count, nor does a bundle that is none", async () => {
    const good = await simple();
    const told = "a signature has no certificate or no entry of a log";
    assert.equal(await refusal({ ...good, certificate: undefined }), told);
    assert.equal(await refusal({ ...good, log: "{}" }), told);
    assert.equal(await refusal({ kind: "bundle", bundle: "{" }), told);
    assert.equal(await refusal({ kind: "bundle", bundle: "{}" }), told);
  });

  test("a bundle with two things that may be signed does not count", async () => {
    const good = await bundle();
    assert.ok(good.kind === "bundle");
    const both = good.bundle.replace("{", '{"messageSignature":{"signature":"AAAA"},');
    assert.ok(await refusal({ kind: "bundle", bundle: both }) !== undefined);
  });

  test("a verdict is for this rule and this root alone", async () => {
    const prints = await Promise.all([
      readTrust(rule),
      readTrust({ ...rule, identity: "x" }),
      readTrust({ ...rule, issuer: "x" }),
    ]);
    assert.equal(new Set(prints.map(({ fingerprint }) => fingerprint)).size, 3);
  });

  test("a trusted root that is missing or none is told", async () => {
    await assert.rejects(readTrust({ ...rule, trustedRoot: join(folder, "none") }));
    const file = join(folder, "bad.json");
    await writeFile(file, "[");
    await assert.rejects(readTrust({ ...rule, trustedRoot: file }));
  });
});
