import { existsSync, readFileSync, readdirSync, readlinkSync } from 'node:fs';

/** Set in the environment of every process that a bench starts; children inherit it. */
export const MARK = 'SHARDEX_CHAOS_MARK';

/** Ids and commands of living processes that carry the mark. None where the system has no /proc. */
export function markedProcesses(mark: string): string[] {
  if (!existsSync('/proc/self')) return [];
  const ids = readdirSync('/proc').filter((name) => /^\d+$/.test(name));
  return ids.flatMap((id) => {
    try {
      const environment = readFileSync(`/proc/${id}/environ`, 'utf8').split('\0');
      const command = readFileSync(`/proc/${id}/cmdline`, 'utf8').replaceAll('\0', ' ').trim();
      // A zombie has no command any more.
      return environment.includes(`${MARK}=${mark}`) && command !== '' ? [`${id} ${command}`] : [];
    } catch {
      // It has ended since the folder was listed.
      return [];
    }
  });
}

/** What each open descriptor of a process leads to, sorted; inode numbers are left out so that two lists compare. */
export function openDescriptors(pid: number): string[] {
  const folder = `/proc/${pid}/fd`;
  return readdirSync(folder)
    .flatMap((name) => {
      try {
        return [readlinkSync(`${folder}/${name}`).replace(/\[\d+\]$/, '')];
      } catch {
        return [];
      }
    })
    .sort();
}

/** What is open beyond a list that was taken before. */
export function descriptorsBeyond(pid: number, before: readonly string[]): string[] {
  const left = [...before];
  return openDescriptors(pid).filter((target) => {
    const place = left.indexOf(target);
    if (place >= 0) left.splice(place, 1);
    return place < 0;
  });
}
