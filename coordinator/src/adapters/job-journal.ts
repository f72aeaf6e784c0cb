import { createHash } from 'node:crypto';
import { open, readdir, rename, rm, type FileHandle } from 'node:fs/promises';
import { join } from 'node:path';
import { CorruptDataError, toShardexError, type ShardexError } from '@shardex/shared/errors';
import { taskId, type JobId, type TaskId } from '@shardex/shared/ids';
import { makeFolder } from '@shardex/shared/storage';
import type { JobRecord, LogEntry } from '../domain/index.js';
import type { Clock } from './clock.js';
import { FolderLock } from './lock/index.js';

/** One line of the journal: what a job is now, or one line of its story. */
export type JournalLine =
  { readonly kind: 'job'; readonly record: JobRecord } | { readonly kind: 'entry'; readonly entry: LogEntry };

/** A job as the journal tells it. */
export interface JournalledJob {
  readonly record: JobRecord;
  readonly entries: readonly LogEntry[];
}

/** The journal is written anew when it is as long as this and twice as long as it was at its beginning. */
const COMPACT_BYTES = 16 * 2 ** 20;
const COMPACT_FACTOR = 2;

const PREFIX = 'journal-';
const fileOf = (number: number): string => `${PREFIX}${String(number).padStart(6, '0')}.jsonl`;

/**
 * What a coordinator has decided, in a folder that it holds alone: lines of JSON, each behind a checksum, appended and
 * synced in groups. Of a job the last line counts.
 *
 * Every coordinator writes a file of its own number, beginning with what the one before it had said. So the lines of one
 * that was taken for dead go to a file that nobody reads any more, and `flushed` tells it so.
 */
export class JobJournal {
  /** Jobs of earlier lives, in order of submission. */
  readonly jobs: readonly JournalledJob[];
  /** Told once when the journal cannot be written, or somebody else has taken over the folder. */
  onBroken: (error: ShardexError) => void = () => undefined;
  /** Asked for everything that is still of interest when the journal has grown long. */
  snapshot: (() => Iterable<JournalLine>) | null = null;
  readonly #folder: string;
  readonly #path: string;
  readonly #lock: FolderLock;
  #file: FileHandle;
  #bytes = 0;
  #bytesAtStart = 0;
  #waiting: string[] = [];
  #writing: Promise<void> = Promise.resolve();
  #broken: ShardexError | null = null;

  private constructor(
    folder: string,
    path: string,
    lock: FolderLock,
    file: FileHandle,
    jobs: readonly JournalledJob[],
  ) {
    this.#folder = folder;
    this.#path = path;
    this.#lock = lock;
    this.#file = file;
    this.jobs = jobs;
  }

  /**
   * Takes the folder, reads what is there, and begins a file of its own.
   *
   * @throws InvalidInputError when another coordinator holds the folder; CorruptDataError when a line is damaged that was
   *   followed by others (a last one that was cut off is left out: nobody was told of it)
   */
  static async open(folder: string, clock: Clock): Promise<JobJournal> {
    let broken: (error: ShardexError) => void = () => undefined;
    await makeFolder(folder);
    const lock = await FolderLock.take(folder, {
      clock,
      refusal: 'another coordinator keeps its jobs in',
      hint: 'stop it first, or choose another --state',
      onLost: (error) => broken(error),
    });
    try {
      const numbers = await numbersIn(folder);
      const latest = numbers.at(-1) ?? 0;
      const lines = latest === 0 ? [] : await readLines(join(folder, fileOf(latest)));
      const jobs = jobsOf(lines);
      const path = join(folder, fileOf(latest + 1));
      const { file, bytes } = await writeWhole(folder, path, linesOf(jobs));
      const journal = new JobJournal(folder, path, lock, file, jobs);
      journal.#bytes = journal.#bytesAtStart = bytes;
      for (const number of numbers) await rm(join(folder, fileOf(number)), { force: true });
      broken = (error) => journal.#break(error);
      return journal;
    } catch (error) {
      await lock.release();
      throw toShardexError(error, `reading the jobs in ${folder}`);
    }
  }

  /** Writes a line soon; `flushed` tells when it is safe. */
  append(line: JournalLine): void {
    if (this.#broken !== null) return;
    this.#waiting.push(encodeLine(line));
    if (this.#waiting.length === 1) this.#writing = this.#writing.then(() => this.#write());
  }

  /**
   * Resolves when everything appended so far would outlive this process, and this process is still the one that counts.
   *
   * @throws the error that broke the journal
   */
  async flushed(): Promise<void> {
    await this.#writing;
    if (this.#broken === null) {
      await this.#lock.confirm().catch((error: unknown) => this.#break(toShardexError(error, 'writing the journal')));
    }
    if (this.#broken !== null) throw this.#broken;
  }

  async close(): Promise<void> {
    await this.#writing;
    await this.#file.close();
    await this.#lock.release();
  }

  async #write(): Promise<void> {
    const text = this.#waiting.join('');
    this.#waiting = [];
    if (text === '') return;
    try {
      await this.#file.appendFile(text);
      await this.#file.datasync();
      this.#bytes += Buffer.byteLength(text);
      const isLong = this.#bytes > COMPACT_BYTES && this.#bytes > COMPACT_FACTOR * this.#bytesAtStart;
      if (isLong && this.snapshot !== null) await this.#compact(this.snapshot());
    } catch (error) {
      this.#break(toShardexError(error, `writing the journal in ${this.#folder}`));
    }
  }

  async #compact(lines: Iterable<JournalLine>): Promise<void> {
    const all = [...lines];
    // What was appended while the last lines were written is in the snapshot too.
    this.#waiting = [];
    const { file, bytes } = await writeWhole(this.#folder, this.#path, all);
    await this.#file.close();
    this.#file = file;
    this.#bytes = this.#bytesAtStart = bytes;
  }

  #break(error: ShardexError): void {
    if (this.#broken !== null) return;
    this.#broken = error;
    this.onBroken(error);
  }
}

/** The highest attempt granted of each task, as the story tells it. */
export function attemptsIn(entries: readonly LogEntry[]): Map<TaskId, number> {
  const attempts = new Map<TaskId, number>();
  for (const { kind, taskId: id, attempt } of entries) {
    if (kind !== 'task-granted' || id === undefined || attempt === undefined) continue;
    attempts.set(taskId(id), Math.max(attempt, attempts.get(id) ?? 0));
  }
  return attempts;
}

/** A checksum, a space, the line as JSON. */
function encodeLine(line: JournalLine): string {
  const text = JSON.stringify(line);
  return `${checksum(text)} ${text}\n`;
}

const checksum = (text: string): string => createHash('sha256').update(text).digest('hex').slice(0, 12);

/** @returns null when the line is not what was written */
function decodeLine(line: string): JournalLine | null {
  const text = line.slice(13);
  return line.slice(0, 13) === `${checksum(text)} ` ? (JSON.parse(text) as JournalLine) : null;
}

async function readLines(path: string): Promise<JournalLine[]> {
  const good: JournalLine[] = [];
  let firstBad = 0;
  let number = 0;
  const file = await open(path, 'r');
  for await (const text of file.readLines({ autoClose: true })) {
    number += 1;
    const line = decodeLine(text);
    if (line === null) firstBad ||= number;
    else if (firstBad === 0) good.push(line);
    else {
      throw new CorruptDataError(`line ${firstBad} of ${path} is damaged`, {
        hint: 'restore the file from a copy, or move it away to begin without jobs',
        details: { path, line: firstBad },
      });
    }
  }
  return good;
}

function jobsOf(lines: readonly JournalLine[]): JournalledJob[] {
  const jobs = new Map<JobId, { record: JobRecord; entries: LogEntry[] }>();
  for (const line of lines) {
    if (line.kind === 'entry') {
      if (line.entry.jobId !== undefined) jobs.get(line.entry.jobId)?.entries.push(line.entry);
      continue;
    }
    const { record } = line;
    const known = jobs.get(record.jobId);
    if (known !== undefined) known.record = record;
    else jobs.set(record.jobId, { record, entries: [] });
  }
  return [...jobs.values()];
}

function* linesOf(jobs: readonly JournalledJob[]): Generator<JournalLine> {
  for (const { record, entries } of jobs) {
    yield { kind: 'job', record };
    for (const entry of entries) yield { kind: 'entry', entry };
  }
}

/** Writes a journal that appears whole or not at all, and leaves it open at its end. */
async function writeWhole(
  folder: string,
  path: string,
  lines: Iterable<JournalLine>,
): Promise<{ file: FileHandle; bytes: number }> {
  const partial = `${path}.partial`;
  const file = await open(partial, 'w');
  try {
    let bytes = 0;
    for (const line of lines) bytes += (await file.write(encodeLine(line))).bytesWritten;
    await file.sync();
    await rename(partial, path);
    await syncFolder(folder);
    return { file, bytes };
  } catch (error) {
    await file.close();
    throw error;
  }
}

/** A rename outlives a power cut only once the folder itself has been written. */
async function syncFolder(folder: string): Promise<void> {
  const handle = await open(folder, 'r');
  try {
    // Some network file systems refuse to sync a folder; the file is there all the same.
    await handle.sync().catch(() => undefined);
  } finally {
    await handle.close();
  }
}

async function numbersIn(folder: string): Promise<number[]> {
  const names = (await readdir(folder)).filter((name) => name.startsWith(PREFIX) && name.endsWith('.jsonl'));
  return names.map((name) => Number(name.slice(PREFIX.length, -'.jsonl'.length))).sort((a, b) => a - b);
}
