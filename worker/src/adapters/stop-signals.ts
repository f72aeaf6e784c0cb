const SIGNALS = ['SIGTERM', 'SIGINT'] as const;
export type StopSignal = (typeof SIGNALS)[number];

/** @returns how to stop listening: the signals then end the process as usual */
export function onStopSignals(first: (signal: StopSignal) => void, further: (signal: StopSignal) => void): () => void {
  let hasFired = false;
  const listener = (signal: StopSignal): void => {
    const call = hasFired ? further : first;
    hasFired = true;
    call(signal);
  };
  for (const signal of SIGNALS) process.on(signal, listener);
  return () => {
    for (const signal of SIGNALS) process.removeListener(signal, listener);
  };
}
