import { lstat, readlink, realpath } from 'node:fs/promises';
import { dirname, isAbsolute, join, relative, resolve } from 'node:path';
import type { DeParameters } from '@shardex/shared/config';
import { InvalidInputError } from '@shardex/shared/errors';
import { isS3Uri } from '@shardex/shared/storage';

/** Folders and `s3://` prefixes; null: no restriction. */
export interface AllowedLocations {
  readonly input: readonly string[] | null;
  /** Of results and scratch. */
  readonly output: readonly string[] | null;
}

/**
 * Refuses a job that would read or write elsewhere than it may. The coordinator and its workers act with rights of their own,
 * which may reach further than those of whoever submits.
 *
 * Symbolic links are followed before comparing; a part of a path that does not exist yet is taken as written.
 *
 * @throws InvalidInputError naming the option and the location
 */
export async function requireAllowed(parameters: DeParameters, allowed: AllowedLocations): Promise<void> {
  const { input, output, scratch } = parameters;
  await requireWithin(input, allowed.input, 'reading', '--allow-input');
  await requireWithin(output, allowed.output, 'writing to', '--allow-output');
  if (scratch !== null) await requireWithin(scratch, allowed.output, 'writing to', '--allow-output');
}

async function requireWithin(
  location: string,
  prefixes: readonly string[] | null,
  doing: string,
  option: string,
): Promise<void> {
  if (prefixes === null) return;
  for (const prefix of prefixes) {
    const isWithin = isS3Uri(prefix) ? isWithinPrefix(location, prefix) : await isWithinFolder(location, prefix);
    if (isWithin) return;
  }
  throw new InvalidInputError(`${doing} ${location} is not allowed by this coordinator`, {
    hint: `choose a place below one that its ${option} names: ${prefixes.join(', ')}`,
  });
}

/** Parts of an `s3://` address. Keys are literal, but not everything between here and the bucket may know that. */
function s3Parts(uri: string): readonly string[] {
  const parts = uri.slice('s3://'.length).replace(/\/+$/, '').split('/');
  return parts.some((part) => part === '' || part === '.' || part === '..' || /%2e|%2f|\\/i.test(part)) ? [] : parts;
}

function isWithinPrefix(location: string, prefix: string): boolean {
  if (!isS3Uri(location)) return false;
  const [parts, wanted] = [s3Parts(location), s3Parts(prefix)];
  return wanted.length > 0 && parts.length > 0 && wanted.every((part, i) => part === parts[i]);
}

async function isWithinFolder(location: string, folder: string): Promise<boolean> {
  // What is opened is the path as written, where ".." goes up from the end of a link: that is not worth following.
  if (/^[a-z][a-z0-9+.-]*:\/\//i.test(location) || location.split('/').includes('..')) return false;
  try {
    const way = relative(await realLocation(resolve(folder)), await realLocation(resolve(location)));
    return way === '' || (!isAbsolute(way) && way !== '..' && !way.startsWith('../'));
  } catch {
    // What cannot be looked at cannot be used either.
    return false;
  }
}

/** As deep as Linux follows links. */
const MOST_LINKS = 40;

/** A path without symbolic links, also where its end does not exist. */
async function realLocation(path: string, links = 0): Promise<string> {
  try {
    return await realpath(path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT' || links > MOST_LINKS) throw error;
  }
  // A link to nowhere: whoever writes through it makes a file where it points.
  const entry = await lstat(path).catch(() => null);
  if (entry?.isSymbolicLink() === true) return realLocation(resolve(dirname(path), await readlink(path)), links + 1);
  const parent = dirname(path);
  return parent === path ? path : join(await realLocation(parent, links), path.slice(parent.length));
}
