import { describe, expect, it } from 'vitest';

/** Parts that continuous integration provides; `SHARDEX_REQUIRE` lists those whose absence is a failure. */
export type Part =
  | 'shared'
  | 'peers'
  | 'openssl'
  | 'r'
  | 's3'
  | 'slurm'
  | 'kubernetes'
  | 'helm'
  | 'containers'
  | 'apptainer'
  | 'docker'
  | 'network'
  | 'prometheus'
  | 'collector'
  | 'browser';

/** Whether `SHARDEX_REQUIRE` (names separated by commas) lists the part. */
export const isRequired = (part: Part): boolean =>
  (process.env['SHARDEX_REQUIRE'] ?? '')
    .split(',')
    .map((name) => name.trim())
    .includes(part);

/** What a suite needs, how to find it, and what to say where it is absent. */
export interface SuiteWithPart<Found> {
  readonly part: Part;
  readonly name: string;
  /** Cheap and synchronous; null means absent. */
  readonly probe: () => Found | null;
  /** Why the suite was not run and which setting provides the part. */
  readonly reason: string;
  readonly body: (found: Found) => void;
}

/**
 * A suite that runs only where a part of the surroundings is present. Absent: one printed reason and one skipped test;
 * absent though `SHARDEX_REQUIRE` lists it: one failed test. The body is called only when the part was found.
 */
export const describeWithPart = <Found>({ part, name, probe, reason, body }: SuiteWithPart<Found>): void => {
  const found = probe();
  if (found !== null) {
    describe(name, () => body(found));
    return;
  }
  describe(name, () => {
    if (isRequired(part)) {
      it(`finds the required part "${part}"`, () => expect.fail(`SHARDEX_REQUIRE lists ${part}, but: ${reason}`));
      return;
    }
    process.stderr.write(`skipped "${name}": ${reason}\n`);
    it(`needs "${part}"`, (context) => context.skip(reason));
  });
};
