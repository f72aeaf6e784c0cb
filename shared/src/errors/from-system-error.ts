import {
  InvalidInputError,
  ResourceExhaustedError,
  StorageUnavailableError,
  InvariantBrokenError,
} from './families.js';
import { ShardexError } from './shardex-error.js';

/**
 * Turns whatever was thrown into a `ShardexError`.
 *
 * @param error - anything that was caught
 * @param doing - what was being done, as "reading /data/x.h5ad"; becomes part of the sentence
 * @returns `error` itself when it already is one of ours; system errors (ENOENT, ENOSPC, …) by their meaning; anything
 *   else as `InvariantBroken` with the original as cause
 */
export function toShardexError(error: unknown, doing: string): ShardexError {
  if (error instanceof ShardexError) return error;
  const code = typeof error === 'object' && error !== null && 'code' in error ? String(error.code) : '';
  const cause = { cause: error, details: { code } };
  switch (code) {
    case 'ENOENT':
      return new InvalidInputError(`${doing}: no such file or directory`, { ...cause, hint: 'check the path' });
    case 'EISDIR':
      return new InvalidInputError(`${doing}: this is a directory`, { ...cause, hint: 'name a file' });
    case 'EACCES':
    case 'EPERM':
    case 'EROFS':
      return new InvalidInputError(`${doing}: permission denied`, { ...cause, hint: 'check the rights on this path' });
    case 'ENOSPC':
    case 'EDQUOT':
      return new ResourceExhaustedError(`${doing}: the disk is full`, {
        ...cause,
        hint: 'free some space or choose another place with --scratch or --out',
      });
    case 'EMFILE':
    case 'ENFILE':
      return new ResourceExhaustedError(`${doing}: too many open files`, { ...cause, hint: 'raise ulimit -n' });
    case 'EIO':
    case 'ETIMEDOUT':
    case 'ECONNRESET':
    case 'ESTALE':
      return new StorageUnavailableError(`${doing}: storage failed with ${code}`, cause);
    default: {
      const text = error instanceof Error ? error.message : String(error);
      return new InvariantBrokenError(`${doing}: ${text}`, { cause: error, hint: 'please report this as a bug' });
    }
  }
}
