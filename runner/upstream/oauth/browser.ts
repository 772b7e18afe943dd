import { spawn } from "node:child_process";

/** The program of each system that opens a URL, without a shell in between. */
const OPENERS: Readonly<Record<string, readonly [program: string, ...args: string[]]>> = {
  darwin: ["open"],
  win32: ["rundll32", "url.dll,FileProtocolHandler"],
  linux: ["xdg-open"],
};

/**
 * Opens a URL in the user's browser.
 *
 * @param url `https:` or `http:`: it comes from a server, and other schemes start other programs.
 * @returns Whether a program was started for it.
 */
export function openBrowser(url: URL): Promise<boolean> {
  const opener = OPENERS[process.platform];
  if (opener === undefined || !/^https?:$/.test(url.protocol)) return Promise.resolve(false);
  const [program, ...args] = opener;
  return new Promise((resolve) => {
    const child = spawn(program, [...args, url.href], { stdio: "ignore", detached: true });
    child.once("error", () => resolve(false));
    child.once("spawn", () => {
      child.unref();
      resolve(true);
    });
  });
}
