/** What a reference is pinned to. */
export interface Pin {
  /** `sha256:…` of the registry's manifest, or the id of an image that is from no registry. */
  readonly digest: string;
}

/** The digests of `mcp-runner.lock`, beside the config. */
export interface ImageLock {
  get(reference: string): Pin | undefined;
  /** Keeps a pin; resolves when the file is written. */
  set(reference: string, pin: Pin): Promise<void>;
}
