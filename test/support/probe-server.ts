/**
 * A small MCP server of ours, for what published servers do not do: misbehave, and tell what they
 * were told. It runs in a container as `node -e <this function>`, so it must not use anything from
 * outside of itself.
 *
 * Tools: `echo` answers with its raw params; `wait` answers when it is cancelled, or never;
 * `seen` lists the methods and params of all messages so far; `garbage` prints lines that are no
 * messages, then answers; `crash` ends the process; `fail` is a JSON-RPC error; `secret` exists to be
 * denied; `forged` answers a request of another caller.
 *
 * @module
 */

/** How a probe behaves from its start on. */
export type ProbeMode = "well" | "silent" | "exits" | "no-tools";

/** Source text of a probe, for `node -e`. */
export function probeSource(mode: ProbeMode = "well"): string {
  return `(${probe.toString()})(${JSON.stringify(mode)})`;
}

/** A config's entry for one probe; `image` is any image with Node as entry point. */
export function probeEntry(image: string, name = "probe", mode: ProbeMode = "well"): string {
  return `  ${name}:
    source: ${JSON.stringify(`image:${image}`)}
    args: ${JSON.stringify(["-e", probeSource(mode)])}
    tools: { allow: ["*"], deny: [secret] }
`;
}

/** A config with one probe for each name. */
export function probeConfig(
  image: string,
  modes: Readonly<Record<string, ProbeMode>> = { probe: "well" },
): string {
  const entries = Object.entries(modes).map(([name, mode]) => probeEntry(image, name, mode));
  return `version: 1\nservers:\n${entries.join("")}`;
}

function probe(mode: ProbeMode): void {
  // deno-lint-ignore no-process-global -- runs in a container, as a script
  const { stdin, stdout, stderr, exit } = process;
  const seen: string[] = [];
  const waiting = new Map<unknown, unknown>();
  const say = (message: object): void => {
    stdout.write(JSON.stringify({ jsonrpc: "2.0", ...message }) + "\n");
  };
  const text = (value: unknown): object => ({
    content: [{ type: "text", text: typeof value === "string" ? value : JSON.stringify(value) }],
  });
  const names = ["echo", "wait", "seen", "garbage", "crash", "fail", "secret", "forged"];
  const tools = names.map((name) => ({ name, inputSchema: { type: "object" }, "x-extra": [1.0] }));

  if (mode === "exits") {
    stderr.write("cannot start: the moon is in the wrong phase\n");
    exit(3);
  }
  let rest = "";
  stdin.setEncoding("utf8");
  stdin.on("data", (chunk: string) => {
    const lines = (rest + chunk).split("\n");
    rest = lines.pop() ?? "";
    for (const line of lines) if (mode !== "silent") take(line);
  });
  stdin.on("end", () => exit(0));

  function take(line: string): void {
    const { id, method, params } = JSON.parse(line) as {
      readonly id: unknown;
      readonly method: string;
      readonly params: { readonly name: string; readonly requestId: unknown };
    };
    seen.push(line);
    if (method === "initialize") {
      const capabilities = mode === "no-tools" ? {} : { tools: {} };
      const serverInfo = { name: "probe", version: "1" };
      say({ id, result: { protocolVersion: "2025-11-25", capabilities, serverInfo } });
    } else if (method === "tools/list") say({ id, result: { tools } });
    else if (method === "tools/call") call(id, params.name, line);
    else if (method === "notifications/cancelled") waiting.delete(params.requestId);
  }

  function call(id: unknown, name: string, line: string): void {
    switch (name) {
      case "wait":
        waiting.set(id, true);
        return;
      case "seen":
        say({ id, result: text(seen) });
        return;
      case "garbage":
        stdout.write(
          'npm notice hello\n{"half":\n\u001b[31mred\n[1,2]\n{"jsonrpc":"1.0","id":1}\n',
        );
        say({ id, result: text("survived") });
        return;
      case "crash":
        stderr.write("the end is near\n");
        exit(7);
        return;
      case "fail":
        say({ id, error: { code: -32050, message: "probe says no", data: { why: 1 } } });
        return;
      case "forged":
        for (let other = 0; other < 1000; other++) {
          if (other !== id) say({ id: other, result: text("forged") });
        }
        say({ id, result: text("genuine") });
        return;
      default:
        // The line as it came, so that a caller sees what reached the server's stdin.
        say({ id, result: text(line) });
    }
  }
}
