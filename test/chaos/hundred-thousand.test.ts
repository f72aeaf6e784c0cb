import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { join } from 'node:path';
import { addressOf, type LoggingProcess } from '../support/standing-cluster.js';
import { ended, FaultBench } from './fault-bench.js';
import { flipByte } from './flip-byte.js';

const SEED = 20_261_121;
const SCREEN = '--cells 100000 --genes 4000 --perturbations 400 --depth 2000 --seed 1'.split(' ');
const CUT = ['--task-nonzeros', '2000000', '--lease-ms', '3000'];
/** Faults come between the first finished task and this one; a run has about two hundred. */
const LAST_MOMENT = 150;
const KINDS = [
  ...Array.from({ length: 7 }, () => 'SIGKILL of a worker' as const),
  'SIGKILL of the coordinator',
  'SIGSTOP of a worker',
  'a flipped byte',
] as const;

type Fault = (typeof KINDS)[number];

/** Uniform in [0, 1). @source mulberry32, Tommy Ettinger, public domain */
function randomFrom(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** A cluster that is hit, and mended as a supervisor would: whatever was killed is started again. */
class Victims {
  readonly lives: LoggingProcess[] = [];
  readonly workers: LoggingProcess[] = [];

  constructor(
    readonly bench: FaultBench,
    readonly output: string,
    readonly state: string,
    readonly random: () => number,
  ) {}

  get coordinator(): LoggingProcess {
    return this.lives[this.lives.length - 1];
  }

  get tasksDone(): number {
    return this.lives.flatMap(({ lines }) => lines.filter(({ event }) => event === 'task-done')).length;
  }

  async begin(): Promise<void> {
    this.lives.push(await this.bench.coordinator(this.state, { more: CUT }));
    this.workers.push(...(await this.bench.workers(await addressOf(this.coordinator), 2)));
    await this.bench.submit(this.coordinator, this.output);
  }

  /** @throws when the job ended before */
  async hit(fault: Fault): Promise<void> {
    expect(this.coordinator.lines.some(ended), `${fault} came too late`).toBe(false);
    const address = await addressOf(this.coordinator);
    const place = Math.floor(this.random() * this.workers.length);
    const worker = this.workers[place];
    switch (fault) {
      case 'SIGKILL of a worker':
        worker.kill('SIGKILL');
        await worker.exited;
        this.workers[place] = this.bench.worker(address);
        return;
      case 'SIGKILL of the coordinator':
        this.coordinator.kill('SIGKILL');
        await this.coordinator.exited;
        this.lives.push(await this.bench.coordinator(this.state, { at: address, more: CUT }));
        return;
      case 'SIGSTOP of a worker': {
        const registered =
          worker.lines.findLast((line) => line.text === 'registered') ??
          (await worker.said((line) => line.text === 'registered'));
        worker.kill('SIGSTOP');
        await this.coordinator.said((line) => line.event === 'worker-lost' && line['worker'] === registered['worker']);
        worker.kill('SIGCONT');
        return;
      }
      case 'a flipped byte': {
        const from = this.coordinator.lines.length;
        const { task } = await this.coordinator.said((line) => line.event === 'task-done', from);
        await flipByte(join(this.output, '.shardex-scratch'), String(task));
      }
    }
  }
}

const isAsked = process.env['SHARDEX_CHAOS_LARGE'] === '1';
if (!isAsked)
  process.stderr.write('skipped "a job of 100,000 cells": it takes minutes; SHARDEX_CHAOS_LARGE=1 runs it\n');

describe.skipIf(!isAsked)('a job of 100,000 cells', () => {
  let bench: FaultBench;
  beforeAll(async () => {
    bench = await FaultBench.open(SCREEN, 2);
  }, 1_200_000);
  afterAll(() => bench.close());

  it('that is hit by ten faults ends with the same bytes in less than twice the time', async () => {
    const { output, state } = bench.place();
    const random = randomFrom(SEED);
    const kinds = KINDS.map((kind) => ({ kind, order: random() })).sort((a, b) => a.order - b.order);
    const moments = KINDS.map(() => 1 + Math.floor(random() * LAST_MOMENT)).sort((a, b) => a - b);
    const victims = new Victims(bench, output, state, random);
    await victims.begin();
    const beganMs = performance.now();
    for (const [i, { kind }] of kinds.entries()) {
      await victims.coordinator.said((line) => victims.tasksDone >= moments[i] || ended(line));
      await victims.hit(kind);
      process.stderr.write(`chaos: ${kind} after ${victims.tasksDone} tasks\n`);
    }
    const { coordinator } = victims;
    expect(await coordinator.said(ended), coordinator.stderr).toMatchObject({ event: 'job-succeeded' });
    const seconds = (performance.now() - beganMs) / 1000;
    const ratio = seconds / bench.wholeSeconds;
    const times = `${seconds.toFixed(1)} s, ${bench.wholeSeconds.toFixed(1)} s without faults, ratio ${ratio.toFixed(2)}`;
    await bench.sameBytes(output, `100,000 cells, ten faults, ${victims.tasksDone} tasks, ${times}`);
    const events = victims.lives.flatMap(({ lines }) => lines.map(({ event }) => event));
    expect(events).toContain('stage-reopened');
    expect(events.filter((event) => event === 'worker-lost').length).toBeGreaterThan(4);
    expect(ratio).toBeLessThan(2);
    await bench.leavesNothing(coordinator, output, state);
  }, 1_200_000);
});
