import { InvariantBrokenError } from '../../errors/index.js';
import { AdjustmentSteps } from './adjustment-steps.js';
import { bytesOf, type OpenOverflow } from './overflow-file.js';
import { binOf, lowByteAt, N_BINS, wordsOf } from './p-value-bins.js';
import { planRuns, UNCHOSEN, type RunPlan } from './plan-runs.js';
import { RunRoom } from './run-room.js';
import { ValueRuns } from './value-runs.js';

/** What is held in memory at most; the rest goes to files. Changes no result. */
export interface AdjustmentLimits {
  /** p-values that are sorted at a time. */
  readonly values: number;
  /** Steps of q(p). */
  readonly steps: number;
}

/** 32 MiB, half of which sorting takes, and 48 MiB. */
const LIMITS: AdjustmentLimits = { values: 2 ** 21, steps: 2 ** 22 };
const NOTHING: RunPlan = { runOf: new Uint16Array(0), sizes: [0], floors: [N_BINS] };
const N_BYTES = 256;

/**
 * Benjamini–Hochberg adjusted p-values of a family that is too large to be kept, bit for bit those of
 * `benjaminiHochberg`, whatever the chunks and their order:
 *
 * 1. `add` every chunk of the family;
 * 2. `while (family.nextPass())` `collect` every chunk again, which is once or not at all;
 * 3. `adjustAll` any chunk;
 * 4. `close`, also when something failed.
 *
 * Adding counts the p-values of narrow bins. That bounds q(p) in every bin, and only bins where q can fall below what it
 * is further up have to be looked at one by one. Two million p-values are sorted at a time: of more, runs of bins are on a
 * file until it is their turn. Four million steps of q(p) are kept, which are 3 to 14 in a hundred p-values of simulated
 * screens: more are on a file that every call of `adjustAll` reads, so that chunks should be large then (`isOnFile`).
 *
 * Memory is at most 110 MB, whatever the family (of less than 2^32 p-values). On files are 8 bytes a p-value, until the
 * steps are known, and 12 a step.
 */
export class GlobalBenjaminiHochberg {
  /** p-values of each bin; in the end, steps in the bin and above. */
  private bins = new Uint32Array(N_BINS + 1);
  private state: 'adding' | 'collecting' | 'complete' = 'adding';
  private total = 0;
  private plan = NOTHING;
  /** Where runs are when there are several. */
  private runs: ValueRuns | null = null;
  /** p-values of one run. */
  private room: RunRoom | null = null;
  private steps: AdjustmentSteps | null = null;

  constructor(
    private readonly openOverflow: OpenOverflow,
    private readonly limits: AdjustmentLimits = LIMITS,
  ) {}

  /** Number of p-values added, NaN not counted: the m of the formula. */
  get count(): number {
    return this.total;
  }

  /** Bytes of all that is held. */
  get heldBytes(): number {
    const arrays = this.bins.byteLength + this.plan.runOf.byteLength;
    const parts = [this.room, this.runs, this.steps].reduce((sum, part) => sum + (part?.heldBytes ?? 0), 0);
    return arrays + parts;
  }

  /** Whether every call of `adjustAll` reads a file. */
  get isOnFile(): boolean {
    return this.steps?.isOnFile ?? false;
  }

  /**
   * Adds a chunk of the family; NaN is left out.
   *
   * @throws InvariantBrokenError for a p-value outside [0, 1], or after the first pass has begun
   */
  add(pValues: Float64Array): void {
    if (this.state !== 'adding') {
      throw new InvariantBrokenError('p-values were added to a family that is already being adjusted');
    }
    const { bins } = this;
    const words = wordsOf(pValues);
    let added = 0;
    for (let i = 0; i < pValues.length; i++) {
      const p = pValues[i];
      if (p >= 0 && p <= 1) {
        bins[binOf(words[2 * i + 1])]++;
        added++;
      } else if (!Number.isNaN(p)) {
        throw new InvariantBrokenError('a p-value lies outside [0, 1]', { details: { p } });
      }
    }
    this.total += added;
  }

  /** Ends adding, or collecting, and says whether all of the family has to be collected now. */
  nextPass(): boolean {
    if (this.state === 'complete') return false;
    if (this.state === 'adding') {
      this.plan = planRuns(this.bins, this.total, this.limits.values);
      this.state = 'collecting';
      const { sizes } = this.plan;
      if (sizes.length === 2) this.roomFor(sizes[1]);
      else if (sizes.length > 2) this.runs = new ValueRuns(this.openOverflow(), sizes);
      if (sizes.length > 1) return true;
    }
    this.walk();
    this.state = 'complete';
    return false;
  }

  /** Shows a chunk of the family to the pass. */
  collect(pValues: Float64Array): void {
    if (this.runs === null) {
      this.keep(pValues);
      return;
    }
    const { runs } = this;
    const { runOf } = this.plan;
    const words = wordsOf(pValues);
    for (let i = 0; i < pValues.length; i++) {
      const bin = binOf(words[2 * i + 1]);
      // NaN lies beyond the bins.
      if (bin < N_BINS && runOf[bin] !== UNCHOSEN) runs.add(runOf[bin], pValues[i]);
    }
  }

  /**
   * out[i] = the adjusted value of pValues[i], which belongs to the family; NaN for NaN. `out` may be `pValues`. Cost 10 to
   * 50 ns a p-value, some hundred in families of many million. For a p-value that was never added, it is the adjusted value of the next larger one that was, or 1.
   *
   * @throws InvariantBrokenError before the last pass, or when it is closed
   */
  adjustAll(pValues: Float64Array, out: Float64Array): void {
    if (this.steps === null) throw new InvariantBrokenError('the family has not been collected');
    this.steps.adjustAll(pValues, out, this.bins);
  }

  /** Gives back files and memory. */
  close(): void {
    this.runs?.close();
    this.steps?.close();
    this.runs = this.steps = null;
    this.release();
    this.bins = new Uint32Array(0);
  }

  /** Goes through the runs, from the largest p-values down. */
  private walk(): void {
    const { bins, runs, total, limits } = this;
    const { sizes, floors } = this.plan;
    runs?.seal();
    const chosen = sizes.reduce((sum, size) => sum + size, 0);
    const steps = new AdjustmentSteps(total, Math.min(chosen + 1, limits.steps), this.openOverflow);
    this.steps = steps;
    bins[N_BINS] = steps.count;
    let rank = total;
    for (let run = 1; run < sizes.length; run++) rank = this.walkRun(run, rank);
    bins.fill(steps.count, 0, floors[sizes.length - 1]);
    steps.seal();
    runs?.close();
    this.runs = null;
    this.release();
  }

  private release(): void {
    this.plan = NOTHING;
    this.room = null;
  }

  /**
   * Goes through the bins of a run.
   *
   * @param rank - of the largest p-value that was not looked at yet
   * @returns the same for the next run
   */
  private walkRun(run: number, rank: number): number {
    const { bins, runs } = this;
    const { runOf, sizes, floors } = this.plan;
    const steps = this.steps as AdjustmentSteps;
    const isLarge = sizes[run] > this.limits.values;
    if (runs !== null && !isLarge) this.readRun(runs, run);
    if (!isLarge) this.room?.sort();
    const values = this.room?.values ?? new Float64Array(0);
    let end = values.length;
    let left = rank;
    for (let bin = floors[run - 1] - 1; bin >= floors[run]; bin--) {
      const count = bins[bin];
      if (runOf[bin] === run) {
        if (isLarge && runs !== null) this.walkLarge(runs, run, 0, left);
        else steps.descend(values, end - count, end, left);
        end -= count;
      }
      left -= count;
      bins[bin] = steps.count;
    }
    return left;
  }

  /**
   * Goes through a run of one bin that has too many p-values to be sorted at a time: by parts that agree in one byte more.
   *
   * @param level - bytes in which they agree below what the bin says
   * @param rank - of the largest
   */
  private walkLarge(runs: ValueRuns, run: number, level: number, rank: number): void {
    const steps = this.steps as AdjustmentSteps;
    const size = runs.sizeOf(run);
    if (size <= this.limits.values) {
      const room = this.readRun(runs, run);
      room.sort();
      steps.descend(room.values, 0, size, rank);
      return;
    }
    const at = lowByteAt(level);
    const sizes = new Float64Array(N_BYTES);
    let [least, most] = [1, 0];
    runs.read(run, (values) => {
      const bytes = bytesOf(values);
      for (let i = 0; i < values.length; i++) {
        sizes[bytes[8 * i + at]]++;
        least = Math.min(least, values[i]);
        most = Math.max(most, values[i]);
      }
    });
    if (least === most) {
      steps.descend(Float64Array.of(most), 0, 1, rank);
      return;
    }
    this.room = null;
    const parts = new ValueRuns(this.openOverflow(), sizes);
    try {
      runs.read(run, (values) => {
        const bytes = bytesOf(values);
        for (let i = 0; i < values.length; i++) parts.add(bytes[8 * i + at], values[i]);
      });
      parts.seal();
      let left = rank;
      for (let byte = N_BYTES - 1; byte >= 0; byte--) {
        if (sizes[byte] > 0) this.walkLarge(parts, byte, level + 1, left);
        left -= sizes[byte];
      }
    } finally {
      parts.close();
    }
  }

  private roomFor(size: number): RunRoom {
    this.room ??= new RunRoom();
    this.room.clear(size);
    return this.room;
  }

  /** All of a run that is on the file. */
  private readRun(runs: ValueRuns, run: number): RunRoom {
    const room = this.roomFor(runs.sizeOf(run));
    runs.read(run, (values) => {
      for (let i = 0; i < values.length; i++) room.add(values[i]);
    });
    return room;
  }

  /** Those of a chunk that are in a run, where there is but one. */
  private keep(pValues: Float64Array): void {
    const { room } = this;
    const { runOf } = this.plan;
    const words = wordsOf(pValues);
    for (let i = 0; i < pValues.length; i++) {
      const bin = binOf(words[2 * i + 1]);
      // NaN lies beyond the bins.
      if (bin < N_BINS && runOf[bin] !== UNCHOSEN) room?.add(pValues[i]);
    }
  }
}
