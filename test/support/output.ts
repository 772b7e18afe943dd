/**
 * What a child process prints, to be waited for.
 *
 * @module
 */
import type { ChildProcess } from "node:child_process";

/** The output of a process. */
export interface Output {
  /** Both streams as they came. */
  output(): string;
  /** All of stdout so far. */
  stdout(): string;
  /**
   * Resolves once the output matches; rejects with the output when the process ends or `ms` pass
   * before.
   */
  printed(pattern: RegExp, ms?: number): Promise<RegExpExecArray>;
}

/** Follows both streams of `child`; `ended` settles when they are closed. */
export function followOutput(child: ChildProcess, ended: Promise<unknown>): Output {
  let stdout = "";
  let output = "";
  const waiting = new Set<() => void>();
  const add = (text: string): void => {
    output += text;
    for (const look of waiting) look();
  };
  child.stdout?.setEncoding("utf8").on("data", (text: string) => {
    stdout += text;
    add(text);
  });
  child.stderr?.setEncoding("utf8").on("data", add);

  function printed(pattern: RegExp, ms = 60_000): Promise<RegExpExecArray> {
    return new Promise((resolve, reject) => {
      const end = (): void => {
        clearTimeout(timer);
        waiting.delete(look);
      };
      const fail = (): void => {
        end();
        reject(new Error(`The program did not print ${pattern}; it printed:\n${output}`));
      };
      const look = (): void => {
        const match = pattern.exec(output);
        if (match === null) return;
        end();
        resolve(match);
      };
      const timer = setTimeout(fail, ms);
      waiting.add(look);
      look();
      void ended.then(fail, fail);
    });
  }

  return { output: () => output, stdout: () => stdout, printed };
}
