import assert from "node:assert/strict";
import { test } from "node:test";
import { launchUpstream } from "../../runner/upstream/launch.ts";
import { systemClock } from "../../src/clock.ts";
import { serveHttp } from "../support/upstream.ts";

function launch(url: string, headers: Readonly<Record<string, string>> = {}): Promise<unknown> {
  return launchUpstream({
    url,
    headers: () => Promise.resolve(headers),
    allowPrivate: false,
    env: {},
    clock: systemClock,
  });
}

test("an upstream where nothing listens is named with what to check", async (t) => {
  const site = await serveHttp(t, () => {});
  await site.close();
  await assert.rejects(launch(site.url), {
    code: "server_failed",
    executed: "no",
    message: `Cannot reach upstream ${new URL(site.url).host}: nothing listens there, ` +
      "check that it runs and the port of the URL",
  });
});

test("an upstream whose name is not known is named with what to check", async () => {
  await assert.rejects(launch("https://upstream.invalid/mcp"), {
    code: "server_failed",
    message:
      /^Cannot reach upstream upstream\.invalid: its name (?:is not known|cannot be looked up)/,
  });
});

test("an upstream that does not speak TLS is named with what to check", async (t) => {
  const site = await serveHttp(t, () => {});
  await assert.rejects(launch(site.url.replace("http:", "https:")), {
    code: "server_failed",
    message: /does not speak TLS there, check the URL$/,
  });
});

const URLS: readonly (readonly [url: string, message: RegExp])[] = [
  ["nonsense", /its URL is not one$/],
  ["http://example.com/mcp", /must begin with https: unless it is on this machine$/],
  ["http://127.0.0.1.example.com/", /must begin with https:/],
  ["http://10.0.0.1/", /must begin with https:/],
  ["ftp://127.0.0.1/", /must begin with https:/],
  ["https://user:s3cr3t@example.com/", /its URL holds credentials, give them in headers$/],
];

for (const [url, message] of URLS) {
  test(`the URL ${url} is refused`, async () => {
    await assert.rejects(launch(url), (error: Error & { code?: string }) => {
      assert.equal(error.code, "config_invalid");
      assert.match(error.message, message);
      assert.doesNotMatch(error.message, /s3cr3t/);
      return true;
    });
  });
}

test("a header that no request may have is refused by its name alone", async () => {
  const url = "https://example.com/";
  await assert.rejects(launch(url, { "X-Key": "s3cr3t\r\nhost: b" }), {
    code: "config_invalid",
    message: 'Cannot use the upstream: its header "x-key" has characters that no header may have',
  });
  await assert.rejects(launch(url, { "a b": "c" }), { code: "config_invalid" });
});
