/**
 * The other half of the bare relay: dials, as the runner does, and sends every message back.
 *
 * @module
 */
import { WebSocket } from "undici";

const socket = new WebSocket(process.argv[2] ?? "");
socket.onopen = () => process.stdout.write("connected\n");
socket.onmessage = ({ data }) => socket.send(String(data));
socket.onclose = () => process.exit();
