/**
 * Logins to an upstream, with an authorization server at the other end of a real connection.
 *
 * @module
 */
import assert from "node:assert/strict";
import { test, type TestContext } from "node:test";
import { openDialer } from "../../runner/upstream/dial.ts";
import { reachOf } from "../../runner/upstream/guard.ts";
import { clientDocument } from "../../runner/upstream/oauth/client.ts";
import { logIn, type LoginOptions, type LoginUser } from "../../runner/upstream/oauth/login.ts";
import { logOut } from "../../runner/upstream/oauth/logout.ts";
import { type Clock, systemClock } from "../../src/clock.ts";
import { memoryTokenStore, protectedSite, type Ways } from "../support/authorization-server.ts";
import { fakeClock } from "../support/fake-clock.ts";
import { serveHttp } from "../support/upstream.ts";

type Site = Awaited<ReturnType<typeof protectedSite>>;

/** What `mcp-runner login` has at hand for a server at `url`. */
async function loginTo(
  t: TestContext,
  url: string,
  options: Partial<LoginOptions> & { readonly clock?: Clock } = {},
): Promise<LoginOptions & { readonly store: ReturnType<typeof memoryTokenStore> }> {
  const dialer = await openDialer({ reach: reachOf(new URL(url), false), env: {} });
  t.after(() => dialer.close());
  return {
    server: "team",
    url: new URL(url),
    headers: {},
    oauth: undefined,
    clientSecret: undefined,
    dialer,
    clock: systemClock,
    ...options,
    store: memoryTokenStore(),
  };
}

/** A user whose browser does as the pages say. */
function browsing(user: Partial<LoginUser> = {}): LoginUser {
  return {
    port: 0,
    paste: undefined,
    stopped: new AbortController().signal,
    show: async (url) => void await (await fetch(url)).text(),
    ...user,
  };
}

test("a login registers, asks for what the server needs, and keeps tokens for it alone", async (t) => {
  const site = await protectedSite(t);
  const options = await loginTo(t, site.url);
  const result = await logIn(options, browsing());
  assert.deepEqual(result, { issuer: site.origin, scopes: ["read"], renews: true });
  const asked = site.asked();
  assert.equal(asked.get("code_challenge_method"), "S256");
  assert.equal(asked.get("resource"), site.url);
  assert.equal(asked.get("scope"), "read");
  assert.match(asked.get("redirect_uri") ?? "", /^http:\/\/127\.0\.0\.1:\d+\/callback$/);
  const registration = site.got.find(({ path }) => path === "/register");
  assert.deepEqual(JSON.parse(registration?.text ?? ""), {
    client_name: "mcp-runner",
    redirect_uris: [asked.get("redirect_uri")],
    grant_types: ["authorization_code", "refresh_token"],
    response_types: ["code"],
    token_endpoint_auth_method: "none",
    application_type: "native",
  });
  assert.equal(site.grants[0]?.get("resource"), site.url);
  const kept = options.store.logins.get("team");
  assert.ok(site.live.has(kept?.tokens?.access ?? ""));
  assert.deepEqual([kept?.url, kept?.resource, kept?.issuer], [site.url, site.url, site.origin]);
});

test("a second login uses the registration and the port of the first", async (t) => {
  const site = await protectedSite(t);
  const options = await loginTo(t, site.url);
  await logIn(options, browsing());
  const before = site.asked();
  await logIn(options, browsing());
  assert.equal(site.asked().get("client_id"), before.get("client_id"));
  assert.equal(site.asked().get("redirect_uri"), before.get("redirect_uri"));
  assert.equal(site.got.filter(({ path }) => path === "/register").length, 1);
});

test("a login asks for the scopes of the challenge, of the config, and those that were missing", async (t) => {
  const site = await protectedSite(t, {
    challenge: () => 'Bearer scope="base"',
    metadata: () => ({ scopes_supported: ["offline_access"] }),
  });
  const options = await loginTo(t, site.url, { oauth: { scopes: ["mine"] } });
  await logIn(options, browsing());
  assert.equal(site.asked().get("scope"), "mine base offline_access");
  const kept = options.store.logins.get("team");
  assert.ok(kept !== undefined);
  options.store.logins.set("team", { ...kept, wanted: ["files:write"] });
  await logIn(options, browsing());
  assert.equal(site.asked().get("scope"), "mine base offline_access files:write");
  assert.deepEqual(options.store.logins.get("team")?.wanted, []);
});

test("a configured client with a secret is used as it is", async (t) => {
  const site = await protectedSite(t, { clients: { "ours & theirs": "s3cr3t:+/ü" } });
  const options = await loginTo(t, site.url, {
    oauth: {
      clientId: "ours & theirs",
      scopes: [],
      clientSecret: { kind: "store", name: "team" },
    },
    clientSecret: () => Promise.resolve("s3cr3t:+/ü"),
  });
  await logIn(options, browsing());
  assert.equal(site.asked().get("client_id"), "ours & theirs");
  assert.ok(!JSON.stringify([...options.store.logins]).includes("s3cr3t"), "it is not kept twice");
});

test("a client that is a document is used where these are read, else mcp-runner registers", async (t) => {
  const oauth = { clientId: "https://ada.example/mcp-runner.json", scopes: [] };
  const reads = await protectedSite(t, {
    metadata: () => ({ client_id_metadata_document_supported: true }),
  });
  await logIn(await loginTo(t, reads.url, { oauth }), browsing());
  assert.equal(reads.asked().get("client_id"), oauth.clientId);
  const registers = await protectedSite(t);
  await logIn(await loginTo(t, registers.url, { oauth }), browsing());
  assert.equal(registers.asked().get("client_id"), "client-0");
  assert.deepEqual(clientDocument(oauth.clientId, ["http://127.0.0.1/callback"]), {
    client_id: oauth.clientId,
    client_name: "mcp-runner",
    redirect_uris: ["http://127.0.0.1/callback"],
    grant_types: ["authorization_code", "refresh_token"],
    response_types: ["code"],
    token_endpoint_auth_method: "none",
    application_type: "native",
  });
});

test("where nobody is registered the login says what to write in the config", async (t) => {
  const site = await protectedSite(t, { metadata: () => ({ registration_endpoint: undefined }) });
  await assert.rejects(logIn(await loginTo(t, site.url), browsing()), {
    code: "login_required",
    message: /register mcp-runner there with the redirect URI http:\/\/127\.0\.0\.1:\d+\/callback/,
  });
});

test("the id of a configured client goes to no other authorization server than before", async (t) => {
  const site = await protectedSite(t, { clients: { ours: undefined } });
  const oauth = { clientId: "ours", scopes: [] };
  const options = await loginTo(t, site.url, { oauth });
  await logIn(options, browsing());
  const kept = options.store.logins.get("team");
  assert.ok(kept !== undefined);
  options.store.logins.set("team", { ...kept, issuer: "https://before.example" });
  await assert.rejects(logIn(options, browsing()), {
    code: "login_required",
    message: /names another authorization server than before .* run mcp-runner logout team first$/,
  });
});

test("OpenID Connect discovery finds an issuer with a path", async (t) => {
  const site = await protectedSite(t, {
    resource: (origin) => ({ authorization_servers: [`${origin}/tenant`] }),
    back: (origin) => ({ iss: `${origin}/tenant` }),
    instead: ({ path, headers }, response) => {
      if (path !== "/tenant/.well-known/openid-configuration") return false;
      const origin = `http://${String(headers["host"])}`;
      response.writeHead(200, { "content-type": "application/json" });
      response.end(JSON.stringify({
        issuer: `${origin}/tenant`,
        authorization_endpoint: `${origin}/authorize?tenant=1`,
        token_endpoint: `${origin}/token`,
        registration_endpoint: `${origin}/register`,
        code_challenge_methods_supported: ["plain", "S256"],
      }));
      return true;
    },
  });
  const { issuer } = await logIn(await loginTo(t, site.url), browsing());
  assert.equal(issuer, `${site.origin}/tenant`);
  assert.equal(site.asked().get("tenant"), "1");
  assert.deepEqual(site.got.map(({ path }) => path).filter((path) => path.includes("well-known")), [
    "/.well-known/oauth-protected-resource/mcp",
    "/.well-known/oauth-authorization-server/tenant",
    "/.well-known/openid-configuration/tenant",
    "/tenant/.well-known/openid-configuration",
  ]);
});

test("a server without metadata is its own issuer, as before 2025-06-18", async (t) => {
  const site = await protectedSite(t, {
    challenge: () => "Bearer",
    instead: ({ path }, response) => {
      if (!path.startsWith("/.well-known/oauth-protected-resource")) return false;
      response.writeHead(404).end();
      return true;
    },
  });
  const { issuer } = await logIn(await loginTo(t, site.url), browsing());
  assert.equal(issuer, site.origin);
  assert.equal(site.asked().get("resource"), site.url);
});

test("an ID token beside the access token is not looked at", async (t) => {
  const site = await protectedSite(t, { token: () => ({ id_token: "not.a.token" }) });
  await logIn(await loginTo(t, site.url), browsing());
});

test("on a machine without a browser the address is pasted", async (t) => {
  const site = await protectedSite(t);
  let back = "";
  const texts = ["nonsense", "http://127.0.0.1:1/callback?code=x"];
  const { promise: shown, resolve: open } = Promise.withResolvers<void>();
  const user = browsing({
    show: async (url) => {
      back = (await fetch(url, { redirect: "manual" })).headers.get("location") ?? "";
      open();
    },
    paste: async () => {
      await shown;
      return texts.shift() ?? back;
    },
  });
  const options = await loginTo(t, site.url);
  await logIn(options, user);
  assert.ok(options.store.logins.has("team"));
});

test("a page that guesses the port ends no login, and is told nothing", async (t) => {
  const site = await protectedSite(t);
  const pages: { status: number; text: string; headers: Headers }[] = [];
  const visit = async (url: URL | string, init: RequestInit = {}): Promise<void> => {
    const response = await fetch(url, init);
    const { status, headers } = response;
    pages.push({ status, text: await response.text(), headers });
  };
  const user = browsing({
    show: async (url) => {
      const at = url.searchParams.get("redirect_uri") ?? "";
      await visit(`${at}?code=evil&state=guessed&error=%3Cscript%3E`);
      await visit(`${at}?code=evil`);
      await visit(at.replace("callback", "other"));
      await visit(at, { method: "POST" });
      await visit(url);
    },
  });
  await logIn(await loginTo(t, site.url), user);
  assert.deepEqual(pages.map(({ status }) => status), [400, 400, 404, 405, 200]);
  for (const { text, headers } of pages) {
    assert.doesNotMatch(text, /script|evil|https?:/);
    assert.match(headers.get("content-security-policy") ?? "", /^default-src 'none'/);
  }
});

test("nobody who agrees within five minutes is one who does not", async (t) => {
  const site = await protectedSite(t);
  const clock = fakeClock();
  const options = await loginTo(t, site.url, { clock });
  const shown = Promise.withResolvers<void>();
  const login = logIn(options, browsing({ show: () => Promise.resolve(shown.resolve()) }));
  const ended = assert.rejects(login, {
    code: "login_required",
    message: "Cannot log in: nobody has agreed within 5 minutes",
  });
  await shown.promise;
  await new Promise(setImmediate);
  clock.advance(5 * 60_000);
  await ended;
  assert.equal(options.store.logins.size, 0);
});

test("a logout revokes both tokens and forgets them, also when nobody answers", async (t) => {
  const site = await protectedSite(t);
  const options = await loginTo(t, site.url);
  await logIn(options, browsing());
  const { access, refresh } = options.store.logins.get("team")?.tokens ?? {};
  assert.equal(await logOut(options), "revoked");
  assert.deepEqual(site.revoked, [refresh, access]);
  assert.equal(await logOut(options), "none");
  await logIn(options, browsing());
  await site.close();
  assert.equal(await logOut(options), "forgotten");
  assert.equal(options.store.logins.size, 0);
});

const evil = "https://evil.example";

/** Servers that want more than they should have, and how the login ends. */
const HOSTILE: readonly (readonly [
  why: string,
  ways: Ways,
  expected: { readonly code: string; readonly message: RegExp },
])[] = [
  ["metadata of another issuer", { metadata: () => ({ issuer: evil }) }, {
    code: "server_failed",
    message: /its metadata is that of another issuer$/,
  }],
  ["an issuer that differs by a slash", { metadata: (origin) => ({ issuer: `${origin}/` }) }, {
    code: "server_failed",
    message: /its metadata is that of another issuer$/,
  }],
  ["metadata of another server", { resource: () => ({ resource: `${evil}/mcp` }) }, {
    code: "server_failed",
    message: /its metadata is that of another server: "https:\/\/evil\.example\/mcp"$/,
  }],
  ["metadata of a path beside", { resource: (origin) => ({ resource: `${origin}/mc` }) }, {
    code: "server_failed",
    message: /its metadata is that of another server/,
  }],
  ["no PKCE", { metadata: () => ({ code_challenge_methods_supported: undefined }) }, {
    code: "server_failed",
    message: /it does not support PKCE with S256$/,
  }],
  ["plain PKCE", { metadata: () => ({ code_challenge_methods_supported: ["plain"] }) }, {
    code: "server_failed",
    message: /it does not support PKCE with S256$/,
  }],
  ["no authorization server", { resource: () => ({ authorization_servers: [] }) }, {
    code: "server_failed",
    message: /its metadata names no authorization server$/,
  }],
  ["a private authorization server", {
    resource: () => ({ authorization_servers: ["https://10.0.0.1"] }),
  }, { code: "address_refused", message: /^Refused to connect to 10\.0\.0\.1: / }],
  ["an authorization server elsewhere on this machine", {
    resource: () => ({ authorization_servers: ["http://127.0.0.1:1"] }),
  }, { code: "address_refused", message: /^Refused to connect to 127\.0\.0\.1:1: / }],
  ["metadata at the metadata service of a cloud", {
    challenge: () => 'Bearer resource_metadata="http://169.254.169.254/latest"',
  }, { code: "address_refused", message: /^Refused to connect to 169\.254\.169\.254: / }],
  ["a token endpoint in a private network", {
    metadata: () => ({ token_endpoint: "https://192.168.0.1/token" }),
  }, { code: "address_refused", message: /192\.168\.0\.1/ }],
  ["a registration endpoint in a private network", {
    metadata: () => ({ registration_endpoint: "https://db.internal/" }),
  }, { code: "address_refused", message: /db\.internal/ }],
  ["a page that is a script", {
    metadata: () => ({ authorization_endpoint: "javascript:alert(1)" }),
  }, { code: "address_refused", message: /its URL is not encrypted$/ }],
  ["a page that is a file", {
    metadata: () => ({ authorization_endpoint: "file:///etc/passwd" }),
  }, { code: "address_refused", message: /its URL is not encrypted$/ }],
  ["metadata that is a redirect", {
    instead: ({ path }, response) => {
      if (path !== "/.well-known/oauth-authorization-server") return false;
      response.writeHead(302, { location: "/elsewhere" }).end();
      return true;
    },
  }, { code: "server_failed", message: /is a redirect, not followed$/ }],
  ["metadata without end", {
    instead: ({ path }, response) => {
      if (!path.startsWith("/.well-known/")) return false;
      response.writeHead(200, { "content-type": "application/json" });
      response.end(`{"resource":"${"x".repeat(300 * 1024)}"}`);
      return true;
    },
  }, { code: "server_failed", message: /its answer is longer than 262144 bytes$/ }],
  ["metadata that is no JSON", {
    instead: ({ path }, response) => {
      if (path !== "/.well-known/oauth-authorization-server") return false;
      response.writeHead(200).end("<html>");
      return true;
    },
  }, { code: "server_failed", message: /has no metadata$/ }],
  ["another issuer on the way back", { back: () => ({ iss: evil }) }, {
    code: "login_required",
    message: /what came back from the browser is not the answer to this login$/,
  }],
  ["no issuer on the way back", { back: () => ({ iss: undefined }) }, {
    code: "login_required",
    message: /is not the answer to this login$/,
  }],
  ["another issuer with an error", {
    back: () => ({ iss: evil, error: "access_denied", error_description: "Call 0900" }),
  }, { code: "login_required", message: /^Cannot log in: what came back .* this login$/ }],
  ["an error in colours", {
    back: () => ({ error: "access_denied", error_description: "no\u001b[31m" }),
  }, { code: "login_required", message: /^Cannot log in: [^\u001b]*access_denied: no[^\u001b]*$/ }],
  ["a token with a line break", { token: () => ({ access_token: "a\r\nhost: evil" }) }, {
    code: "server_failed",
    message: /its token has characters that no token has, or too many$/,
  }],
  ["a token without end", { token: () => ({ access_token: "a".repeat(20_000) }) }, {
    code: "server_failed",
    message: /its token has characters that no token has, or too many$/,
  }],
  ["a refresh token with a line break", { token: () => ({ refresh_token: "a\nb" }) }, {
    code: "server_failed",
    message: /its refresh token has characters/,
  }],
  ["a token of another kind", { token: () => ({ token_type: "DPoP" }) }, {
    code: "server_failed",
    message: /its token is no bearer token$/,
  }],
  ["a token endpoint that sends us elsewhere", {
    instead: ({ path }, response) => {
      if (path !== "/token") return false;
      response.writeHead(307, { location: "/elsewhere" }).end();
      return true;
    },
  }, { code: "server_failed", message: /its answer is not as RFC 6749 says$/ }],
  ["no token", { token: () => ({ access_token: undefined }) }, {
    code: "server_failed",
    message: /its answer is not as RFC 6749 says$/,
  }],
];

for (const [why, ways, expected] of HOSTILE) {
  test(`a login is refused that meets ${why}`, async (t) => {
    const site: Site = await protectedSite(t, ways);
    const options = await loginTo(t, site.url);
    await assert.rejects(logIn(options, browsing()), expected);
    assert.equal(options.store.logins.size, 0);
  });
}

test("a code that came with another issuer is shown to no token endpoint", async (t) => {
  const site = await protectedSite(t, { back: () => ({ iss: evil }) });
  await assert.rejects(logIn(await loginTo(t, site.url), browsing()));
  assert.deepEqual(site.grants, []);
});

test("an authorization server that does not answer is given up after eight seconds", async (t) => {
  const asked = Promise.withResolvers<void>();
  const site = await serveHttp(t, ({ method }, response) => {
    if (method === "POST") response.writeHead(401).end();
    else asked.resolve();
  });
  const clock = fakeClock();
  const login = logIn(await loginTo(t, site.url, { clock }), browsing());
  const ended = assert.rejects(login, {
    code: "server_failed",
    message: /it does not answer within 8 s, try again later$/,
  });
  await asked.promise;
  clock.advance(8_000);
  await ended;
});

test("headers of the config go to the server and to nobody else", async (t) => {
  const site = await protectedSite(t);
  await logIn(await loginTo(t, site.url, { headers: { "x-key": "k3y" } }), browsing());
  for (const { path, headers } of site.got) {
    assert.equal(headers["x-key"], path === "/mcp" ? "k3y" : undefined, path);
  }
});
