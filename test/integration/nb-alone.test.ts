import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { DeParameters } from '@shardex/shared/config';
import { readResults, type Results } from '../reference/calibration-truth.mjs';
import { deRunner } from '../support/de-runner.js';
import { simulatedScreen } from '../support/shardex.js';

const LAYERS = ['X', 'standard_error', 'z_score', 'pvalue', 'pvalue_adj', 'pvalue_adj_global', 'pts', 'mean', 'status'];

const VARIANTS: readonly (readonly [string, Partial<DeParameters>, readonly string[]])[] = [
  ['against the control', {}, []],
  ['against all other cells, whose means it writes', { reference: 'rest' }, ['pts_rest', 'reference_mean']],
  ['with the filter on means', { lowExpressionFilter: true }, []],
];

describe('the NB-GLM alone, which sums no more than it needs', () => {
  const runDe = deRunner();
  let folder: string;
  let screen: string;
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'shardex-test-'));
    screen = await simulatedScreen(folder);
  });
  afterAll(() => rm(folder, { recursive: true, force: true }));

  it.each(VARIANTS)('writes what it writes beside other tests, %s', async (name, parameters, more) => {
    const resultsOf = async (tests: DeParameters['tests']): Promise<Results> => {
      const output = join(folder, `${name} ${tests.length}`);
      await runDe(screen, output, { parameters: { ...parameters, tests } });
      return readResults(output, 'nb_glm', [...LAYERS, ...more]);
    };
    const alone = await resultsOf(['nb-glm']);
    expect(alone).toEqual(await resultsOf(['nb-glm', 't-test']));
    expect(alone.layers.get('pts')?.some((share) => share > 0 && share < 1)).toBe(true);
  });
});
