import assert from "node:assert/strict";
import { generateKeyPairSync, type KeyObject, sign } from "node:crypto";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import type { SignatureRule } from "../../runner/config/config.ts";
import { ensureImage } from "../../runner/image/image.ts";
import type { ImageLock } from "../../runner/image/lock.ts";
import { useEngine } from "../support/engine.ts";
import { openTestRegistry, type TestRegistry } from "../support/registry.ts";
import { openSigstore } from "../support/sigstore.ts";

const { docker, skip } = await useEngine();

const folder = await mkdtemp(join(tmpdir(), "mcp-runner-signature-test-"));
after(() => rm(folder, { recursive: true }));
let files = 0;

/** A key pair whose public half is in a file. */
async function makeKey(): Promise<{ file: string; key: KeyObject }> {
  const { publicKey, privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  const file = join(folder, `${++files}.pub`);
  await writeFile(file, publicKey.export({ type: "spki", format: "pem" }));
  return { file, key: privateKey };
}

/** Pushes what `cosign sign --key` of version 2 pushes. */
function signSimple(registry: TestRegistry, digest: string, key: KeyObject, said = digest): void {
  const payload = simplePayload(registry, said);
  putSimple(registry, digest, payload, {
    "dev.cosignproject.cosign/signature": sign("sha256", payload, key).toString("base64"),
  });
}

/** What version 2 signs. */
function simplePayload(registry: TestRegistry, said: string): Buffer {
  return Buffer.from(JSON.stringify({
    critical: {
      identity: { "docker-reference": `${registry.host}/ada/notes` },
      image: { "docker-manifest-digest": said },
      type: "cosign container image signature",
    },
    optional: null,
  }));
}

/** Pushes a signed payload as version 2 does. */
function putSimple(
  registry: TestRegistry,
  digest: string,
  payload: Buffer,
  annotations: Readonly<Record<string, string>>,
): void {
  const config = Buffer.from("{}");
  registry.putManifest("ada/notes", `${digest.replace(":", "-")}.sig`, {
    schemaVersion: 2,
    mediaType: "application/vnd.oci.image.manifest.v1+json",
    config: {
      mediaType: "application/vnd.oci.image.config.v1+json",
      size: config.length,
      digest: registry.putBlob(config),
    },
    layers: [{
      mediaType: "application/vnd.dev.cosign.simplesigning.v1+json",
      size: payload.length,
      digest: registry.putBlob(payload),
      annotations,
    }],
  });
}

/** Pushes what `cosign sign --key` of version 3 pushes to a registry without referrers. */
function signBundle(
  registry: TestRegistry,
  digest: string,
  key: KeyObject,
  predicate = "sign",
): void {
  const type = "application/vnd.in-toto+json";
  const body = Buffer.from(JSON.stringify({
    _type: "https://in-toto.io/Statement/v1",
    subject: [{ digest: { sha256: digest.slice("sha256:".length) } }],
    predicateType: `https://sigstore.dev/cosign/${predicate}/v1`,
  }));
  const head = Buffer.from(`DSSEv1 ${type.length} ${type} ${body.length} `);
  const sig = sign("sha256", Buffer.concat([head, body]), key).toString("base64");
  const mediaType = "application/vnd.dev.sigstore.bundle.v0.3+json";
  const bundle = Buffer.from(JSON.stringify({
    mediaType,
    dsseEnvelope: {
      payload: body.toString("base64"),
      payloadType: type,
      signatures: [{ sig }],
    },
  }));
  const manifest = registry.putManifest("ada/notes", undefined, {
    schemaVersion: 2,
    mediaType: "application/vnd.oci.image.manifest.v1+json",
    artifactType: mediaType,
    layers: [{ mediaType, size: bundle.length, digest: registry.putBlob(bundle) }],
  });
  registry.putManifest("ada/notes", digest.replace(":", "-"), {
    schemaVersion: 2,
    mediaType: "application/vnd.oci.image.index.v1+json",
    manifests: [{ artifactType: mediaType, digest: manifest, size: 1 }],
  });
}

/** An image in a registry of its own, whose rule asks for the signature of `key`. */
interface Fixture {
  readonly registry: TestRegistry;
  readonly digest: string;
  readonly key: KeyObject;
  readonly rule: SignatureRule;
  /** Whether the lock has the image. */
  readonly pins: Map<string, unknown>;
  ensure(rule?: SignatureRule): ReturnType<typeof ensureImage>;
}

const story = (name: string, run: (fixture: Fixture) => Promise<void>) =>
  void test(name, { skip, timeout: 60_000 }, async () => {
    const registry = await openTestRegistry();
    const architecture = docker.engine.arch;
    const digest = await registry.putImage("ada/notes", "1", { architecture, mark: name });
    const { file, key } = await makeKey();
    const rule = { match: `${registry.host}/ada/*`, key: file };
    const reference = `${registry.host}/ada/notes:1`;
    const stateDirectory = await mkdtemp(join(folder, "state-"));
    const pins = new Map<string, unknown>();
    const lock: ImageLock = {
      get: () => undefined,
      set: async (name, pin) => void pins.set(name, pin),
    };
    try {
      await run({
        registry,
        digest,
        key,
        rule,
        pins,
        ensure: (changed = rule) => {
          const options = { signed: [changed], stateDirectory, lock, server: "notes" };
          return ensureImage(docker.engine, { kind: "image", reference }, () => {}, options);
        },
      });
    } finally {
      await docker.engine.docker.getImage(reference).remove({ force: true });
    }
  });

const untrusted = (message: RegExp) => ({ name: "GatewayError", code: "image_untrusted", message });

for (const [version, push] of [["2", signSimple], ["3", signBundle]] as const) {
  story(`an image signed by the rule's key, as cosign ${version} does, starts`, async (notes) => {
    push(notes.registry, notes.digest, notes.key);
    assert.equal((await notes.ensure()).digest, notes.digest);
    assert.equal(notes.pins.size, 1);
  });
}

story(
  "a verified image starts again without its registry, until the rule's key is another",
  async (notes) => {
    signSimple(notes.registry, notes.digest, notes.key);
    const first = await notes.ensure();
    notes.registry.close();
    assert.deepEqual(await notes.ensure(), first);
    const other = await makeKey();
    await assert.rejects(
      notes.ensure({ ...notes.rule, key: other.file }),
      untrusted(/its registry does not tell \(ECONNREFUSED\) and it was not verified before/),
    );
  },
);

story("an image without a signature is refused, and not pinned", async (notes) => {
  await assert.rejects(notes.ensure(), (error: Error) => {
    assert.equal(
      error.message,
      `Cannot trust image "${notes.registry.host}/ada/notes:1" (${
        notes.digest.slice(7, 19)
      }), which images.signed "${notes.rule.match}" asks to be signed: it has no signature, sign it ` +
        `("cosign sign --key <key> ${notes.registry.host}/ada/notes@${notes.digest}") or change the rule`,
    );
    return Reflect.get(error, "code") === "image_untrusted";
  });
  assert.equal(notes.pins.size, 0);
});

story("an image that nobody can ask about is refused", async (notes) => {
  signSimple(notes.registry, notes.digest, notes.key);
  const pulled = await notes.ensure({ match: "nobody/*", key: notes.rule.key });
  assert.equal(pulled.digest, notes.digest);
  notes.registry.instead = (_request, response) => void response.writeHead(503).end();
  await assert.rejects(notes.ensure(), untrusted(/its registry does not tell \(HTTP 503\)/));
});

story("a signature of another key is refused", async (notes) => {
  const other = await makeKey();
  signSimple(notes.registry, notes.digest, other.key);
  await assert.rejects(notes.ensure(), untrusted(/it is signed by another key, or was changed/));
});

story("a signature of the right key for another image is refused", async (notes) => {
  signSimple(notes.registry, notes.digest, notes.key, `sha256:${"0".repeat(64)}`);
  await assert.rejects(
    notes.ensure(),
    untrusted(/a signature of the right key is for another image/),
  );
});

story(
  "a statement of the right key that is no signature of the image is refused",
  async (notes) => {
    signBundle(notes.registry, notes.digest, notes.key, "attestation/vuln");
    await assert.rejects(notes.ensure(), { code: "image_untrusted" });
  },
);

story("a payload that is not what its digest says is refused", async (notes) => {
  signSimple(notes.registry, notes.digest, notes.key);
  await notes.ensure({ match: "nobody/*", key: notes.rule.key });
  const { registry } = notes;
  registry.instead = (request, response) => {
    if (request.url?.includes("/blobs/")) response.end("{}");
    else registry.pass(request, response);
  };
  await assert.rejects(notes.ensure(), untrusted(/it has no signature/));
});

story("a registry with tokens is asked with one, and only there", async (notes) => {
  signSimple(notes.registry, notes.digest, notes.key);
  await notes.ensure({ match: "nobody/*", key: notes.rule.key });
  const { registry } = notes;
  const tokens: string[] = [];
  registry.instead = (request, response) => {
    const url = new URL(request.url ?? "", `http://${registry.host}`);
    if (url.pathname === "/token") {
      tokens.push(url.search);
      return void response.end('{"token":"abc"}');
    }
    if (request.headers.authorization !== "Bearer abc") {
      const realm = `Bearer realm="http://${registry.host}/token",service="test"`;
      response.writeHead(401, { "www-authenticate": realm });
      return void response.end();
    }
    registry.pass(request, response);
  };
  await notes.ensure();
  assert.deepEqual(tokens, ["?service=test&scope=repository%3Aada%2Fnotes%3Apull"]);
});

story(
  "a rule by identity lets through what that identity has signed, and nothing else",
  async (notes) => {
    const sigstore = await openSigstore();
    const trustedRoot = join(folder, "trusted_root.json");
    await writeFile(trustedRoot, sigstore.trustedRoot);
    const ada = { identity: "https://example.com/ada", issuer: "https://issuer.example.com" };
    const rule = { match: notes.rule.match, ...ada, trustedRoot };
    await assert.rejects(notes.ensure(rule), untrusted(/it has no signature/));

    const payload = simplePayload(notes.registry, notes.digest);
    const eve = await sigstore.signPayload(payload, {
      ...ada,
      identity: "https://example.com/eve",
    });
    putSimple(notes.registry, notes.digest, payload, eve);
    await assert.rejects(
      notes.ensure(rule),
      untrusted(/it is signed by another identity or issuer/),
    );

    putSimple(notes.registry, notes.digest, payload, await sigstore.signPayload(payload, ada));
    await notes.ensure(rule);
  },
);

story("a rule by identity whose trusted root is missing refuses its images", async (notes) => {
  const rule = {
    match: notes.rule.match,
    identity: "ada@example.com",
    issuer: "https://example.com",
    trustedRoot: join(folder, "none.json"),
  };
  await assert.rejects(
    notes.ensure(rule),
    untrusted(/the rule's trustedRoot cannot be used \(ENOENT\)/),
  );
});

story("a rule whose key is missing or no key refuses its images", async (notes) => {
  const none = { ...notes.rule, key: join(folder, "none.pub") };
  await assert.rejects(notes.ensure(none), untrusted(/the rule's key cannot be read \(ENOENT\)/));
  const empty = join(folder, "empty.pub");
  await writeFile(empty, "");
  await assert.rejects(
    notes.ensure({ ...notes.rule, key: empty }),
    untrusted(/holds no public key in PEM/),
  );
});
