import { readFileSync } from 'node:fs';
import { basename, extname, join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { TOP_LEVEL_AROUND, TOP_LEVEL_PRODUCT } from './rooms.js';
import { isGenerated, isTest, readPackageSources, readSources, repositoryRoot } from './source-files.js';
import { trackedFiles } from './tracked-files.js';
import { untypedThrows } from './untyped-throws.js';

const MAXIMUM_LINES = 500;
const NOTEWORTHY_LINES = 300;
const KEBAB_CASE = /^[a-z0-9]+(-[a-z0-9]+)*(\.[a-z0-9]+)*$/;
const DRAWER = /^(utils?|misc|common|helpers?)$/;
/** Folders of one developer's or one test machine: nobody else has them. */
const MACHINE_PATH = /(^|[^\w.$}-])\/(tmp|work|root|farm|srv\/lab|opt\/peers)\/[a-z]/i;

const sources = [...readPackageSources(), ...readSources('test', 'shared/assembly', 'coordinator/page')].filter(
  ({ path }) => !isGenerated(path),
);
const tracked = trackedFiles();

describe('source files', () => {
  it(`hold at most ${MAXIMUM_LINES} lines`, () => {
    const lengths = sources.map(({ path, text }) => ({ path, lines: text.split('\n').length - 1 }));
    const long = lengths.filter(({ lines }) => lines > NOTEWORTHY_LINES);
    for (const { path, lines } of long) process.stderr.write(`${path} has ${lines} lines: is it one concept?\n`);
    expect(long.filter(({ lines }) => lines > MAXIMUM_LINES)).toEqual([]);
  });

  it('have names in kebab case', () => {
    const names = sources.map(({ path }) => path).filter((path) => !KEBAB_CASE.test(basename(path, extname(path))));
    expect(names).toEqual([]);
  });

  it('are not kept in a drawer', () => {
    const drawers = sources
      .map(({ path }) => path)
      .filter((path) => path.split(/[/.]/).some((part) => DRAWER.test(part)));
    expect(drawers).toEqual([]);
  });

  it('throw tagged errors only', () => {
    const products = readPackageSources().filter(({ path }) => !isTest(path) && !isGenerated(path));
    const throws = products.flatMap(({ path, text }) => untypedThrows(path, text).map((line) => `${path}:${line}`));
    expect(throws).toEqual([]);
  });
});

describe.skipIf(tracked === null)('tracked files', () => {
  const paths = tracked ?? [];

  it('stand at the top level only where the client or a tool expects them', () => {
    const allowed: readonly string[] = [...TOP_LEVEL_PRODUCT, ...TOP_LEVEL_AROUND];
    const found = [...new Set(paths.map((path) => path.split('/')[0] ?? path))];
    expect(found.filter((name) => !allowed.includes(name))).toEqual([]);
    expect(TOP_LEVEL_PRODUCT.filter((name) => !found.includes(name))).toEqual([]);
  });

  it('name no path of one machine', () => {
    const textual = paths.filter((path) => !path.startsWith('.ci/') && path !== 'package-lock.json' && !isTest(path));
    const named = textual.flatMap((path) =>
      readFileSync(join(repositoryRoot, path), 'latin1')
        .split('\n')
        .flatMap((line, index) =>
          MACHINE_PATH.test(line) ? [`${path}:${index + 1} ${line.trim().slice(0, 120)}`] : [],
        ),
    );
    expect(named).toEqual([]);
  });
});
