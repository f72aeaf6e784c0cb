const SIGNALS = ['SIGTERM', 'SIGINT'] as const;
export type StopSignal = (typeof SIGNALS)[number];

/**
 * Signals that come closer together than this are one. Slurm signals every process of a step, and those above this one
 * (`apptainer run`, tini) pass on what they get: the same request arrives up to three times within milliseconds.
 */
const SAME_REQUEST_MS = 1_000;

/**
 * Calls `listener` each time this process is asked to stop, by SIGTERM or SIGINT.
 *
 * @param nowMs - a clock that never goes back
 * @param source - who emits the signals
 * @returns how to stop listening: further requests then end the process as usual
 */
export function onStopSignals(
  listener: (signal: StopSignal) => void,
  nowMs: () => number = () => performance.now(),
  source: Pick<NodeJS.Process, 'on' | 'off'> = process,
): () => void {
  let askedMs = Number.NEGATIVE_INFINITY;
  let told: typeof listener | null = listener;
  const hear = (signal: StopSignal): void => {
    const heardMs = nowMs();
    if (heardMs - askedMs < SAME_REQUEST_MS) return;
    askedMs = heardMs;
    told?.(signal);
  };
  const forget = (): void => {
    for (const signal of SIGNALS) source.off(signal, hear);
  };
  for (const signal of SIGNALS) source.on(signal, hear);
  return () => {
    told = null;
    // Who ends in order within milliseconds is not to die of the rest of the request: for that it has to end by process.exit, as
    // the launcher does, since Node takes these handlers away before it ends by itself.
    const restMs = askedMs + SAME_REQUEST_MS - nowMs();
    if (restMs > 0) setTimeout(forget, restMs).unref();
    else forget();
  };
}
