/** The stateless revision: every request carries its version, capabilities and caller. */
export const MODERN_REVISION = "2026-07-28";

/** Revisions with a handshake and sessions that clients may still speak, newest first. */
export const LEGACY_REVISIONS = ["2025-11-25", "2025-06-18", "2025-03-26"] as const;

/** A legacy revision that we serve. */
export type LegacyRevision = (typeof LEGACY_REVISIONS)[number];

/** The newest legacy revision: what we speak to legacy servers and offer to unknown clients. */
export const LATEST_LEGACY_REVISION: LegacyRevision = LEGACY_REVISIONS[0];

/** Whether `version` is a revision served with `initialize` and sessions. */
export function isLegacyRevision(version: string): version is LegacyRevision {
  return (LEGACY_REVISIONS as readonly string[]).includes(version);
}

/** Whether a version names a stateless revision, known or not: those are dates from MODERN_REVISION on. */
export function claimsModern(version: string): boolean {
  return /^\d{4}-\d{2}-\d{2}$/.test(version) && version >= MODERN_REVISION;
}
