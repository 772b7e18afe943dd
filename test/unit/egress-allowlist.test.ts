import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { authorityOf, createAllowlist, hostOf } from "../../runner/egress-proxy/allowlist.ts";

const allowlist = createAllowlist([
  { host: "api.example.com", port: 443 },
  { host: "*.wild.example", port: 443 },
  { host: "db.example", port: 5432 },
  { host: "10.1.2.3", port: 5432 },
  { host: "2001:db8::1", port: 8443 },
  { host: "mail.example", port: 25 },
]);

const questions: [host: string, port: number, allowed: boolean][] = [
  ["api.example.com", 443, true],
  ["API.Example.COM.", 443, true],
  ["api.example.com", 80, false],
  ["example.com", 443, false],
  ["x.api.example.com", 443, false],
  ["api.example.com.evil.test", 443, false],
  ["evilapi.example.com", 443, false],
  ["a.wild.example", 443, true],
  ["a.b.wild.example", 443, true],
  ["wild.example", 443, false],
  ["awild.example", 443, false],
  ["10.1.2.3", 5432, true],
  ["::ffff:10.1.2.3", 5432, false],
  ["[2001:DB8:0::1]", 8443, true],
  ["1.1.1.1", 443, false],
];
for (const [text, port, allowed] of questions) {
  test(`${text}:${port} is ${allowed ? "allowed" : "not allowed"}`, () => {
    const host = hostOf(text);
    assert.ok(host !== undefined);
    assert.equal(allowlist.allows(host, port), allowed);
  });
}

const noHosts = [
  "",
  ".",
  "a..b",
  "a b",
  "a/b",
  "a\0b",
  "a\nb",
  "-a.example",
  "a.example-",
  "0x7f.1",
  "127.1",
  "2130706433",
  "017.0.0.1",
  "münchen.example",
  "api.example.com\0.evil.test",
  "*.wild.example",
  "*",
  "a".repeat(64),
  `${"a.".repeat(127)}aa`,
];
for (const text of noHosts) {
  test(`${JSON.stringify(text.slice(0, 40))} is no host`, () => {
    assert.equal(hostOf(text), undefined);
  });
}

test("a star allows every name and address on its port, and knows every name", () => {
  const all = createAllowlist([{ host: "*", port: 443 }]);
  assert.equal(all.allows("any.example", 443), true);
  assert.equal(all.allows("1.1.1.1", 443), true);
  assert.equal(all.allows("any.example", 80), false);
  assert.equal(all.knows("any.example"), true);
  assert.equal(all.knows("1.1.1.1"), false);
  assert.equal(all.onlyHost(443), undefined);
});

test("a connection that names no host is for the only exact target of its port", () => {
  assert.equal(allowlist.onlyHost(25), "mail.example");
  assert.equal(allowlist.onlyHost(5432), undefined, "two targets");
  assert.equal(allowlist.onlyHost(443), undefined, "a wildcard");
  assert.equal(allowlist.onlyHost(26), undefined, "no target");
});

test("authorityOf() reads host and port as RFC 9110 writes them", () => {
  assert.deepEqual(authorityOf("a.example:80"), { host: "a.example", port: 80 });
  assert.deepEqual(authorityOf("A.example"), { host: "a.example", port: undefined });
  assert.deepEqual(authorityOf("[::1]:80"), { host: "0:0:0:0:0:0:0:1", port: 80 });
  for (
    const text of ["", ":80", "a:99999", "u@a:80", "a:80:80", "::1", "[::1", "a:8 0", "a/b:80"]
  ) {
    assert.equal(authorityOf(text), undefined, text);
  }
});

test("whatever is asked, only names of the list are allowed", () => {
  const hosts = fc.oneof(fc.string(), fc.domain(), fc.ipV4(), fc.ipV6());
  fc.assert(
    fc.property(hosts, fc.constantFrom(443, 5432), (text, port) => {
      const host = hostOf(text);
      if (host === undefined || !allowlist.allows(host, port)) return;
      assert.match(
        `${host}:${port}`,
        /^(api\.example\.com|.+\.wild\.example):443$|^(db\.example|10\.1\.2\.3):5432$/,
      );
    }),
    { numRuns: 1_000 },
  );
});
