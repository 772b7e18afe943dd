import assert from "node:assert/strict";
import { test } from "node:test";
import { createAllowlist } from "../../runner/egress-proxy/allowlist.ts";
import { createDialler } from "../../runner/egress-proxy/dial.ts";
import { judge } from "../../runner/egress-proxy/opening.ts";

const targets = [
  { host: "*", port: 443 },
  { host: "10.1.2.3", port: 443 },
  { host: "nas.home", port: 443 },
  { host: "trap.home", port: 443 },
];
const extraHosts = [
  { host: "nas.home", address: "192.168.1.5" },
  { host: "trap.home", address: "127.0.0.1" },
];
const machine = ["93.184.215.99", "2606:4700::99"];
const settings = { address: "172.18.0.2", proxyPort: 3128, targets, extraHosts, machine };

/** What `find` gives for a name with these addresses, or why it refuses. */
async function found(host: string, ...addresses: string[]): Promise<readonly string[] | string> {
  const dialler = createDialler(settings, createAllowlist(targets), async () => addresses);
  try {
    return await dialler.find(host, 443);
  } catch (error) {
    return error instanceof Error ? `${error.name}: ${error.message}` : "";
  }
}

const refused: [address: string, why: string][] = [
  ["10.0.0.1", "leads to an address that is not public (private)"],
  ["172.18.0.2", "leads to an address that is not public (private)"],
  ["192.168.1.5", "leads to an address that is not public (private)"],
  ["100.64.0.1", "leads to an address that is not public (private)"],
  ["127.0.0.1", "leads to an address that is not public (loopback)"],
  ["0.0.0.0", "leads to an address that is not public (unspecified)"],
  ["169.254.1.1", "leads to an address that is not public (link-local)"],
  ["169.254.169.254", "leads to an address that is not public (metadata)"],
  ["224.0.0.1", "leads to an address that is not public (multicast)"],
  ["255.255.255.255", "leads to an address that is not public (reserved)"],
  ["::ffff:1.1.1.1", "leads to an address that is not public (embedded)"],
  ["64:ff9b::1.1.1.1", "leads to an address that is not public (embedded)"],
  ["93.184.215.99", "leads to an address of this machine"],
  ["not an address", "leads to an address that is not public (no IP address)"],
];
for (const [address, why] of refused) {
  test(`a name that DNS leads to ${address} is refused`, async () => {
    assert.equal(await found("any.example", address), `Blocked: ${why}`);
  });
}

test("of several addresses only the public ones are dialled, and not more than four", async () => {
  const many = ["10.0.0.1", "1.0.0.1", "127.0.0.1", "1.0.0.2", "1.0.0.3", "1.0.0.4", "1.0.0.5"];
  assert.deepEqual(await found("any.example", ...many), [
    "1.0.0.1",
    "1.0.0.2",
    "1.0.0.3",
    "1.0.0.4",
  ]);
  assert.equal(await found("any.example"), "Blocked: has no address");
});

test("an address that the config names is dialled, whatever it is", async () => {
  assert.deepEqual(await found("10.1.2.3"), ["10.1.2.3"]);
  assert.deepEqual(await found("any.example", "10.1.2.3"), ["10.1.2.3"]);
  assert.deepEqual(await found("nas.home", "6.6.6.6"), ["192.168.1.5"], "DNS is not asked");
});

test("not even the config leads to the proxy itself", async () => {
  assert.equal(
    await found("trap.home"),
    "Blocked: leads to an address that is not public (loopback)",
  );
});

const openings: [text: string, kind: string | undefined][] = [
  ["", undefined],
  ["GET / HTTP/1.1\r\n", "http"],
  ["GE", undefined],
  ["PROPFIND /x", "http"],
  ["GETS /", "other"],
  ["get / HTTP/1.1", "other"],
  ["SSH-2.0-x\r\n", "other"],
  ["PRI * HTTP/2.0\r\n", "other"],
  ["\x16\x03\x01", undefined],
  ["\x16\x02", "invalid"],
];
for (const [text, kind] of openings) {
  test(`an opening of ${JSON.stringify(text)} is ${kind ?? "not known yet"}`, () => {
    assert.equal(judge(Uint8Array.from(text, (c) => c.charCodeAt(0)))?.kind, kind);
  });
}
