import assert from "node:assert/strict";
import { isIP } from "node:net";
import { test } from "node:test";
import fc from "fast-check";
import {
  type AddressClass,
  canonicalAddress,
  classOf,
  isPublicAddress,
} from "../../src/net/address-class.ts";

const addresses: [is: AddressClass, ...texts: string[]][] = [
  ["public", "1.1.1.1", "9.255.255.255", "11.0.0.0", "93.184.215.14", "223.255.255.255"],
  ["public", "100.63.255.255", "100.128.0.0", "172.15.255.255", "172.32.0.0", "192.167.255.255"],
  ["public", "169.253.255.255", "198.17.255.255", "198.20.0.0", "191.255.255.255"],
  ["public", "2606:4700:4700::1111", "2a00:1450:4001:81b::200e", "2001:4860:4860::8888"],
  ["loopback", "127.0.0.1", "127.255.255.254", "::1", "0:0:0:0:0:0:0:1"],
  ["private", "10.0.0.1", "172.16.0.1", "172.31.255.255", "192.168.1.1", "100.64.0.1"],
  ["private", "100.127.255.255", "fc00::1", "fdff::1", "fec0::1"],
  ["link-local", "169.254.0.1", "169.254.255.255", "fe80::1", "fe80::1%eth0", "febf::1"],
  ["metadata", "169.254.169.254", "169.254.170.2", "100.100.100.200", "168.63.129.16"],
  ["metadata", "fd00:ec2::254", "192.0.0.192", "169.254.170.23", "fd00:ec2::23", "169.254.0.23"],
  ["multicast", "224.0.0.1", "239.255.255.255", "ff02::1"],
  ["unspecified", "0.0.0.0", "0.1.2.3", "::", "0:0:0:0:0:0:0:0"],
  [
    "embedded",
    "::ffff:10.0.0.1",
    "::ffff:1.1.1.1",
    "::FFFF:7f00:1",
    "::127.0.0.1",
    "::ffff:0:a00:1",
  ],
  ["embedded", "64:ff9b::169.254.169.254", "64:ff9b:1::1", "2002:7f00:1::", "2001:0:1:2::3"],
  ["reserved", "192.0.2.1", "198.18.0.1", "198.19.255.255", "198.51.100.1", "203.0.113.1"],
  ["reserved", "192.0.0.1", "192.88.99.1", "240.0.0.1", "255.255.255.255"],
  ["reserved", "2001:db8::1", "2001:2::1", "3fff::1", "100::1", "4000::1", "5f00::1", "fe00::1"],
];
for (const [is, ...texts] of addresses) {
  test(`${texts.join(", ")}: ${is}`, () => {
    for (const text of texts) {
      assert.equal(classOf(text), is, text);
      assert.equal(isPublicAddress(text), is === "public", text);
    }
  });
}

const noAddresses = [
  "",
  "example.com",
  "1.1.1",
  "1.1.1.1.",
  "1.1.1.256",
  "01.1.1.1",
  "0x7f.0.0.1",
  "127.1",
  "2130706433",
  "1.1.1.1 ",
  "[::1]",
  ":::",
  "1::2::3",
  "1:2:3:4:5:6:7",
  "1:2:3:4:5:6:7:8:9",
  "1:2:3:4:5:6:7::8:9",
  "::1.2.3",
  "1.2.3.4::",
  "::1.2.3.4:5",
  "12345::",
  ":1:2:3:4:5:6:7",
  "fe80::1%",
];
for (const text of noAddresses) {
  test(`${JSON.stringify(text)} is no address, and so not a public one`, () => {
    assert.equal(classOf(text), undefined);
    assert.equal(isPublicAddress(text), false);
    assert.equal(canonicalAddress(text), undefined);
  });
}

test("classOf() knows an address from other text as Node does", () => {
  const texts = fc.oneof(
    fc.ipV4(),
    fc.ipV6(),
    fc.ipV4Extended(),
    fc.stringMatching(/^[0-9a-f:.]{0,24}$/),
    fc.string(),
  );
  fc.assert(fc.property(texts, (text) => {
    fc.pre(!text.includes("%"));
    assert.equal(classOf(text) !== undefined, isIP(text) !== 0, text);
  }));
});

test("an IPv4 address inside an IPv6 one is never public", () => {
  const prefixes = ["::ffff:", "::", "64:ff9b::", "::ffff:0:"];
  fc.assert(fc.property(fc.ipV4(), fc.constantFrom(...prefixes), (ipv4, prefix) => {
    assert.equal(isPublicAddress(`${prefix}${ipv4}`), false);
  }));
});

test("canonicalAddress() gives all spellings of an address one form", () => {
  assert.equal(canonicalAddress("2001:DB8::1"), canonicalAddress("2001:0db8:0:0:0:0:0:1"));
  assert.equal(canonicalAddress("::ffff:1.2.3.4"), canonicalAddress("::ffff:102:304"));
  assert.notEqual(canonicalAddress("::1"), canonicalAddress("::2"));
});
