/**
 * Loaded into a peer before its own code: what listens without naming an address listens on
 * 127.0.0.1, not on every interface of the machine. supergateway has no option for it.
 *
 * @module
 */
import { Server } from "node:net";

const { listen } = Server.prototype;

/** @param {unknown[]} args */
Server.prototype.listen = function (...args) {
  const [port, ...rest] = args;
  const bare = typeof port === "number" && typeof rest[0] !== "string";
  Reflect.apply(listen, this, bare ? [{ port, host: "127.0.0.1" }, ...rest] : args);
  return this;
};
