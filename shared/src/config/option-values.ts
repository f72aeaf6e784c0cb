import { InvalidInputError } from '../errors/index.js';
import { listNames, suggestName } from './suggest.js';

/** `value` when it is one of `choices`; underscores count as hyphens. @throws InvalidInputError that lists the choices */
export function parseChoice<Choice extends string>(
  text: string,
  choices: readonly Choice[],
  source: string,
  what = 'value',
): Choice {
  const wanted = text.trim();
  const found =
    choices.find((choice) => choice === wanted) ?? choices.find((choice) => choice === wanted.replace(/_/g, '-'));
  if (found !== undefined) return found;
  const near = suggestName(wanted, choices);
  throw new InvalidInputError(`${source}: unknown ${what} "${wanted}"`, {
    hint: `${near === null ? '' : `did you mean "${near}"? `}valid are ${listNames(choices)}`,
  });
}

/** The entries of a comma-separated list, trimmed, repeats dropped. @throws InvalidInputError for an empty list or entry */
export function parseList(text: string, source: string): string[] {
  const entries = text.split(',').map((entry) => entry.trim());
  if (entries.every((entry) => entry === '')) {
    throw new InvalidInputError(`${source} is an empty list`, { hint: 'name at least one, or leave the option out' });
  }
  if (entries.includes('')) {
    throw new InvalidInputError(`${source} "${text}" has an empty entry`, { hint: 'separate names by single commas' });
  }
  return [...new Set(entries)];
}

/** A whole number in [least, most]. @throws InvalidInputError otherwise */
export function parseWholeNumber(text: string, source: string, least = 0, most = 0xffff_ffff): number {
  const value = /^[+-]?\d+$/.test(text.trim()) ? Number(text) : Number.NaN;
  if (!(value >= least && value <= most)) {
    const range = most === 0xffff_ffff ? `of at least ${least}` : `from ${least} to ${most}`;
    throw new InvalidInputError(`${source} "${text}" is not a whole number ${range}`, {
      hint: `give one, as ${Math.max(least, 1)}`,
    });
  }
  return value;
}

/** A finite number in decimal notation. @throws InvalidInputError otherwise */
export function parseNumber(text: string, source: string): number {
  const value = /^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i.test(text.trim()) ? Number(text) : Number.NaN;
  if (!Number.isFinite(value)) {
    throw new InvalidInputError(`${source} "${text}" is not a number`, {
      hint: 'write it in digits, as 0.05',
    });
  }
  return value;
}

/** A name that is not blank. @throws InvalidInputError otherwise */
export function parseName(text: string, source: string): string {
  if (text.trim() === '') {
    throw new InvalidInputError(`${source} is empty`, { hint: 'give a name, or leave the option out' });
  }
  return text;
}

/** Base address of a service over HTTP. @throws InvalidInputError, which does not repeat an address with a password in it */
export function parseHttpAddress(text: string, source: string): string {
  let address: URL;
  try {
    address = new URL(text.trim());
  } catch (error) {
    throw new InvalidInputError(`${source} is no address`, {
      hint: 'write one as http://127.0.0.1:4318',
      cause: error,
    });
  }
  if (address.protocol !== 'http:' && address.protocol !== 'https:') {
    throw new InvalidInputError(`${source} begins with ${address.protocol}`, {
      hint: 'write http:// or https:// before the name of the host',
    });
  }
  if (address.username !== '' || address.password !== '') {
    throw new InvalidInputError(`${source} has a user or a password in it`, {
      hint: 'a command line can be read by others: put what authenticates into OTEL_EXPORTER_OTLP_HEADERS',
    });
  }
  return address.href;
}
