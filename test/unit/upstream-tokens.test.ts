/**
 * What a login does for the calls of an upstream: its token goes with them, and is renewed.
 *
 * @module
 */
import assert from "node:assert/strict";
import { test, type TestContext } from "node:test";
import { NO_SECRETS } from "../../runner/secrets/redactor.ts";
import { tokenStore } from "../../runner/upstream/oauth/token-store.ts";
import type { Clock } from "../../src/clock.ts";
import {
  memoryTokenStore,
  type ProtectedSite,
  protectedSite,
} from "../support/authorization-server.ts";
import { fakeClock } from "../support/fake-clock.ts";
import {
  connectTo,
  type Far,
  initialize,
  modern,
  sendJson,
  serveHttp,
} from "../support/upstream.ts";

type Store = ReturnType<typeof memoryTokenStore>;

/** Puts a login in the store, as `mcp-runner login` does, with a token that the site takes. */
function loggedIn(
  site: ProtectedSite,
  { now = Date.now(), store = memoryTokenStore() } = {},
): Store {
  site.live.add("access-0");
  site.refreshable.set("refresh-0", "read");
  store.logins.set("team", {
    url: site.url,
    resource: site.url,
    issuer: site.origin,
    tokenEndpoint: `${site.origin}/token`,
    client: { id: "ours", registered: true, auth: "none" },
    scopes: ["read"],
    wanted: [],
    tokens: {
      access: "access-0",
      refresh: "refresh-0",
      expiresAt: now + 3_600_000,
      renewAt: now + 3_540_000,
    },
  });
  return store;
}

/** A connection to a site with the login of the store. */
function connect(
  t: TestContext,
  { url }: { readonly url: string },
  store: Store,
  options: { readonly clock?: Clock; readonly headers?: Readonly<Record<string, string>> } = {},
): Promise<Far> {
  return connectTo(t, url, { ...options, login: { server: "team", store, redactor: NO_SECRETS } });
}

const OURS = { clients: { ours: undefined } };

const REFUSED = /it wants credentials \(HTTP 401\), run mcp-runner login team, or give it a header/;

test("a call without a login says how to log in, and that it did not run", async (t) => {
  const site = await protectedSite(t);
  const far = await connect(t, site, memoryTokenStore());
  for (const message of [modern(1, "server/discover"), initialize(2)]) {
    const { error } = await far.ask(message);
    assert.match(error?.message ?? "", REFUSED);
    assert.deepEqual(error?.data, { code: "login_required", executed: "no", retryable: false });
  }
});

test("a login that is made while the runner runs is used by the next call", async (t) => {
  const site = await protectedSite(t);
  const store = memoryTokenStore();
  const far = await connect(t, site, store);
  assert.ok((await far.ask(initialize(1))).error !== undefined);
  loggedIn(site, { store });
  assert.deepEqual((await far.ask(initialize(2))).result, { ok: true });
});

test("the token goes with every request, to the server alone", async (t) => {
  const site = await protectedSite(t);
  const far = await connect(t, site, loggedIn(site));
  assert.deepEqual((await far.ask(modern(1, "tools/list"))).result, { ok: true });
  assert.deepEqual(site.got.map(({ path, headers }) => [path, headers["authorization"]]), [
    ["/mcp", "Bearer access-0"],
  ]);
});

test("an Authorization header of the config is what is sent, login or not", async (t) => {
  const site = await protectedSite(t);
  const store = loggedIn(site);
  site.live.add("key");
  const far = await connect(t, site, store, { headers: { Authorization: "Bearer key" } });
  assert.deepEqual((await far.ask(initialize(1))).result, { ok: true });
  site.live.clear();
  const { error } = await far.ask(initialize(2));
  assert.match(error?.message ?? "", /refuses the credentials \(HTTP 401\), check the headers/);
});

test("a login to another URL is none", async (t) => {
  const site = await protectedSite(t);
  const store = loggedIn(site);
  const elsewhere = await serveHttp(t, (_got, response) => void response.writeHead(401).end());
  const far = await connect(t, elsewhere, store);
  assert.match((await far.ask(initialize(1))).error?.message ?? "", REFUSED);
  assert.ok(elsewhere.got.every(({ headers }) => headers["authorization"] === undefined));
});

test("a token that is refused is renewed once for all calls, and they are sent again", async (t) => {
  const site = await protectedSite(t, OURS);
  const store = loggedIn(site);
  const far = await connect(t, site, store);
  site.live.clear();
  const answers = await Promise.all([1, 2, 3, 4].map((id) => far.ask(modern(id, "tools/list"))));
  for (const { result } of answers) assert.deepEqual(result, { ok: true });
  assert.equal(site.grants.length, 1);
  assert.equal(site.grants[0]?.get("resource"), site.url);
  const { access, refresh } = store.logins.get("team")?.tokens ?? {};
  assert.ok(site.live.has(access ?? ""), "the new token is kept");
  assert.ok(site.refreshable.has(refresh ?? ""), "and the refresh token that replaces the old one");
});

test("runners side by side use one refresh token once", async (t) => {
  const site = await protectedSite(t, OURS);
  const store = loggedIn(site);
  const runners = [await connect(t, site, store), await connect(t, site, store)];
  site.live.clear();
  const answers = await Promise.all(runners.map((far) => far.ask(modern(1, "tools/list"))));
  for (const { result } of answers) assert.deepEqual(result, { ok: true });
  assert.equal(site.grants.length, 1);
});

test("a token is renewed before it expires", async (t) => {
  const site = await protectedSite(t, OURS);
  const clock = fakeClock();
  const far = await connect(t, site, loggedIn(site, { now: clock.now() }), { clock });
  clock.advance(3_539_999);
  await far.ask(modern(1, "tools/list"));
  assert.equal(site.grants.length, 0);
  clock.advance(1);
  assert.deepEqual((await far.ask(modern(2, "tools/list"))).result, { ok: true });
  assert.equal(site.grants.length, 1);
  assert.equal(site.got.at(-1)?.headers["authorization"] === "Bearer access-0", false);
});

test("a token that cannot be renewed now is used until it expires", async (t) => {
  let broken = true;
  const site = await protectedSite(t, {
    ...OURS,
    instead: ({ path }, response) => {
      if (path !== "/token" || !broken) return false;
      response.writeHead(503).end();
      return true;
    },
  });
  const clock = fakeClock();
  const far = await connect(t, site, loggedIn(site, { now: clock.now() }), { clock });
  clock.advance(3_550_000);
  assert.deepEqual((await far.ask(modern(1, "tools/list"))).result, { ok: true });
  clock.advance(60_000);
  const { error } = await far.ask(modern(2, "tools/list"));
  assert.match(error?.message ?? "", /^Cannot get a token of /);
  assert.equal(error?.data?.["retryable"], true);
  broken = false;
  assert.deepEqual((await far.ask(modern(3, "tools/list"))).result, { ok: true });
});

test("a login that the authorization server has ended must be made again", async (t) => {
  const site = await protectedSite(t, OURS);
  const store = loggedIn(site);
  const far = await connect(t, site, store);
  site.live.clear();
  site.refreshable.clear();
  assert.match((await far.ask(modern(1, "tools/list"))).error?.message ?? "", REFUSED);
  assert.equal(store.logins.get("team")?.tokens, undefined);
  assert.equal(store.logins.get("team")?.client.id, "ours", "we are still known there");
  // The refresh token is not tried again and again.
  await far.ask(modern(2, "tools/list"));
  assert.equal(site.grants.length, 1);
});

test("a server that refuses new tokens too is not asked without end", async (t) => {
  const site = await protectedSite(t, {
    ...OURS,
    instead: ({ path }, response) => {
      if (path !== "/mcp") return false;
      response.writeHead(401).end();
      return true;
    },
  });
  const far = await connect(t, site, loggedIn(site));
  assert.match((await far.ask(modern(1, "tools/list"))).error?.message ?? "", REFUSED);
  assert.equal(site.got.filter(({ path }) => path === "/mcp").length, 2);
});

test("a call that needs more than the login allows says so, and the next login asks for it", async (t) => {
  const site = await protectedSite(t, { callNeeds: "files:write $(reboot)" });
  const store = loggedIn(site);
  const far = await connect(t, site, store);
  const { error } = await far.ask(modern(1, "tools/call", { name: "a" }));
  assert.equal(
    error?.message,
    `Cannot use upstream ${new URL(site.url).host}: the login does not allow this ` +
      "(files:write $(reboot)), run mcp-runner login team",
  );
  assert.equal(error?.data?.["code"], "login_required");
  assert.deepEqual(store.logins.get("team")?.wanted, ["files:write", "$(reboot)"]);
  assert.deepEqual((await far.ask(modern(2, "tools/list"))).result, { ok: true });

  await far.ask(modern(3, "tools/call", { name: "a" }));
  const login = store.logins.get("team");
  assert.ok(login?.tokens !== undefined, "the login itself is not touched");
  site.live.add("access-1");
  store.logins.set("team", { ...login, tokens: { access: "access-1" } });
  await far.ask(modern(4, "tools/list"));
  assert.equal(site.got.at(-1)?.headers["authorization"], "Bearer access-1");
});

test("an error that repeats the token is not passed on", async (t) => {
  const site = await protectedSite(t, {
    instead: ({ path, headers, message: { id } }, response) => {
      if (path !== "/mcp") return false;
      const error = { code: 1, message: `You sent ${String(headers["authorization"])}` };
      sendJson(response, { jsonrpc: "2.0", id, error });
      return true;
    },
  });
  const far = await connect(t, site, loggedIn(site));
  const { error } = await far.ask(modern(1, "tools/list"));
  assert.match(error?.message ?? "", /its error repeats a credential/);
});

test("the tokens of a login are made known to what reads logs", async (t) => {
  const site = await protectedSite(t);
  const known: string[] = [];
  const redactor = { ...NO_SECRETS, add: (_name: string, value: string) => void known.push(value) };
  const login = { server: "team", store: loggedIn(site), redactor };
  await (await connectTo(t, site.url, { login })).ask(initialize(1));
  assert.deepEqual(known, ["access-0", "refresh-0"]);
});

test("tokenStore() keeps logins as text, and takes text of another version for none", async (t) => {
  const texts = new Map<string, string>();
  const store = tokenStore({
    get: (name) => Promise.resolve(texts.get(name)),
    set: (name, value) => Promise.resolve(void texts.set(name, value)),
    remove: (name) => Promise.resolve(void texts.delete(name)),
  }, (_name, work) => work());
  const login = loggedIn(await protectedSite(t)).logins.get("team");
  assert.ok(login !== undefined);
  await store.set("team", login);
  assert.deepEqual(await store.get("team"), login);
  assert.equal(await store.get("other"), undefined);
  for (const text of ["", "{}", '{"url":1}', "[]"]) {
    texts.set("oauth.team", text);
    assert.equal(await store.get("team"), undefined);
  }
  await store.remove("team");
  assert.equal(texts.size, 0);
});
