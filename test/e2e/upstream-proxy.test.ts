/**
 * Servers behind the proxy and the certificate authority of a company, as the built program reaches them.
 *
 * @module
 */
import assert from "node:assert/strict";
import { writeFile } from "node:fs/promises";
import { createServer as createProxy, type IncomingMessage } from "node:http";
import { createServer } from "node:https";
import { type AddressInfo, connect, type Server } from "node:net";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import { MODERN_REVISION } from "../../src/mcp/revisions.ts";
import { authority, certificate } from "../support/certificate.ts";
import { built, NODE, startProgram } from "../support/program.ts";
import { createMachine } from "../support/runner.ts";
import { sendJson } from "../support/upstream.ts";

async function portOf(t: TestContext, server: Server): Promise<number> {
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  t.after(() => void server.close());
  return (server.address() as AddressInfo).port;
}

/** An MCP server with one tool, whose certificate is of the tests' own authority. */
function teamServer(t: TestContext): Promise<number> {
  const facts = { resultType: "complete", ttlMs: 0, cacheScope: "private" };
  const server = createServer(certificate, (request, response) => {
    void (async () => {
      let text = "";
      for await (const chunk of request) text += String(chunk);
      const { id, method } = JSON.parse(text) as { id: number; method: string };
      const result = method === "server/discover"
        ? { ...facts, supportedVersions: [MODERN_REVISION], capabilities: { tools: {} } }
        : { ...facts, tools: [{ name: "search", inputSchema: { type: "object" } }] };
      sendJson(response, { jsonrpc: "2.0", id, result });
    })();
  });
  t.after(() => server.closeAllConnections());
  return portOf(t, server);
}

/** A proxy that leads all names to one port of this machine. */
async function proxyTo(
  t: TestContext,
  port: number,
  status = 200,
): Promise<{ readonly url: string; readonly asked: IncomingMessage[] }> {
  const asked: IncomingMessage[] = [];
  const proxy = createProxy((_request, response) => void response.writeHead(405).end());
  proxy.on("connect", (request, socket) => {
    asked.push(request);
    socket.on("error", () => {});
    if (status !== 200) return void socket.end(`HTTP/1.1 ${status} No\r\n\r\n`);
    const far = connect(port, "127.0.0.1", () => {
      socket.write("HTTP/1.1 200 OK\r\n\r\n");
      far.pipe(socket).pipe(far);
    });
    far.on("error", () => socket.destroy());
  });
  t.after(() => proxy.closeAllConnections());
  return { url: `http://ada:pr0xy%20key@127.0.0.1:${await portOf(t, proxy)}`, asked };
}

/** What `mcp-runner tools ls` says in an environment. */
async function listTools(
  t: TestContext,
  env: (folder: string) => Readonly<Record<string, string>>,
): Promise<{ readonly stdout: string; readonly output: string }> {
  const machine = await createMachine(
    'version: 1\nservers:\n  team: { source: "https://allowed.example/mcp", tools: { allow: ["*"] } }\n',
  );
  t.after(() => machine[Symbol.asyncDispose]());
  await writeFile(join(machine.folder, "authority.pem"), authority);
  const program = startProgram(NODE, [built("runner.js"), "inspect"], {
    cwd: machine.folder,
    env: { MCP_RUNNER_HOME: machine.home, NO_PROXY: "", no_proxy: "", ...env(machine.folder) },
  });
  t.after(() => program[Symbol.asyncDispose]());
  await program.exit;
  return { stdout: program.stdout(), output: program.output() };
}

test("the proxy of the environment is used, and the authority of NODE_EXTRA_CA_CERTS believed", async (t) => {
  const proxy = await proxyTo(t, await teamServer(t));
  const { stdout, output } = await listTools(t, (folder) => ({
    HTTPS_PROXY: proxy.url,
    NODE_EXTRA_CA_CERTS: join(folder, "authority.pem"),
  }));
  assert.match(stdout, /^team {2}ready$/m, output);
  assert.equal(proxy.asked[0]?.url, "allowed.example:443");
  const basic = Buffer.from("ada:pr0xy key").toString("base64");
  assert.equal(proxy.asked[0]?.headers["proxy-authorization"], `Basic ${basic}`);
});

test("without the authority its certificate is not trusted", async (t) => {
  const proxy = await proxyTo(t, await teamServer(t));
  const { output } = await listTools(t, () => ({ HTTPS_PROXY: proxy.url }));
  assert.match(output, /its certificate is not trusted on this machine/);
  assert.doesNotMatch(output, /pr0xy/);
});

test("a proxy that refuses is named as what refuses", async (t) => {
  const proxy = await proxyTo(t, 1, 403);
  const { output } = await listTools(t, () => ({ HTTPS_PROXY: proxy.url }));
  assert.match(
    output,
    /Cannot reach upstream allowed\.example through the proxy of HTTPS_PROXY: it answers with HTTP 403/,
  );
  assert.doesNotMatch(output, /pr0xy/);
});

test("NO_PROXY leaves a host to direct connections", async (t) => {
  const proxy = await proxyTo(t, 1);
  const { output } = await listTools(t, () => ({ HTTPS_PROXY: proxy.url, NO_PROXY: ".example" }));
  assert.match(output, /Cannot reach upstream allowed\.example: its name (?:is not|cannot be)/);
  assert.deepEqual(proxy.asked, []);
});
