import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { copyFileSync, existsSync, mkdirSync, mkdtempSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
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

describe('the launcher of a checkout that is bundled', () => {
  it('takes the bundle, but not one that is older than what tsc built', () => {
    const folder = mkdtempSync(join(tmpdir(), 'shardex-launcher-'));
    const dist = join(folder, 'coordinator', 'dist');
    const launcher = join(folder, 'coordinator', 'bin', 'shardex.mjs');
    const touch = (path: string, seconds: number): void => utimesSync(path, seconds, seconds);
    try {
      mkdirSync(join(folder, 'coordinator', 'bin'), { recursive: true });
      mkdirSync(join(dist, 'bundle'), { recursive: true });
      copyFileSync(LAUNCHER, launcher);
      writeFileSync(join(folder, 'coordinator', 'package.json'), '{ "type": "module" }');
      writeFileSync(join(dist, 'main.js'), 'export const main = () => 40;');
      expect(launch(launcher, '--help').status).toBe(40);
      writeFileSync(join(dist, 'bundle', 'main.js'), 'export const main = () => 41;');
      writeFileSync(join(dist, 'bundle', 'worker.js'), 'export const main = () => 42;');
      expect(launch(launcher, '--help').status).toBe(41);
      expect(launch(launcher, 'worker').status).toBe(42);
      for (const room of ['coordinator', 'shared']) {
        const information = join(folder, room, 'dist', '.tsbuildinfo');
        mkdirSync(join(folder, room, 'dist'), { recursive: true });
        writeFileSync(information, '');
        touch(information, 1_000_000);
        touch(join(dist, 'bundle', 'main.js'), 1_000_000);
        expect(launch(launcher, '--help').status).toBe(41);
        touch(information, 1_000_001);
        expect(launch(launcher, '--help').status).toBe(40);
        touch(information, 1_000_000);
      }
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
});

describe('the launcher of a command that drains', () => {
  it('ends with its exit code while the signal is passed on again and again', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'shardex-launcher-'));
    const launcher = join(folder, 'bin', 'shardex.mjs');
    try {
      for (const name of ['bin', 'dist']) mkdirSync(join(folder, name));
      copyFileSync(LAUNCHER, launcher);
      writeFileSync(join(folder, 'package.json'), '{ "type": "module" }');
      // What is written last is long: it must not be lost either.
      const drain = "clearInterval(alive); process.stdout.write('x'.repeat(200_000)); done(75);";
      const listen = `process.on('SIGTERM', () => { if (isTold) return; isTold = true; ${drain} });`;
      const main = `() => new Promise((done) => { ${listen} process.stdout.write('ready'); })`;
      const state = 'let isTold = false; const alive = setInterval(() => {}, 1000);';
      writeFileSync(join(folder, 'dist', 'main.js'), `${state} export const main = ${main};`);
      // Each was killed by a signal in its last milliseconds, more often than not.
      for (let repetition = 0; repetition < 8; repetition++) {
        const child = spawn(process.execPath, [launcher], { stdio: ['ignore', 'pipe', 'inherit'] });
        let read = 0;
        child.stdout.on('data', (chunk: Buffer) => (read += chunk.length));
        await once(child.stdout, 'data');
        const ended = once(child, 'close');
        for (let isOver = false; !isOver;) {
          child.kill('SIGTERM');
          isOver = await Promise.race([
            ended.then(() => true),
            new Promise<false>((next) => setImmediate(next, false)),
          ]);
        }
        expect([await ended, read]).toEqual([[75, null], 200_005]);
      }
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
});
