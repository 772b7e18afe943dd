import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { readPasted } from "../../runner/upstream/oauth/callback.ts";
import { bearerChallenge } from "../../runner/upstream/oauth/challenge.ts";
import { proxyOf } from "../../runner/upstream/proxy.ts";

const METADATA = "https://mcp.example.com/.well-known/oauth-protected-resource";

const CHALLENGES: readonly (readonly [why: string, header: string, read: object | undefined])[] = [
  ["no header", "", undefined],
  ["another scheme", 'Basic realm="a"', undefined],
  ["a bare one", "Bearer", { resourceMetadata: undefined, scopes: undefined, error: undefined }],
  [
    "all that is read, over several lines",
    `Bearer error="insufficient_scope",\r\n  scope="a b",resource_metadata="${METADATA}"`,
    { resourceMetadata: METADATA, scopes: ["a", "b"], error: "insufficient_scope" },
  ],
  [
    "one behind another scheme with a token of its own",
    `Negotiate abc==, bearer resource_metadata = "${METADATA}", Basic realm="x", scope="z"`,
    { resourceMetadata: METADATA, scopes: undefined, error: undefined },
  ],
  [
    "a name within a quoted text",
    'Basic realm="Bearer scope=\\"x\\"", Bearer scope=y',
    { resourceMetadata: undefined, scopes: ["y"], error: undefined },
  ],
  [
    "scopes that are none",
    'Bearer scope="ok \u0007 a\\"b ok"',
    { resourceMetadata: undefined, scopes: ["ok"], error: undefined },
  ],
];

for (const [why, header, read] of CHALLENGES) {
  test(`bearerChallenge() reads ${why}`, () => assert.deepEqual(bearerChallenge(header), read));
}

test("bearerChallenge() reads any text without throwing", () => {
  fc.assert(fc.property(fc.string({ unit: "binary" }), (text) => {
    bearerChallenge(text);
    bearerChallenge(`Bearer ${text}`);
  }));
});

test("readPasted() takes the address of this login alone", () => {
  const redirect = "http://127.0.0.1:3000/callback";
  assert.equal(readPasted(` ${redirect}?code=a&state=b \n`, redirect)?.get("code"), "a");
  for (const text of ["", "code", "http://127.0.0.1:3001/callback?code=a", "https://x/callback"]) {
    assert.equal(readPasted(text, redirect), undefined);
  }
});

const HTTPS = "https://mcp.example.com/mcp";

const PROXIES: readonly (readonly [url: string, env: object, proxy: string | undefined])[] = [
  [HTTPS, {}, undefined],
  [HTTPS, { HTTPS_PROXY: "" }, undefined],
  [HTTPS, { HTTPS_PROXY: "http://proxy:3128" }, "http://proxy:3128"],
  [HTTPS, { https_proxy: "http://a:1", HTTPS_PROXY: "http://b:2" }, "http://a:1"],
  [HTTPS, { HTTPS_PROXY: "proxy:3128" }, "http://proxy:3128"],
  [HTTPS, { HTTPS_PROXY: "socks5://proxy:1080" }, undefined],
  [HTTPS, { HTTP_PROXY: "http://proxy:3128" }, undefined],
  ["http://127.0.0.1/mcp", { HTTPS_PROXY: "http://proxy:3128" }, undefined],
  [HTTPS, { HTTPS_PROXY: "http://p", NO_PROXY: "*" }, undefined],
  [HTTPS, { HTTPS_PROXY: "http://p", NO_PROXY: "a, EXAMPLE.com" }, undefined],
  [HTTPS, { HTTPS_PROXY: "http://p", no_proxy: ".example.com" }, undefined],
  [HTTPS, { HTTPS_PROXY: "http://p", NO_PROXY: "*.example.com" }, undefined],
  [HTTPS, { HTTPS_PROXY: "http://p", NO_PROXY: "mcp.example.com:443" }, undefined],
  [HTTPS, { HTTPS_PROXY: "http://p", NO_PROXY: "mcp.example.com:8443" }, "http://p"],
  [HTTPS, { HTTPS_PROXY: "http://p", NO_PROXY: "ample.com,example.co" }, "http://p"],
  ["https://[::1]:8443/", { HTTPS_PROXY: "http://p", NO_PROXY: "[::1]" }, undefined],
];

for (const [url, env, proxy] of PROXIES) {
  test(`proxyOf() gives ${proxy ?? "none"} for ${url} and ${JSON.stringify(env)}`, () => {
    assert.equal(proxyOf(new URL(url), env as Readonly<Record<string, string>>), proxy);
  });
}
