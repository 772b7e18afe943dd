/**
 * A Sigstore of the test's own: an authority that gives certificates, and a log. Real cryptography over real
 * formats; only whom to trust is the test's.
 *
 * @module
 */
import {
  createHash,
  generateKeyPairSync,
  type KeyObject,
  type KeyPairKeyObjectResult,
  sign,
} from "node:crypto";
import { initializeCA, initializeTLog } from "@sigstore/mock";

/** Who signs. */
export interface Signer {
  readonly identity: string;
  readonly issuer: string;
}

/** An authority and a log. */
export interface TestSigstore {
  /** Text of its `trusted_root.json`. */
  readonly trustedRoot: string;
  /** What cosign before version 3 keeps beside a payload: annotations of a layer. */
  signPayload(payload: Buffer, by: Signer): Promise<Record<string, string>>;
  /** What cosign from version 3 keeps: the JSON text of a bundle around an in-toto statement. */
  signStatement(statement: object, by: Signer): Promise<string>;
}

/** OID of Fulcio's extension with the issuer's URL, in its older form. */
const ISSUER_OID = "1.3.6.1.4.1.57264.1.1";

/** Makes one. */
export async function openSigstore(): Promise<TestSigstore> {
  const keyPair = (namedCurve: string) => generateKeyPairSync("ec", { namedCurve });
  const ctLog = certificateLog(keyPair("prime256v1"));
  const authority = await initializeCA(keyPair("secp384r1"), ctLog);
  const log = await initializeTLog("https://log.example", keyPair("prime256v1"));

  const certified = async ({ identity, issuer }: Signer) => {
    const { publicKey, privateKey } = keyPair("prime256v1");
    const der = await authority.issueCertificate({
      publicKey: publicKey.export({ type: "spki", format: "der" }),
      subjectAltName: identity,
      extensions: [{ oid: ISSUER_OID, value: issuer, legacy: true }],
    });
    return { der, privateKey };
  };
  const pemOf = (der: Buffer): string =>
    `-----BEGIN CERTIFICATE-----\n${der.toString("base64")}\n-----END CERTIFICATE-----\n`;
  const logged = async (entry: object) => {
    const [found] = Object.values(await log.log(entry));
    const { verification } = found ?? {};
    if (found === undefined || verification === undefined) throw new Error("The log is silent");
    const body: unknown = found.body;
    return { ...found, body: String(body), verification };
  };

  return {
    trustedRoot: JSON.stringify({
      mediaType: "application/vnd.dev.sigstore.trustedroot+json;version=0.1",
      tlogs: [logOf("https://log.example", log.publicKey)],
      ctlogs: [logOf("https://ct.example", ctLog.publicKey)],
      certificateAuthorities: [{
        subject: { organization: "sigstore.mock", commonName: "sigstore" },
        uri: "https://ca.example",
        certChain: { certificates: [{ rawBytes: authority.rootCertificate.toString("base64") }] },
        validFor: { start: "2020-01-01T00:00:00Z" },
      }],
      timestampAuthorities: [],
    }),
    signPayload: async (payload, by) => {
      const { der, privateKey } = await certified(by);
      const signature = base64Signature(payload, privateKey);
      const { body, integratedTime, logIndex, logID, verification } = await logged({
        apiVersion: "0.0.1",
        kind: "hashedrekord",
        spec: {
          data: { hash: { algorithm: "sha256", value: sha256(payload).toString("hex") } },
          signature: {
            content: signature,
            publicKey: { content: Buffer.from(pemOf(der)).toString("base64") },
          },
        },
      });
      return {
        "dev.cosignproject.cosign/signature": signature,
        "dev.sigstore.cosign/certificate": pemOf(der),
        "dev.sigstore.cosign/bundle": JSON.stringify({
          SignedEntryTimestamp: verification.signedEntryTimestamp,
          Payload: { body, integratedTime, logIndex, logID },
        }),
      };
    },
    signStatement: async (statement, by) => {
      const { der, privateKey } = await certified(by);
      const payloadType = "application/vnd.in-toto+json";
      const payload = Buffer.from(JSON.stringify(statement));
      const head = Buffer.from(`DSSEv1 ${payloadType.length} ${payloadType} ${payload.length} `);
      const sig = base64Signature(Buffer.concat([head, payload]), privateKey);
      const envelope = {
        payload: payload.toString("base64"),
        payloadType,
        signatures: [{ sig, keyid: "" }],
      };
      const entry = await logged({
        apiVersion: "0.0.1",
        kind: "dsse",
        spec: {
          envelopeHash: {
            algorithm: "sha256",
            value: sha256(Buffer.from(JSON.stringify(envelope))).toString("hex"),
          },
          payloadHash: { algorithm: "sha256", value: sha256(payload).toString("hex") },
          signatures: [{ signature: sig, verifier: Buffer.from(pemOf(der)).toString("base64") }],
        },
      });
      const { inclusionProof, signedEntryTimestamp } = entry.verification;
      if (inclusionProof === undefined) throw new Error("The log has proved nothing");
      return JSON.stringify({
        mediaType: "application/vnd.dev.sigstore.bundle.v0.3+json",
        verificationMaterial: {
          certificate: { rawBytes: der.toString("base64") },
          tlogEntries: [{
            logIndex: String(entry.logIndex),
            logId: { keyId: Buffer.from(entry.logID, "hex").toString("base64") },
            kindVersion: { kind: "dsse", version: "0.0.1" },
            integratedTime: String(entry.integratedTime),
            inclusionPromise: { signedEntryTimestamp },
            inclusionProof: {
              logIndex: String(inclusionProof.logIndex),
              rootHash: Buffer.from(inclusionProof.rootHash, "hex").toString("base64"),
              treeSize: String(inclusionProof.treeSize),
              hashes: [],
              checkpoint: { envelope: inclusionProof.checkpoint },
            },
            canonicalizedBody: entry.body,
          }],
        },
        dsseEnvelope: envelope,
      });
    },
  };
}

/** A log of certificates (RFC 6962), whose every answer is a signed timestamp. */
function certificateLog({ publicKey, privateKey }: KeyPairKeyObjectResult) {
  const der = publicKey.export({ type: "spki", format: "der" });
  const logID = sha256(der);
  return {
    publicKey: der,
    logID,
    log: (certificate: ArrayBuffer, issuer: ArrayBuffer): Promise<ArrayBuffer> => {
      const timestamp = Buffer.alloc(8);
      timestamp.writeBigUInt64BE(BigInt(Date.now()));
      const toBeSigned = firstElement(Buffer.from(certificate));
      const length = Buffer.alloc(4);
      length.writeUInt32BE(toBeSigned.length);
      const signature = sign(
        "sha256",
        Buffer.concat([
          // Version 1, a certificate's timestamp, of a certificate before it has this.
          Buffer.from([0, 0]),
          timestamp,
          Buffer.from([0, 1]),
          Buffer.from(issuer),
          length.subarray(1),
          toBeSigned,
          Buffer.from([0, 0]),
        ]),
        privateKey,
      );
      const signed = Buffer.concat([
        Buffer.from([0]),
        logID,
        timestamp,
        // No extensions; SHA-256, ECDSA.
        Buffer.from([0, 0, 4, 3, 0, signature.length]),
        signature,
      ]);
      // The authority makes a list of it, in which each has its length before it.
      return Promise.resolve(Uint8Array.from([0, signed.length, ...signed]).buffer);
    },
  };
}

/** The first element of a DER sequence: of a certificate, what its authority signs. */
function firstElement(der: Buffer): Buffer {
  const header = (at: number): { readonly start: number; readonly end: number } => {
    const first = der[at + 1] ?? 0;
    const bytes = first < 0x80 ? 0 : first & 0x7f;
    const start = at + 2 + bytes;
    const length = bytes === 0 ? first : der.readUIntBE(at + 2, bytes);
    return { start, end: start + length };
  };
  const { start } = header(0);
  return der.subarray(start, header(start).end);
}

function logOf(baseUrl: string, publicKey: Buffer) {
  return {
    baseUrl,
    hashAlgorithm: "SHA2_256",
    publicKey: {
      rawBytes: publicKey.toString("base64"),
      keyDetails: "PKIX_ECDSA_P256_SHA_256",
      validFor: { start: "2020-01-01T00:00:00Z" },
    },
    logId: { keyId: sha256(publicKey).toString("base64") },
  };
}

function sha256(bytes: Uint8Array): Buffer {
  return createHash("sha256").update(bytes).digest();
}

function base64Signature(bytes: Uint8Array, key: KeyObject): string {
  return sign("sha256", bytes, key).toString("base64");
}
