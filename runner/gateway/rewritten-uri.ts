/**
 * URIs of a server that also another server has. Clients see them in a form that names the server and
 * that can be turned back:
 *
 *     file:///notes.txt  ⇄  mcpr.<server>+file:///notes.txt
 *     ui://chart         ⇄  ui://mcpr.<server>/chart          (hosts of MCP Apps look for the scheme)
 *
 * Templates likewise: what they expand to is then such a URI.
 *
 * @module
 */
const UI = "ui://";
const PLAIN_FORM = /^mcpr\.([a-z0-9-]{1,32})\+(.*)$/s;
const UI_FORM = /^ui:\/\/mcpr\.([a-z0-9-]{1,32})\/(.*)$/s;

/** `uri` or a URI template of `server`, in the form that names it. */
export function rewriteUri(server: string, uri: string): string {
  return uri.startsWith(UI)
    ? `${UI}mcpr.${server}/${uri.slice(UI.length)}`
    : `mcpr.${server}+${uri}`;
}

/** The server and its own URI that a rewritten one stands for; undefined for any other URI. */
export function readRewritten(
  uri: string,
): { readonly server: string; readonly own: string } | undefined {
  const [, server, own = ""] = PLAIN_FORM.exec(uri) ?? [];
  if (server !== undefined) return { server, own };
  const [, uiServer, rest = ""] = UI_FORM.exec(uri) ?? [];
  return uiServer === undefined ? undefined : { server: uiServer, own: UI + rest };
}
