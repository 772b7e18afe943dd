/**
 * What a run comes to: figures with a name each, as `--json` prints them. Latencies and rates are
 * medians over the rounds; ratios are taken within each round and then the median of them.
 *
 * @module
 */
import type { Measured } from "./load.ts";
import { type Load, LOADS } from "./options.ts";
import type { Paired } from "./paired.ts";
import type { Results } from "./rounds.ts";
import { type Figure, figure, median, ratio } from "./statistics.ts";
import type { Subject } from "./subject/subject.ts";

/** One figure of the benchmark. */
export interface Item extends Figure {
  readonly name: string;
  /** Whether it could be measured, and is within its bound. */
  readonly ok: boolean;
  readonly unit: "ms" | "calls/s" | "×" | "%";
  /** What is promised; null: nothing yet. */
  readonly bound: number | null;
}

/** Who is who among the subjects. */
export interface Cast {
  readonly attach: Subject;
  readonly relay: Subject;
  readonly legacy: Subject;
  readonly modern: Subject;
  readonly peers: readonly Subject[];
}

type Metric = keyof Measured;

/** What is measured of a load: member, name, unit. */
export const METRICS = [
  ["p50Ms", "p50", "ms"],
  ["p99Ms", "p99", "ms"],
  ["callsPerSecond", "calls per second", "calls/s"],
] as const;

/** Latencies and rates of every subject at every load. */
export function loadItems(results: Results): readonly Item[] {
  return LOADS.flatMap((load) =>
    [...results[load]].flatMap(([{ name }, rounds]) =>
      METRICS.map(([metric, label, unit]) =>
        item(`${name}: ${label} at ${load}`, unit, figure(rounds.map((round) => round[metric])))
      )
    )
  );
}

/** How mcp-runner compares to its parts and to its peers. */
export function ratioItems(results: Results, cast: Cast): readonly Item[] {
  const { attach, relay, legacy, modern } = cast;
  const values = (load: Load, subject: Subject, metric: Metric): readonly number[] =>
    (results[load].get(subject) ?? []).map((round) => round[metric]);
  const over = (load: Load, metric: Metric, ours: Subject, baseline: Subject): Figure =>
    ratio(values(load, ours, metric), values(load, baseline, metric));
  const best = (load: Load, metric: Metric): readonly Subject[] => {
    const rank = (peer: Subject): number => median(values(load, peer, metric));
    const sign = metric === "callsPerSecond" ? -1 : 1;
    return cast.peers.toSorted((a, b) => sign * (rank(a) - rank(b))).slice(0, 1);
  };

  const relayMs = values(1, relay, "p50Ms");
  const partsMs = values(1, attach, "p50Ms").map((ms, round) => ms + (relayMs[round] ?? NaN));
  const parts = [legacy, modern].map((ours) =>
    item(
      `${ours.name} ÷ (${attach.name} + ${relay.name}): p50 at 1`,
      "×",
      ratio(values(1, ours, "p50Ms"), partsMs),
    )
  );
  const shares = [legacy, modern].map((ours) => {
    const { value, min, max } = over(16, "callsPerSecond", ours, relay);
    const percent = { value: 100 * value, min: 100 * min, max: 100 * max };
    return item(`${ours.name} of ${relay.name}: calls per second at 16`, "%", percent);
  });
  const compared = LOADS.flatMap((load) =>
    (["p50Ms", "callsPerSecond"] as const).flatMap((metric) => {
      const what = `${metric === "p50Ms" ? "p50" : "calls per second"} at ${load}`;
      const each = cast.peers.map((peer) =>
        item(`${legacy.name} ÷ ${peer.name}: ${what}`, "×", over(load, metric, legacy, peer))
      );
      const all = [legacy, modern].flatMap((ours) =>
        best(load, metric).map((peer) =>
          item(`${ours.name} ÷ best peer: ${what}`, "×", over(load, metric, ours, peer))
        )
      );
      return [...each, ...all];
    })
  );
  return [...parts, ...shares, ...compared];
}

/** Times beside their baselines, and the ratio. */
export function pairedItems({ name, ms, baseline, baselineMs }: Paired): readonly Item[] {
  return [
    item(name, "ms", figure(ms)),
    item(baseline, "ms", figure(baselineMs)),
    item(`${name} ÷ ${baseline}`, "×", ratio(ms, baselineMs)),
  ];
}

function item(name: string, unit: Item["unit"], { value, min, max }: Figure): Item {
  return {
    name,
    ok: true,
    value: round(value),
    unit,
    bound: null,
    min: round(min),
    max: round(max),
  };
}

/** Four digits: more of them would be noise. */
function round(value: number): number {
  return Number(value.toPrecision(4));
}
