/** What is asked of the process: Node's own `process` has it. */
export interface WatchedProcess {
  readonly ppid: number;
  readonly connected?: boolean;
  once(event: 'disconnect', listener: () => void): unknown;
  removeListener(event: 'disconnect', listener: () => void): unknown;
}

/** An orphan is handed to another parent at once; nothing tells it, so it has to look. */
const POLL_INTERVAL_MS = 500;

/** Read when the program starts, not when someone begins to watch: an orphan has another one. */
const PARENT_AT_START = process.ppid;

/**
 * Calls `onGone` once when the parent process has ended: its message channel closed, where there is one, or this process
 * was handed to another parent.
 *
 * @param parent - its process id, where it is known
 * @returns how to stop watching
 */
export function watchParent(
  onGone: () => void,
  parent = PARENT_AT_START,
  watched: WatchedProcess = process,
): () => void {
  let isOver = false;
  const stop = (): void => {
    isOver = true;
    clearInterval(timer);
    watched.removeListener('disconnect', gone);
  };
  const gone = (): void => {
    if (isOver) return;
    stop();
    onGone();
  };
  const look = (): void => {
    if (watched.ppid !== parent) gone();
  };
  const timer = setInterval(look, POLL_INTERVAL_MS);
  timer.unref();
  if (watched.connected === true) watched.once('disconnect', gone);
  look();
  return stop;
}
