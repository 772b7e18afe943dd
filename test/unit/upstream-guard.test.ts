import assert from "node:assert/strict";
import type { LookupAddress } from "node:dns";
import { test } from "node:test";
import { expandServer } from "../../runner/catalog/expand.ts";
import { openDialer } from "../../runner/upstream/dial.ts";
import { checkTarget, guardedLookup, type Lookup, reachOf } from "../../runner/upstream/guard.ts";
import { catalogOf, expansionPlace, serverOf } from "../support/catalog.ts";
import { connectTo, initialize, sendJson, serveHttp } from "../support/upstream.ts";

const PUBLIC = reachOf(new URL("https://mcp.example.com/mcp"), false);
const PRIVATE = reachOf(new URL("https://mcp.example.com/mcp"), true);

const REFUSED: readonly (readonly [why: string, url: string])[] = [
  ["the metadata service of clouds", "https://169.254.169.254/latest/meta-data"],
  ["another one", "https://100.100.100.200/"],
  ["the link", "https://169.254.1.1/"],
  ["this machine", "https://127.0.0.1/"],
  ["this machine in decimal", "https://2130706433/"],
  ["this machine in octal", "https://0177.0.0.1/"],
  ["this machine in hex", "https://0x7f.1/"],
  ["this machine in full-width digits", "https://１２７.0.0.1/"],
  ["this machine with a dot at the end", "https://127.0.0.1./"],
  ["no host", "https://0.0.0.0/"],
  ["this machine over IPv6", "https://[::1]/"],
  ["this machine as a mapped address", "https://[::ffff:127.0.0.1]/"],
  ["the metadata service as a mapped address", "https://[::ffff:a9fe:a9fe]/"],
  ["a translated private address", "https://[64:ff9b::10.0.0.1]/"],
  ["a private network over IPv6", "https://[fd00::1]/"],
  ["a private network", "https://10.0.0.1/"],
  ["a home network", "https://192.168.1.1/"],
  ["the network of a container engine", "https://172.17.0.1/"],
  ["a carrier's network", "https://100.64.0.1/"],
  ["documentation", "https://192.0.2.1/"],
  ["a multicast group", "https://224.0.0.1/"],
  ["a name of this machine", "https://localhost/"],
  ["a name of this machine with a dot", "https://localhost./"],
  ["a name below localhost", "https://a.localhost/"],
  ["a name of mDNS", "https://printer.local/"],
  ["a name of mDNS in capitals", "https://PRINTER.LOCAL/"],
  ["a name of mDNS with dots at the end", "https://printer.local../"],
  ["a name of a cloud", "https://metadata.google.internal/"],
  ["a name of a cluster", "https://api.default.svc/"],
  ["a name of a cluster in full", "https://api.default.svc.cluster.local/"],
  ["a name of one word", "https://intranet/"],
  ["http", "http://mcp.example.com/"],
  ["another scheme", "ftp://mcp.example.com/"],
  ["a user in the URL", "https://user:s3cr3t@mcp.example.com/"],
];

for (const [why, url] of REFUSED) {
  test(`checkTarget() refuses ${why}: ${url}`, () => {
    assert.throws(() => checkTarget(new URL(url), PUBLIC), (error: Error & { code?: string }) => {
      assert.equal(error.code, "address_refused");
      assert.ok(error.message.startsWith(`Refused to connect to ${new URL(url).host}: `));
      assert.doesNotMatch(error.message, /s3cr3t/);
      return true;
    });
  });
}

for (
  const url of [
    "https://mcp.example.com/",
    "https://93.184.216.34/",
    "https://[2606:2800:220:1::1]/",
    "https://localhost.example.com/",
    "https://mylocal/".replace("mylocal", "my-local.dev"),
  ]
) test(`checkTarget() lets ${url} through`, () => checkTarget(new URL(url), PUBLIC));

test("checkTarget() lets a private host through if the user allows it, and no metadata service", () => {
  for (const url of ["https://10.0.0.1/", "https://intranet/", "http://127.0.0.1:80/"]) {
    checkTarget(new URL(url), PRIVATE);
  }
  for (
    const url of [
      "https://169.254.169.254/",
      "https://metadata.google.internal/",
      "https://metadata/",
      "https://[::ffff:169.254.169.254]/",
      "https://224.0.0.1/",
      "http://10.0.0.1/",
    ]
  ) assert.throws(() => checkTarget(new URL(url), PRIVATE), { code: "address_refused" }, url);
});

test("checkTarget() lets the origin on this machine through that the user has written, and no other", () => {
  const reach = reachOf(new URL("http://127.0.0.1:3000/mcp"), false);
  checkTarget(new URL("http://127.0.0.1:3000/other"), reach);
  for (const url of ["http://127.0.0.1:3001/", "http://localhost:3000/", "https://127.0.0.1/"]) {
    assert.throws(() => checkTarget(new URL(url), reach), { code: "address_refused" }, url);
  }
});

test("a catalog does not lead to this machine, unless the user allows it", async () => {
  for (const url of ["http://127.0.0.1:2375/", "http://localhost:9/mcp", "https://[::1]/mcp"]) {
    const entry =
      `name: evil\ntype: remote\nremote: { url: "${url}", transport_type: streamable }\n`;
    const source = await catalogOf(
      `name: one\nregistry:\n  evil:\n${entry.replace(/^/gm, "    ")}`,
    );
    const expand = async (more: string) =>
      await expandServer(await serverOf(`source: docker:evil\n${more}`), source, expansionPlace());
    await assert.rejects(expand(""), {
      code: "config_invalid",
      message: /its URL is on this machine/,
    });
    assert.deepEqual((await expand("allowPrivate: true")).source, { kind: "http", url });
  }
});

function addresses(...texts: readonly string[]): LookupAddress[] {
  return texts.map((address) => ({ address, family: address.includes(":") ? 6 : 4 }));
}

/** What a socket would dial for a name with these addresses. */
function dialled(lookup: Lookup, local = false): Promise<readonly LookupAddress[]> {
  return new Promise((resolve, reject) => {
    guardedLookup(lookup, PUBLIC, local)("rebind.example", { all: true }, (error, found) => {
      if (error === null) resolve(typeof found === "string" ? [] : found);
      else reject(error);
    });
  });
}

test("a name is looked up once for a connection, and what was looked at is what is dialled", async () => {
  const answers = [addresses("93.184.216.34"), addresses("127.0.0.1")];
  let asked = 0;
  const lookup: Lookup = () => Promise.resolve(answers[asked++] ?? []);
  assert.deepEqual(await dialled(lookup), addresses("93.184.216.34"));
  assert.equal(asked, 1);
  await assert.rejects(dialled(lookup), {
    code: "address_refused",
    message:
      "Refused to connect to rebind.example: its address is not public but on this machine " +
      "(loopback): if it is yours, set allowPrivate: true for this server in mcp-runner.yaml",
  });
});

test("a name with one private address among public ones is refused as a whole", async () => {
  for (const bad of ["10.0.0.1", "::ffff:10.0.0.1", "169.254.169.254", "fe80::1%eth0", "::"]) {
    const lookup: Lookup = () => Promise.resolve(addresses("93.184.216.34", bad));
    await assert.rejects(dialled(lookup), (error: Error & { code?: string }) => {
      assert.equal(error.code, "address_refused");
      assert.ok(!error.message.includes(bad), "the address is for nobody else");
      return true;
    });
  }
});

test("a name without an address is not known", async () => {
  await assert.rejects(dialled(() => Promise.resolve([])), { code: "ENOTFOUND" });
});

test("localhost that leads elsewhere is refused", async () => {
  await assert.rejects(dialled(() => Promise.resolve(addresses("10.0.0.1")), true), {
    code: "address_refused",
  });
});

test("a connection to a name that resolves to this machine is refused before a byte is sent", async (t) => {
  const site = await serveHttp(t, () => assert.fail("It was dialled"));
  const { port } = new URL(site.origin);
  const url = new URL(`https://rebind.example:${port}/mcp`);
  const dialer = await openDialer({
    reach: reachOf(url, false),
    env: {},
    lookup: () => Promise.resolve(addresses("127.0.0.1")),
  });
  t.after(() => dialer.close());
  const refused = { code: "address_refused", message: /^Refused to connect to rebind\.example/ };
  await assert.rejects(dialer.probe(url), refused);
  const { signal } = new AbortController();
  await assert.rejects(dialer.request(url, { method: "GET", headers: {}, signal }), refused);
});

test("every connection looks its name up anew: the second answer is looked at like the first", async (t) => {
  const site = await serveHttp(t, ({ message: { id } }, response) => {
    // So that the next request needs a connection of its own.
    response.setHeader("connection", "close");
    sendJson(response, { jsonrpc: "2.0", id, result: {} });
  });
  const answers = ["127.0.0.1", "127.0.0.1", "10.0.0.1"];
  const far = await connectTo(t, site.url.replace("127.0.0.1", "localhost"), {
    lookup: () => Promise.resolve(addresses(answers.shift() ?? "10.0.0.1")),
  });
  assert.deepEqual((await far.ask(initialize(1))).result, {});
  const { error } = await far.ask({ id: 2, method: "ping" });
  assert.equal(error?.data?.["code"], "address_refused");
  assert.match(error?.message ?? "", /its address is not on this machine$/);
});

test("a redirect to another port of this machine is not followed", async (t) => {
  const other = await serveHttp(t, () => assert.fail("It was dialled"));
  const site = await serveHttp(t, (_got, response) => {
    response.writeHead(307, { location: other.url }).end();
  });
  const { error } = await (await connectTo(t, site.url)).ask(initialize(1));
  assert.match(error?.message ?? "", /it redirects to .*, which is not followed/);
});

test("an upstream on this machine that was not named so needs the user's word", async (t) => {
  const site = await serveHttp(t, ({ message: { id } }, response) => {
    sendJson(response, { jsonrpc: "2.0", id, result: {} });
  });
  const lookup: Lookup = () => Promise.resolve(addresses("127.0.0.1"));
  const url = site.url.replace("http://127.0.0.1", "https://mcp.example.com");
  await assert.rejects(connectTo(t, url, { lookup }), { code: "address_refused" });
  // With it the connection is made, and TLS is what fails.
  await assert.doesNotReject(async () => {
    await connectTo(t, url, { lookup, allowPrivate: true }).catch((error: Error) =>
      assert.match(error.message, /does not speak TLS there/)
    );
  });
});
