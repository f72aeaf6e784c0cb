import { createHash } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { TokenList } from './token-list.js';

const hashOf = (token: string): string => createHash('sha256').update(token).digest('hex');

describe('a list of tokens', () => {
  const list = TokenList.parse(
    `# people\n\nalice submit ${hashOf('a-token')}\nbob  read\t${hashOf('b-token').toUpperCase()}\nnode work ${hashOf('w')}\n`,
    'tokens',
  );

  it('knows whose token it is and what it allows; whoever may submit may read', () => {
    expect(list.find('a-token')).toEqual({ name: 'token alice', permissions: new Set(['submit', 'read']) });
    expect(list.find('b-token')).toEqual({ name: 'token bob', permissions: new Set(['read']) });
    expect(list.find('w')?.permissions).toEqual(new Set(['work']));
  });

  it('does not know another token, nor what is in the file itself', () => {
    for (const token of ['', 'a-toke', 'a-token ', hashOf('a-token')]) expect(list.find(token)).toBeNull();
  });

  it.each([
    ['alice submit the-token-itself-in-plain-text'],
    [`alice admin ${'0'.repeat(64)}`],
    [`alice submit ${'0'.repeat(64)} more`],
    ['alice'],
  ])('refuses the line %j by its number, without quoting it', (line) => {
    const parse = (): unknown => TokenList.parse(`# one\n${line}\n`, 'tokens');
    expect(parse).toThrow('line 2 of tokens is no token');
    expect(parse).not.toThrow('plain-text');
  });
});
