// What the processes below one process use, read from /proc (Linux). Elsewhere everything is empty.
import { readdirSync, readFileSync } from 'node:fs';

const read = (path) => {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    // The process ended between the listing and the reading.
    return null;
  }
};

const kibibytes = (status, field) => Number(new RegExp(`^${field}:\\s+(\\d+) kB`, 'm').exec(status)?.[1] ?? 0);

/** pid → parent's pid of the processes that were there at the last look: looking must not slow down what is looked at. */
const known = new Map();

/** Every process of the machine: pid → parent's pid, as it was when the process was first seen. */
const parents = () => {
  let names = [];
  try {
    names = readdirSync('/proc').filter((name) => /^\d+$/.test(name));
  } catch {
    return known;
  }
  const pids = names.map(Number);
  const present = new Set(pids);
  for (const pid of [...known.keys()]) if (!present.has(pid)) known.delete(pid);
  for (const pid of pids) {
    if (known.has(pid)) continue;
    // The command stands in parentheses and may itself hold spaces and parentheses: fields count from the last one.
    const stat = read(`/proc/${pid}/stat`);
    if (stat !== null) known.set(pid, Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1]));
  }
  return known;
};

/** The pid itself and all its descendants. */
const descendants = (root) => {
  const found = [root];
  const all = parents();
  for (let i = 0; i < found.length; i++) for (const [pid, parent] of all) if (parent === found[i]) found.push(pid);
  return found.filter((pid) => all.has(pid));
};

/**
 * One look at a process and its descendants.
 *
 * @param {number} root pid
 * @returns {{ pid: number, command: string, residentBytes: number, peakResidentBytes: number }[]}
 */
export const observeTree = (root) =>
  descendants(root).flatMap((pid) => {
    const status = read(`/proc/${pid}/status`);
    const command = read(`/proc/${pid}/cmdline`);
    if (status === null || !command) return [];
    return [
      {
        pid,
        command: command.split('\0').filter(Boolean).join(' '),
        residentBytes: kibibytes(status, 'VmRSS') * 1024,
        // The kernel keeps the maximum itself, so that a peak between two looks is not missed.
        peakResidentBytes: kibibytes(status, 'VmHWM') * 1024,
      },
    ];
  });
