import assert from "node:assert/strict";
import { test } from "node:test";
import type { SecretReference } from "../../runner/secrets/reference.ts";
import type { Secrets } from "../../runner/secrets/secrets.ts";
import { resolveHeaders } from "../../runner/upstream/header-secrets.ts";
import { launchUpstream } from "../../runner/upstream/launch.ts";
import { systemClock } from "../../src/clock.ts";
import { initialize, sendJson, serveHttp } from "../support/upstream.ts";

const TOKEN: SecretReference = { kind: "store", name: "team-token" };

/** Secrets that are numbered, so that each asking shows. */
function numbered(): Secrets & { readonly asked: string[] } {
  const asked: string[] = [];
  return {
    asked,
    resolve: (reference, server) => {
      asked.push(`${reference.kind}:${server}`);
      return Promise.resolve(`$& s3cr3t-${asked.length}`);
    },
  };
}

test("resolveHeaders() puts secrets where the headers name them, each asked for once", async () => {
  const secrets = numbered();
  const headers = await resolveHeaders({
    name: "team",
    headers: { Authorization: "Bearer ${TOKEN}", "X-Both": "${TOKEN}/${TOKEN}", "X-Plain": "$1" },
    secrets: { TOKEN, UNUSED: TOKEN },
  }, secrets);
  assert.deepEqual(headers, {
    Authorization: "Bearer $& s3cr3t-1",
    "X-Both": "$& s3cr3t-1/$& s3cr3t-1",
    "X-Plain": "$1",
  });
  assert.deepEqual(secrets.asked, ["store:team"]);
});

test("a header that names a secret which the server does not have is refused by its names", async () => {
  const of = (text: string) =>
    resolveHeaders({ name: "team", headers: { "X-Key": text }, secrets: { TOKEN } }, numbered());
  await assert.rejects(of("${TOKN}"), {
    code: "config_invalid",
    message:
      'Cannot start server "team": its header X-Key has ${TOKN} in it, but under secrets it ' +
      "has none of that name",
  });
  await assert.rejects(of("${toString}"), { code: "config_invalid" });
  await assert.rejects(of("${s3cr3t-value!}"), (error: Error) => {
    assert.doesNotMatch(error.message, /s3cr3t/);
    return true;
  });
});

test("headers are asked for at each connection, so that a new secret needs no new runner", async (t) => {
  const secrets = numbered();
  const site = await serveHttp(t, ({ message: { id } }, response) => {
    sendJson(response, { jsonrpc: "2.0", id, result: {} });
  });
  const config = { name: "team", headers: { "X-Key": "${TOKEN}" }, secrets: { TOKEN } };
  const launch = () =>
    launchUpstream({
      url: site.url,
      headers: () => resolveHeaders(config, secrets),
      allowPrivate: false,
      env: {},
      clock: systemClock,
    });
  for (const id of [1, 2]) {
    const process = await launch();
    const answered = new Promise((resolve) => process.onLine(resolve));
    process.write(JSON.stringify({ jsonrpc: "2.0", ...initialize(id) }));
    await answered;
    await process.stop(0);
  }
  assert.deepEqual(site.got.map(({ headers }) => headers["x-key"]), ["$& s3cr3t-1", "$& s3cr3t-2"]);
});
