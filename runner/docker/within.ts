/**
 * Waiting with an end. Called by attached.ts and exit.ts.
 *
 * @module
 */

/** Whether `promise` resolves within `ms` milliseconds. The timer ends with the answer. */
export async function within(ms: number, promise: Promise<unknown>): Promise<boolean> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<boolean>((resolve) => {
    timer = setTimeout(() => resolve(false), ms);
  });
  try {
    return await Promise.race([promise.then(() => true), late]);
  } finally {
    clearTimeout(timer);
  }
}
