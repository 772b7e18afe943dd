/**
 * A container that starts once more without the engine's init, where that cannot run: a docker-init that is
 * no static program needs the C library of its machine, and finds that of the image
 * (docker/mcp-gateway#250). The engine starts such a container without an error; only its stderr tells.
 * Called by container.ts.
 *
 *     started with init → "/sbin/docker-init: …" on stderr, nothing on stdout, ended
 *                       → started without init → what was written is written again
 *
 * Nothing runs twice: where the init has failed, the server was never started.
 *
 * @module
 */
import type { Exit, StdioContainer } from "./container.ts";
import { Outlet } from "./outlet.ts";

/** What an init says that cannot run: from the kernel through runc, or from the dynamic loader. */
const INIT_FAILED = /^(exec )?\/(sbin\/docker-init|dev\/init): /;

/** Messages that are kept to be written again; a server that got more has long answered. */
const KEPT_MESSAGES = 16;

/** See the module. Listeners and writes go to whichever container runs. */
export class InitFallback implements StdioContainer {
  readonly exited: Promise<Exit>;
  readonly #lines = new Outlet<string>();
  readonly #garbage = new Outlet<number>();
  readonly #stderr = new Outlet<string>();
  #current: StdioContainer;
  #restart: (() => Promise<StdioContainer>) | undefined;
  #sent: string[] = [];
  #initFailed = false;
  #stopped = false;

  /** @param restart Starts the container once more without init. */
  constructor(first: StdioContainer, restart: () => Promise<StdioContainer>) {
    this.#current = first;
    this.#restart = restart;
    this.#connect();
    this.exited = this.#end();
  }

  get id(): string {
    return this.#current.id;
  }

  get warnings(): readonly string[] {
    return this.#current.warnings;
  }

  write(line: string): void {
    if (this.#restart === undefined) return this.#current.write(line);
    this.#sent.push(line);
    if (this.#sent.length > KEPT_MESSAGES) this.#settle();
    try {
      this.#current.write(line);
    } catch (error) {
      // Between the end of the first container and the start of the second, the line waits.
      if (!this.#initFailed) throw error;
    }
  }

  onLine(listener: (line: string) => void): void {
    this.#lines.listen(listener);
  }

  onGarbage(listener: (bytes: number) => void): void {
    this.#garbage.listen(listener);
  }

  onStderr(listener: (line: string) => void): void {
    this.#stderr.listen(listener);
  }

  async stop(graceMs: number): Promise<void> {
    this.#stopped = true;
    await this.#current.stop(graceMs);
    await this.exited;
  }

  #connect(): void {
    this.#current.onLine((line) => {
      this.#settle();
      this.#lines.push(line);
    });
    this.#current.onGarbage((bytes) => this.#garbage.push(bytes));
    this.#current.onStderr((line) => {
      if (this.#restart !== undefined && INIT_FAILED.test(line)) this.#initFailed = true;
      this.#stderr.push(line);
    });
  }

  /** The server runs: nothing is to be repeated. */
  #settle(): void {
    this.#restart = undefined;
    this.#sent = [];
  }

  async #end(): Promise<Exit> {
    const exit = await this.#current.exited;
    const restart = this.#restart;
    if (restart === undefined || !this.#initFailed || this.#stopped) return exit;
    let second: StdioContainer;
    try {
      second = await restart();
    } catch (error) {
      this.#stderr.push(error instanceof Error ? error.message : String(error));
      return exit;
    }
    const sent = this.#sent;
    this.#current = second;
    this.#settle();
    this.#connect();
    if (this.#stopped) await second.stop(0);
    else for (const line of sent) second.write(line);
    return await second.exited;
  }
}
