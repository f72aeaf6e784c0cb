import { mkdirSync, mkdtempSync, realpathSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { DEFAULT_DE_PARAMETERS } from '@shardex/shared/config';
import { requireAllowed } from './allowed-locations.js';

const folder = realpathSync(mkdtempSync(join(tmpdir(), 'shardex-allowed-')));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const at = (path: string): string => join(folder, path);
for (const name of ['data/deep', 'database', 'results', 'elsewhere']) mkdirSync(at(name), { recursive: true });
writeFileSync(at('data/screen.h5ad'), '');
writeFileSync(at('elsewhere/secret.h5ad'), '');
symlinkSync(at('elsewhere/secret.h5ad'), at('data/link.h5ad'));
symlinkSync('../elsewhere', at('data/out'));
symlinkSync(at('elsewhere/not-there'), at('results/dangling'));
symlinkSync(at('results/loop'), at('results/loop'));
symlinkSync(at('data'), at('alias'));

const allowed = { input: [at('data'), 's3://screens/2026/'], output: [at('results'), 's3://results'] };
const check = (input: string, output = at('results/x'), scratch: string | null = null): Promise<void> =>
  requireAllowed({ ...DEFAULT_DE_PARAMETERS, input, output, scratch }, allowed);

describe('locations', () => {
  it.each([
    [at('data/screen.h5ad')],
    [at('data/not-yet.h5ad')],
    [at('alias/screen.h5ad')],
    [at('data/./deep//x.h5ad')],
    ['s3://screens/2026/a.h5ad'],
    ['S3://screens/2026/deep/a.h5ad'],
  ])('reads %s', async (input) => {
    await expect(check(input)).resolves.toBeUndefined();
  });

  it.each([
    ['/etc/passwd'],
    [at('database/x.h5ad')],
    [`${folder}/data/../elsewhere/secret.h5ad`],
    [`${folder}/data/out/../results`],
    [at('data/link.h5ad')],
    [at('data/out/secret.h5ad')],
    [`${at('data/screen.h5ad')}\0.h5ad`],
    [`file://${at('data/screen.h5ad')}`],
    ['https://example.org/2026/a.h5ad'],
    ['s3://screens/2025/a.h5ad'],
    ['s3://screens/20260/a.h5ad'],
    ['s3://screens-of-others/2026/a.h5ad'],
    ['s3://screens/2026/../2025/a.h5ad'],
    ['s3://screens/2026/%2e%2e/2025/a.h5ad'],
    ['s3://screens'],
    ['s3://'],
  ])('does not read %j', async (input) => {
    await expect(check(input)).rejects.toMatchObject({
      tag: 'InvalidInput',
      message: `reading ${input} is not allowed by this coordinator`,
    });
  });

  it.each([
    [at('results/a/b/c'), null],
    [at('results'), at('results/scratch')],
    ['s3://results/a', 's3://results/scratch'],
  ])('writes to %s with scratch at %s', async (output, scratch) => {
    await expect(check(at('data/screen.h5ad'), output, scratch)).resolves.toBeUndefined();
  });

  it.each([
    [at('data/out/x'), null],
    [at('results/dangling'), null],
    [at('results/dangling/deep'), null],
    [at('results/loop/x'), null],
    [at('results/x'), at('elsewhere')],
    [at('results/x'), 's3://screens/2026'],
  ])('does not write to %s with scratch at %s', async (output, scratch) => {
    await expect(check(at('data/screen.h5ad'), output, scratch)).rejects.toThrow('is not allowed by this coordinator');
  });

  it('are free where nothing is said', async () => {
    const parameters = { ...DEFAULT_DE_PARAMETERS, input: '/etc/passwd', output: '/anywhere' };
    await expect(requireAllowed(parameters, { input: null, output: null })).resolves.toBeUndefined();
  });
});
