import { readFile } from "node:fs/promises";
import * as v from "valibot";
import { GatewayError } from "../../src/errors.ts";

/** Where the proxy's program is: beside the built runner, or where a build from source puts it. */
const PLACES = ["./egress.js", "../../dist/egress.js"];

const missing = v.object({ code: v.literal("ENOENT") });

/**
 * Reads the program of the proxy.
 *
 * @throws {GatewayError} `image_missing` when it was not built.
 */
export async function readProgram(): Promise<string> {
  for (const place of PLACES) {
    try {
      return await readFile(new URL(place, import.meta.url), "utf8");
    } catch (error) {
      if (!v.is(missing, error)) throw error;
    }
  }
  throw new GatewayError(
    "image_missing",
    'Cannot make the network of a server: the program of its proxy is missing, run "npm run build" or install mcp-runner again',
  );
}
