import { expect, it } from 'vitest';
import { untypedThrows } from './untyped-throws.js';

const body = (statement: string): string => `function f(error: unknown): never {\n  ${statement}\n}`;

it.each(["throw new Error('x');", "throw TypeError('x');", "throw 'x';", 'throw `x ${1}`;', "throw { code: 'x' };"])(
  'finds %s',
  (statement) => expect(untypedThrows('a.ts', body(statement))).toEqual([2]),
);

it.each(["throw new InvalidInputError('x');", 'throw error;', "throw toShardexError(error, 'x');"])(
  'lets %s pass',
  (statement) => expect(untypedThrows('a.ts', body(statement))).toEqual([]),
);
