/**
 * A second process on a store's file: opens the file named by its first argument, says "ready", waits
 * for a line, counts the entry "count" up 300 times, each time on condition that nobody else did, and
 * says "done". With `--stay` it then keeps the file open until it is killed.
 *
 * @module
 */
import { once } from "node:events";
import { openSqliteStore } from "../../worker/store/node-sqlite.ts";
import { increment } from "./store-moves.ts";

const [path, stay] = process.argv.slice(2);
if (path === undefined) throw new TypeError("Cannot count: no path of a store is given");

const store = openSqliteStore(path);
console.log("ready");
await once(process.stdin, "data");
for (let n = 0; n < 300; n++) await increment(store, "count");
console.log("done");
if (stay === undefined) {
  store.close();
  process.stdin.destroy();
}
