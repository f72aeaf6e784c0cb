import { createHash, timingSafeEqual } from 'node:crypto';
import { InvalidInputError } from '@shardex/shared/errors';
import { PERMISSIONS, withImplied, type Caller, type Permission } from './permissions.js';

interface Entry {
  readonly hash: Buffer;
  readonly caller: Caller;
}

const isPermission = (word: string): word is Permission => (PERMISSIONS as readonly string[]).includes(word);

/** Tokens that people show. Only hashes are kept, so that whoever reads the file cannot use what is in it. */
export class TokenList {
  private constructor(private readonly entries: readonly Entry[]) {}

  /**
   * @param text - one token a line: `NAME SCOPES SHA256`, as `alice submit 9f86d0…`; scopes are joined by commas, the hash is
   *   that of the token in hexadecimal digits. Blank lines and lines that begin with `#` do not count. SHA-256 without salt
   *   and rounds is enough, because tokens are random and not chosen by people.
   * @throws InvalidInputError that names the line
   */
  static parse(text: string, path: string): TokenList {
    const entries: Entry[] = [];
    for (const [index, line] of text.split('\n').entries()) {
      if (line.trim() === '' || line.trim().startsWith('#')) continue;
      const [name = '', scopes = '', hash = '', ...rest] = line.trim().split(/\s+/);
      const permissions = scopes.split(',');
      if (!permissions.every(isPermission) || !/^[0-9a-f]{64}$/i.test(hash) || rest.length > 0) {
        // The line is not quoted: somebody may have written the token itself.
        throw new InvalidInputError(`line ${index + 1} of ${path} is no token`, {
          hint: 'write NAME SCOPES SHA256, with scopes of read, submit, manage and work',
        });
      }
      entries.push({
        hash: Buffer.from(hash, 'hex'),
        caller: { name: `token ${name}`, permissions: withImplied(permissions) },
      });
    }
    return new TokenList(entries);
  }

  /** One token that allows everything. */
  static of(token: string): TokenList {
    const hash = createHash('sha256').update(token).digest();
    return new TokenList([{ hash, caller: { name: '', permissions: new Set(PERMISSIONS) } }]);
  }

  /** Whose token this is; null: nobody's. Takes the same time for every token. */
  find(token: string): Caller | null {
    const hash = createHash('sha256').update(token).digest();
    let found: Caller | null = null;
    for (const entry of this.entries) {
      if (timingSafeEqual(entry.hash, hash)) found = entry.caller;
    }
    return found;
  }
}
