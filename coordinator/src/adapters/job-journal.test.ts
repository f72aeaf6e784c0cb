import { appendFile, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { DEFAULT_DE_PARAMETERS } from '@shardex/shared/config';
import { jobId, taskId } from '@shardex/shared/ids';
import type { JobRecord, LogEntry } from '../domain/index.js';
import { ManualClock } from '../testing/manual-clock.js';
import { attemptsIn, JobJournal } from './job-journal.js';

let folder: string;
const open: JobJournal[] = [];
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'shardex-test-'));
});
afterEach(async () => {
  for (const journal of open.splice(0)) await journal.close().catch(() => undefined);
  await rm(folder, { recursive: true, force: true });
});

async function openJournal(): Promise<JobJournal> {
  const journal = await JobJournal.open(folder, new ManualClock());
  open.push(journal);
  return journal;
}

async function close(journal: JobJournal): Promise<void> {
  open.splice(open.indexOf(journal), 1);
  await journal.close();
}

function record(id: string, state: 'queued' | 'running' = 'queued'): JobRecord {
  const parameters = { ...DEFAULT_DE_PARAMETERS, input: 'in.h5ad', output: 'out' };
  const prepared = { stages: [{ name: 'fit', executor: 'workers' }], params: parameters, warnings: [] } as const;
  const spec = { parameters, existingOutput: 'refuse' } as const;
  const status = { state };
  return { jobId: jobId(id), spec, prepared, submittedMs: 1, startedMs: null, status, warnings: [], end: null };
}

const entry = (id: string, text: string): LogEntry => ({ kind: 'warning', text, atMs: 1, jobId: jobId(id) });

const journalFile = async (): Promise<string> =>
  join(folder, (await readdir(folder)).find((name) => name.endsWith('.jsonl')) ?? expect.fail('no journal'));

describe('a journal of jobs', () => {
  it('tells the next one the latest record of each job and its story, in order of submission', async () => {
    const first = await openJournal();
    first.append({ kind: 'job', record: record('b') });
    first.append({ kind: 'entry', entry: entry('b', 'one') });
    first.append({ kind: 'job', record: record('a') });
    await first.flushed();
    first.append({ kind: 'job', record: record('b', 'running') });
    first.append({ kind: 'entry', entry: entry('b', 'two') });
    await close(first);
    const second = await openJournal();
    expect(second.jobs).toEqual([
      { record: record('b', 'running'), entries: [entry('b', 'one'), entry('b', 'two')] },
      { record: record('a'), entries: [] },
    ]);
    await close(second);
    // What the second one was told is in its own file.
    expect((await openJournal()).jobs).toEqual(second.jobs);
    expect((await readdir(folder)).filter((name) => name.endsWith('.jsonl'))).toEqual(['journal-000003.jsonl']);
  });

  it('leaves out a last line that was cut off, wherever it was', async () => {
    const first = await openJournal();
    first.append({ kind: 'job', record: record('a') });
    await first.flushed();
    const before = await readFile(await journalFile());
    first.append({ kind: 'job', record: record('b') });
    await close(first);
    const after = await readFile(await journalFile());
    for (const cut of [before.length + 1, before.length + 13, before.length + 40, after.length - 2]) {
      await writeFile(await journalFile(), after.subarray(0, cut));
      const next = await openJournal();
      expect(next.jobs.map((job) => job.record.jobId)).toEqual(['a']);
      await close(next);
    }
  });

  it('refuses a file with a damaged line before the last, and says which', async () => {
    const first = await openJournal();
    for (const id of ['a', 'b', 'c']) first.append({ kind: 'job', record: record(id) });
    await close(first);
    const path = await journalFile();
    await writeFile(path, (await readFile(path, 'utf8')).replace('"jobId":"b"', '"jobId":"x"'));
    await expect(openJournal()).rejects.toMatchObject({ tag: 'CorruptData', message: `line 2 of ${path} is damaged` });
    expect((await readdir(folder)).filter((name) => name.startsWith('.shardex-lock'))).toEqual([]);
  });

  it('belongs to one coordinator; the second is told who has it', async () => {
    await openJournal();
    await expect(openJournal()).rejects.toMatchObject({
      tag: 'InvalidInput',
      message: expect.stringContaining(
        `another coordinator keeps its jobs in ${folder}: process ${process.pid}`,
      ) as string,
    });
  });

  it('does not vouch for lines once another coordinator has taken over', async () => {
    const first = await openJournal();
    const broken = new Promise<string>((resolve) => (first.onBroken = (error) => resolve(error.tag)));
    first.append({ kind: 'job', record: record('a') });
    await first.flushed();
    // It was silent for too long, on a machine that another one cannot look into.
    await writeFile(join(folder, '.shardex-lock-000002'), '{}');
    first.append({ kind: 'job', record: record('late') });
    await expect(first.flushed()).rejects.toMatchObject({ tag: 'StaleAttempt' });
    expect(await broken).toBe('StaleAttempt');
  });

  it('is written anew when it has grown long, with what is of interest then', async () => {
    const first = await openJournal();
    first.snapshot = () => [{ kind: 'job', record: record('kept') }];
    const long = 'x'.repeat(1 << 20);
    first.append({ kind: 'job', record: record('forgotten') });
    for (let i = 0; i < 20; i++) first.append({ kind: 'entry', entry: entry('forgotten', long) });
    await first.flushed();
    expect((await readFile(await journalFile())).length).toBeLessThan(10_000);
    first.append({ kind: 'job', record: record('later') });
    await close(first);
    expect((await openJournal()).jobs.map((job) => job.record.jobId)).toEqual(['kept', 'later']);
  });

  it('breaks when it cannot be written, and says so from then on', async () => {
    const first = await openJournal();
    const broken = new Promise<void>((resolve) => (first.onBroken = () => resolve()));
    open.length = 0;
    await first.close();
    first.append({ kind: 'job', record: record('a') });
    await broken;
    await expect(first.flushed()).rejects.toMatchObject({
      message: expect.stringContaining('writing the journal') as string,
    });
  });

  it('survives something else in its folder', async () => {
    await appendFile(join(folder, 'notes.txt'), 'mine');
    expect((await openJournal()).jobs).toEqual([]);
    expect(await readdir(folder)).toContain('notes.txt');
  });
});

describe('attempts in a story', () => {
  it('are the highest that were granted of each task', () => {
    const granted = (task: string, attempt: number): LogEntry => {
      return { kind: 'task-granted', text: '', atMs: 0, jobId: jobId('j'), taskId: taskId(task), attempt };
    };
    const entries = [granted('a', 1), granted('a', 2), granted('b', 1), entry('j', 'other')];
    expect([...attemptsIn(entries)]).toEqual([
      ['a', 2],
      ['b', 1],
    ]);
  });
});
