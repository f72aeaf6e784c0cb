import { InvalidInputError } from '../errors/index.js';

/** Refuses names that would leave the store, or not come back as they are: names may come from other processes. */
export function requireObjectName(name: string): void {
  const segments = name.split('/');
  if (name === '' || name.includes('\0') || segments.some((part) => part === '' || part === '.' || part === '..')) {
    throw new InvalidInputError(`"${name}" is not the name of an object`, { details: { name } });
  }
}
