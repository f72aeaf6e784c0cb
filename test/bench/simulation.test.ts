import { describe, expect, it } from 'vitest';
import { simulateCluster, type ClusterModel } from './simulation/cluster-simulation.js';
import type { ScreenShape } from './simulation/screens.js';
import { SharedStorage } from './simulation/shared-storage.js';

const SCREEN: ScreenShape = {
  name: 'small',
  cells: 400_000,
  genes: 8000,
  perturbations: 400,
  nonzerosPerCell: 3000,
  controlShare: 0.05,
};
const MODEL: ClusterModel = {
  workers: 20,
  bytesPerSecond: 10e9,
  bytesPerSecondEach: 1.2e9,
  requestSeconds: 0.001,
  requestsAtOnce: 64,
  callSeconds: 0.0004,
  taskMemoryBytes: 2 ** 31,
  speedSigma: 0.15,
  stragglerFactor: 1,
  seed: 1,
  options: { doubleAfterMs: 0 },
};

/** All but the real time of the machine's steps. */
const timeless = ({ machine, ...rest }: ReturnType<typeof simulateCluster>): unknown => ({
  ...rest,
  steps: machine.steps,
});

describe('the simulated cluster', () => {
  it('does the same whenever it is asked the same', () => {
    const again = [1, 2].map(() => timeless(simulateCluster(SCREEN, { ...MODEL, stragglerFactor: 5 })));
    expect(again[0]).toEqual(again[1]);
  });

  it('does each task once where no worker is late, and all of its work', () => {
    const outcome = simulateCluster(SCREEN, { ...MODEL, speedSigma: 0 });
    expect(outcome.doubled).toBe(0);
    expect(outcome.spentComputeSeconds).toBeCloseTo(outcome.takenComputeSeconds, 6);
    // Cutting elsewhere moves work, and adds only what each task costs.
    const fewer = simulateCluster(SCREEN, { ...MODEL, speedSigma: 0, workers: 4 });
    const tasks = (one: typeof outcome): number => one.stages.reduce((sum, stage) => sum + stage.tasks, 0);
    const ofTasks = (one: typeof outcome): number => 0.05 * tasks(one);
    const control = (one: typeof outcome): number => one.stages[2].tasks;
    // Every control task decodes the whole control.
    const decoded = (one: typeof outcome): number => control(one) * 400_000 * 0.05 * 3000 * 6.25e-9;
    const pure = [outcome, fewer].map((one) => one.takenComputeSeconds - ofTasks(one) - decoded(one));
    expect(pure[0]).toBeCloseTo(pure[1], 3);
  });

  it('ends sooner with a straggler when its tasks are done twice, and takes each result once', () => {
    const slow = { ...MODEL, stragglerFactor: 30 };
    const alone = simulateCluster(SCREEN, slow);
    const helped = simulateCluster(SCREEN, { ...slow, options: { doubleAfterMs: 5_000 } });
    expect(alone.doubled).toBe(0);
    expect(helped.doubled).toBeGreaterThan(0);
    expect(helped.seconds).toBeLessThan(alone.seconds);
    expect(helped.takenComputeSeconds).toBeCloseTo(alone.takenComputeSeconds, 6);
    expect(helped.spentComputeSeconds).toBeGreaterThan(helped.takenComputeSeconds);
  });

  it('is held up by storage that is narrow', () => {
    const narrow = simulateCluster(SCREEN, { ...MODEL, bytesPerSecond: 0.5e9 });
    const wide = simulateCluster(SCREEN, MODEL);
    expect(narrow.bytes).toBe(wide.bytes);
    expect(narrow.storageSaturatedSeconds).toBeGreaterThan(wide.storageSaturatedSeconds);
    expect(narrow.seconds).toBeGreaterThan(narrow.bytes / 0.5e9);
  });
});

describe('shared storage', () => {
  it('gives equal shares, none above what one reader can take', () => {
    const storage = new SharedStorage(10, 6);
    const ends: string[] = [];
    storage.start(30, 0, (at) => ends.push(`first ${at}`));
    storage.start(20, 1, (at) => ends.push(`second ${at}`));
    // Alone for a second at 6, then 5 each: 20 are left of the second at 1, 24 of the first.
    while (storage.nextEnd() < Infinity) storage.endNext();
    expect(ends[0]).toBe('second 5');
    expect(ends[1]).toBe(`first ${5 + 4 / 6}`);
  });
});
