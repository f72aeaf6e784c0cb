import { readFileSync, readlinkSync } from 'node:fs';
import { hostname } from 'node:os';

/** Who holds a lock, as the lock file tells it. */
export interface LockHolder {
  readonly host: string;
  readonly pid: number;
  /** Boot and process namespace: only within one of them do process ids mean anything. Empty where the system has neither. */
  readonly machine: string;
  /** When the process began, in the system's ticks: tells it from a later process of the same number. */
  readonly processStart: string;
  /** When the lock was taken, ISO 8601. */
  readonly since: string;
}

/** This process as a holder. */
export function thisProcess(since: string): LockHolder {
  const { pid } = process;
  return { host: hostname(), pid, machine: thisMachine(), processStart: statusOf(pid)?.start ?? '', since };
}

/** What a lock file says; null when it was never written to its end. */
export function readHolder(text: string): LockHolder | null {
  try {
    const { host, pid, machine, processStart, since } = JSON.parse(text) as Partial<LockHolder>;
    if (host === undefined || pid === undefined || since === undefined) return null;
    return { host, pid, machine: machine ?? '', processStart: processStart ?? '', since };
  } catch {
    return null;
  }
}

export const nameHolder = ({ host, pid, since }: LockHolder): string =>
  `process ${pid} on ${host}, since ${since.replace('T', ' ').replace(/(\.\d+)?Z$/, ' UTC')}`;

/** Whether the holder's process ids mean the same here as there. */
export const isOnThisMachine = (holder: LockHolder): boolean =>
  holder.host === hostname() && holder.machine === thisMachine();

/** Whether a holder on this machine lives. A process that nobody has buried yet (a zombie) does not. */
export function isAlive({ pid, processStart }: LockHolder): boolean {
  try {
    process.kill(pid, 0);
  } catch (error) {
    // Someone else's process may not be signalled, but it is there.
    if ((error as NodeJS.ErrnoException).code !== 'EPERM') return false;
  }
  const status = statusOf(pid);
  return status === null || (status.start === processStart && status.state !== 'Z' && status.state !== 'X');
}

function thisMachine(): string {
  try {
    const boot = readFileSync('/proc/sys/kernel/random/boot_id', 'latin1').trim();
    return `${boot} ${readlinkSync('/proc/self/ns/pid')}`;
  } catch {
    return '';
  }
}

/** State and start of a process from `/proc/PID/stat`, fields 3 and 22; null where there is no such file. */
function statusOf(pid: number): { readonly state: string; readonly start: string } | null {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, 'latin1');
    // The name, in parentheses, may hold anything.
    const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
    return { state: fields[0], start: fields[19] };
  } catch {
    return null;
  }
}
