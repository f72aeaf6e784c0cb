import { spawnSync } from 'node:child_process';
import { copyFileSync, existsSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';

const LAUNCHER = fileURLToPath(new URL('../../bin/shardex.mjs', import.meta.url));
const isBuilt = ['../../dist/main.js', '../../../worker/dist/main.js'].every((path) =>
  existsSync(fileURLToPath(new URL(path, import.meta.url))),
);
if (!isBuilt) process.stderr.write('skipped "the launcher": the program is not built (npm run build)\n');

const launch = (launcher: string, ...args: string[]) => {
  const { status, stdout, stderr } = spawnSync(process.execPath, [launcher, ...args], { encoding: 'utf8' });
  return { status, stdout, stderr };
};

describe.skipIf(!isBuilt)('the launcher', () => {
  it('runs commands and passes their exit code on', () => {
    expect(launch(LAUNCHER, '--version')).toMatchObject({ status: 0, stderr: '' });
    expect(launch(LAUNCHER, 'inpsect')).toEqual({
      status: 2,
      stdout: '',
      stderr: "shardex: unknown command 'inpsect': did you mean inspect?\n",
    });
    expect(launch(LAUNCHER, 'inspect', 'nowhere.h5ad')).toMatchObject({ status: 2, stdout: '' });
  });

  it('hands worker commands to the worker', () => {
    expect(launch(LAUNCHER, 'worker', '--help')).toMatchObject({ status: 0, stderr: '' });
    expect(launch(LAUNCHER, 'worker', '--threads', 'x').status).toBe(2);
  });
});

describe('the launcher of a checkout that is not built', () => {
  it('says what to do', () => {
    const folder = mkdtempSync(join(tmpdir(), 'shardex-launcher-'));
    try {
      mkdirSync(join(folder, 'bin'));
      const copy = join(folder, 'bin', 'shardex.mjs');
      copyFileSync(LAUNCHER, copy);
      expect(launch(copy, '--help')).toEqual({
        status: 2,
        stdout: '',
        stderr: 'shardex: the program is not built: run npm run build\n',
      });
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
});
