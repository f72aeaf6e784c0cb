import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { STAGES } from '@shardex/shared/artifacts';
import { roomsDiagram } from './architecture-diagram.js';
import { ROOMS } from './rooms.js';
import { PACKAGES, readPackageSources, repositoryRoot, roomOf } from './source-files.js';

const page = readFileSync(join(repositoryRoot, 'docs', 'architecture.md'), 'utf8');

/** The first cell of each row of the table below a heading, without its back ticks. */
const firstColumn = (heading: string): string[] => {
  const section = page.split(`## ${heading}\n`)[1]?.split('\n## ')[0] ?? '';
  const rows = section.split('\n').filter((line) => line.startsWith('| `'));
  return rows.map((row) => row.split('|')[1].replaceAll('`', '').trim());
};

describe('docs/architecture.md', () => {
  it('draws the rooms and arrows of the code (vitest run -u writes them)', async () => {
    const fence = /(<!-- rooms: [^\n]*-->\n```mermaid\n)[^`]*(```)/;
    expect(page).toMatch(fence);
    const drawn = page.replace(fence, (_, before: string, after: string) => `${before}${roomsDiagram()}\n${after}`);
    await expect(drawn).toMatchFileSnapshot('../../docs/architecture.md');
  });

  it('says what each room of the table that holds sources is for, and no other', () => {
    const inCode = new Set(readPackageSources().map(({ path }) => roomOf(path)));
    const expected = Object.keys(ROOMS).filter((room) => inCode.has(room));
    expect(firstColumn('Rooms').sort()).toEqual(expected.sort());
    for (const name of PACKAGES) expect(page).toContain(name);
  });

  it('follows a count through the stages of a job, in their order', () => {
    expect(firstColumn('The way of one count')).toEqual([...STAGES]);
    const flow = page.match(/<!-- stages -->\n```mermaid\n([^]*?)\n```/)?.[1] ?? '';
    const nodes = [...flow.matchAll(/([a-z]+(?:-[a-z]+)?)\[/g)].map(([, node]) => node);
    expect(nodes.filter((node) => (STAGES as readonly string[]).includes(node))).toEqual([...STAGES]);
  });

  it('names files that exist', () => {
    const named = [
      ...page.matchAll(/`((?:proto|shared|coordinator|worker|test|docs)\/[\w./-]+\.(?:ts|md|mjs|proto))`/g),
    ];
    const absent = named.map(([, path]) => path).filter((path) => !existsSync(join(repositoryRoot, path)));
    expect(named.length).toBeGreaterThan(10);
    expect(absent).toEqual([]);
  });
});
