import { createRequire } from 'node:module';
import type * as Yaml from 'yaml';
import { InvalidInputError } from '../errors/index.js';
import { listNames, suggestName } from './suggest.js';

/** One setting of a long-running process. */
export interface SettingSpec<Value> {
  /** Value where nobody says otherwise. */
  readonly otherwise: Value;
  /** @param source - where the text comes from, for the error: "--port", "SHARDEX_PORT" or "port in FILE" */
  readonly parse: (text: string, source: string) => Value;
}

export type SettingSpecs<Values> = { readonly [Name in keyof Values]: SettingSpec<Values[Name]> };

export type SettingSource = 'flag' | 'environment' | 'file' | 'default';

/** Where settings may come from, by precedence. */
export interface SettingInputs {
  /** By camel-case name, as commander gives them; undefined: not typed. */
  readonly flags: Readonly<Record<string, string | boolean | undefined>>;
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** What `parseConfigFile` returned; absent: no file. */
  readonly file?: ConfigFile | undefined;
}

export interface ConfigFile {
  readonly path: string;
  /** By camel-case name. */
  readonly values: ReadonlyMap<string, string>;
}

export interface ResolvedSettings<Values> {
  readonly values: Values;
  readonly sources: { readonly [Name in keyof Values]: SettingSource };
}

const kebab = (name: string): string => name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
const camel = (name: string): string => name.replace(/[-_]([a-z0-9])/g, (_, letter: string) => letter.toUpperCase());

/** Name of the environment variable of a setting: `leaseMs` → `SHARDEX_LEASE_MS`. */
export const environmentName = (name: string): string => `SHARDEX_${kebab(name).replace(/-/g, '_').toUpperCase()}`;

/**
 * The settings in the text of a YAML file: one mapping of names (camelCase or kebab-case) to plain values.
 *
 * @param path - name of the file, for errors
 * @throws InvalidInputError when the text is no YAML, no mapping, or a value is not a plain one
 */
export function parseConfigFile(text: string, path: string): ConfigFile {
  // Loaded when it is needed: most processes are given no file.
  const { parse } = createRequire(import.meta.url)('yaml') as typeof Yaml;
  let document: unknown;
  try {
    document = parse(text);
  } catch (error) {
    const reason = error instanceof Error ? error.message.split('\n')[0] : String(error);
    throw new InvalidInputError(`${path} is not valid YAML (${reason})`, { hint: 'correct the file', cause: error });
  }
  const values = new Map<string, string>();
  if (document === null || document === undefined) return { path, values };
  if (typeof document !== 'object' || Array.isArray(document)) {
    throw new InvalidInputError(`${path} is not a list of "name: value" lines`, { hint: 'write one setting a line' });
  }
  for (const [name, value] of Object.entries(document)) {
    if (value === null) continue;
    if (typeof value === 'object') {
      throw new InvalidInputError(`${name} in ${path} is not a plain value`, { hint: 'write "name: value"' });
    }
    values.set(camel(name), String(value));
  }
  return { path, values };
}

/**
 * Each setting from the first place that has it: flags, then `SHARDEX_…` variables (blank ones do not count), then the
 * file, then the default.
 *
 * @throws InvalidInputError when the file has a name that is no setting, or a value does not parse (the error says where)
 */
export function resolveSettings<Values>(specs: SettingSpecs<Values>, inputs: SettingInputs): ResolvedSettings<Values> {
  const names = Object.keys(specs) as (keyof Values & string)[];
  for (const name of inputs.file?.values.keys() ?? []) {
    if ((names as string[]).includes(name)) continue;
    const near = suggestName(name, names);
    throw new InvalidInputError(`${kebab(name)} in ${inputs.file?.path ?? ''} is not a setting`, {
      hint: near === null ? `valid are ${listNames(names.map(kebab), 20)}` : `did you mean ${kebab(near)}?`,
    });
  }
  const values: Partial<Values> = {};
  const sources: Partial<Record<keyof Values, SettingSource>> = {};
  for (const name of names) {
    const flag = inputs.flags[name];
    const variable = inputs.environment[environmentName(name)];
    const line = inputs.file?.values.get(name);
    const [source, text, label]: readonly [SettingSource, string, string] =
      flag !== undefined
        ? ['flag', String(flag), `--${kebab(name)}`]
        : variable !== undefined && variable !== ''
          ? ['environment', variable, environmentName(name)]
          : line !== undefined
            ? ['file', line, `${kebab(name)} in ${inputs.file?.path ?? ''}`]
            : ['default', '', ''];
    values[name] = source === 'default' ? specs[name].otherwise : specs[name].parse(text, label);
    sources[name] = source;
  }
  return { values: values as Values, sources: sources as ResolvedSettings<Values>['sources'] };
}
