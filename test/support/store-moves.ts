import type { Store } from "../../worker/store/store.ts";

/** Reads and deletes the entry at `key`; whether this caller is the one that got it. */
export async function take(store: Store, key: string): Promise<boolean> {
  const entry = await store.get(key);
  if (entry === undefined) return false;
  return await store.commit({ check: [{ key, version: entry.version }], del: [key] });
}

/** Adds one to the number at `key`, again and again until nobody else has changed it meanwhile. */
export async function increment(store: Store, key: string): Promise<void> {
  for (;;) {
    const { value, version } = await store.get(key) ?? { value: "0", version: 0 };
    const set = [{ key, value: String(Number(value) + 1) }];
    if (await store.commit({ check: [{ key, version }], set })) return;
  }
}
