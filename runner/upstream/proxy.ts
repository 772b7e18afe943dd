/** Variables of an environment. */
export type Environment = Readonly<Record<string, string | undefined>>;

/**
 * The proxy that the user's environment names for `url`: `HTTPS_PROXY`, unless `NO_PROXY` has the host.
 * What is not encrypted is on this machine, and goes through no proxy.
 *
 * @returns Its URL, which may hold credentials; undefined without one, and for text that is no URL of
 * a proxy.
 */
export function proxyOf(url: URL, env: Environment): string | undefined {
  const proxy = env["https_proxy"] || env["HTTPS_PROXY"];
  if (proxy === undefined || proxy === "" || url.protocol !== "https:") return undefined;
  const text = /^[a-z][a-z0-9+.-]*:\/\//i.test(proxy) ? proxy : `http://${proxy}`;
  if (!/^https?:\/\//i.test(text) || !URL.canParse(text)) return undefined;
  return isExcepted(url, env["no_proxy"] || env["NO_PROXY"] || "") ? undefined : text;
}

/** Whether `NO_PROXY` names the host of `url`: `host`, `.domain`, `*.domain` or `*`, each with a port or without. */
function isExcepted({ hostname, port }: URL, exceptions: string): boolean {
  const host = hostname.replace(/^\[|\]$/g, "").replace(/\.$/, "");
  return exceptions.toLowerCase().split(/[\s,]+/).some((exception) => {
    if (exception === "") return false;
    if (exception === "*") return true;
    const [, name = "", only] = /^\[?([^\]]*?)\]?(?::(\d+))?$/.exec(exception) ?? [];
    if (only !== undefined && only !== (port || "443")) return false;
    const domain = name.replace(/^\*?\./, "");
    return host === domain || host.endsWith(`.${domain}`);
  });
}
