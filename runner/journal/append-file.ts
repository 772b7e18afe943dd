import { type FileHandle, open } from "node:fs/promises";

/** A file could not take all lines. */
export class AppendError extends Error {
  override readonly name = "AppendError";
  /** Lines that it took whole. */
  readonly lines: number;

  constructor(lines: number, cause: unknown) {
    super("Cannot append to the file", { cause });
    this.lines = lines;
  }
}

/** A file of lines that only grows. One writer at a time. */
export class AppendFile {
  readonly #handle: FileHandle;
  #size: number;
  /** Whether its last line has no end: the writer before was killed, or the disk was full. */
  #torn: boolean;

  private constructor(handle: FileHandle, size: number, torn: boolean) {
    this.#handle = handle;
    this.#size = size;
    this.#torn = torn;
  }

  /** Opens the file, or makes it, for its user alone. Rejects as the file system does. */
  static async open(path: string): Promise<AppendFile> {
    const handle = await open(path, "a+", 0o600);
    try {
      const { size } = await handle.stat();
      const last = new Uint8Array(1);
      if (size > 0) await handle.read(last, 0, 1, size - 1);
      return new AppendFile(handle, size, size > 0 && last[0] !== LINE_FEED);
    } catch (error) {
      await handle.close();
      throw error;
    }
  }

  /** Bytes. */
  get size(): number {
    return this.#size;
  }

  /**
   * Appends lines, each with its line feed, with as few system calls as they take.
   *
   * @throws {AppendError} with the number of those that are written; the next one written begins a new line.
   */
  async append(lines: readonly string[]): Promise<void> {
    const torn = this.#torn ? "\n" : "";
    const bytes = Buffer.from(torn + lines.join(""));
    let written = 0;
    try {
      while (written < bytes.length) {
        const { bytesWritten } = await this.#handle.write(bytes, written, bytes.length - written);
        written += bytesWritten;
        this.#size += bytesWritten;
      }
      this.#torn = false;
    } catch (cause) {
      const whole = bytes.subarray(0, written);
      if (written > 0) this.#torn = whole.at(-1) !== LINE_FEED;
      throw new AppendError(count(whole) - (written > 0 ? torn.length : 0), cause);
    }
  }

  /** Waits until all is on the disk, then closes the file. */
  async close(): Promise<void> {
    try {
      await this.#handle.datasync();
    } finally {
      await this.#handle.close();
    }
  }
}

const LINE_FEED = 0x0a;

function count(bytes: Uint8Array): number {
  let lines = 0;
  for (const byte of bytes) if (byte === LINE_FEED) lines++;
  return lines;
}
