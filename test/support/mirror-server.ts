/**
 * An MCP server of either era that keeps what it got and answers with what it is told to, byte for
 * byte. It runs in a container as `node -e <this function>`, so it uses nothing from outside of itself.
 *
 * Tools: `mirror` answers with the result whose text is Base64 in `arguments.reply`; `last` gives the
 * line of the `mirror` call before as Base64.
 *
 * @module
 */

/** Which revisions a mirror speaks. */
export type MirrorEra = "modern" | "legacy";

/** A config's entry for a mirror; `image` is any image with Node as entry point. */
export function mirrorEntry(image: string, name: string, era: MirrorEra): string {
  const source = `(${mirror.toString()})(${JSON.stringify(era)})`;
  return `  ${name}:
    source: ${JSON.stringify(`image:${image}`)}
    args: ${JSON.stringify(["-e", source])}
    tools: { allow: ["*"] }
`;
}

function mirror(era: MirrorEra): void {
  // deno-lint-ignore no-process-global -- runs in a container, as a script
  const { stdin, stdout, exit } = process;
  const tools = '{"tools":[{"name":"mirror","inputSchema":{"type":"object"}},' +
    '{"name":"last","inputSchema":{"type":"object"}}],"resultType":"complete","ttlMs":0,"cacheScope":"private"}';
  let last = "";
  let rest = "";
  const answer = (id: unknown, outcome: string): void => {
    stdout.write(`{"jsonrpc":"2.0","id":${JSON.stringify(id)},${outcome}}\n`);
  };
  const unknown = '"error":{"code":-32601,"message":"Method not found"}';
  stdin.setEncoding("utf8");
  stdin.on("end", () => exit(0));
  stdin.on("data", (chunk: string) => {
    const lines = (rest + chunk).split("\n");
    rest = lines.pop() ?? "";
    for (const line of lines) take(line);
  });

  function take(line: string): void {
    const { id, method, params } = JSON.parse(line) as {
      readonly id?: unknown;
      readonly method: string;
      readonly params: {
        readonly name: string;
        readonly arguments: { readonly reply: string };
      };
    };
    if (id === undefined) return;
    if (method === "server/discover" && era === "modern") {
      answer(
        id,
        '"result":{"resultType":"complete","supportedVersions":["2026-07-28"],' +
          '"capabilities":{"tools":{}},"ttlMs":0,"cacheScope":"private"}',
      );
    } else if (method === "initialize" && era === "legacy") {
      answer(
        id,
        '"result":{"protocolVersion":"2025-11-25","capabilities":{"tools":{}},' +
          '"serverInfo":{"name":"mirror","version":"1"}}',
      );
    } else if (method === "tools/list") answer(id, `"result":${tools}`);
    else if (method !== "tools/call") answer(id, unknown);
    else if (params.name === "last") {
      const text = Buffer.from(last).toString("base64");
      answer(id, `"result":{"resultType":"complete","content":[{"type":"text","text":"${text}"}]}`);
    } else {
      last = line;
      answer(id, `"result":${Buffer.from(params.arguments.reply, "base64").toString()}`);
    }
  }
}
