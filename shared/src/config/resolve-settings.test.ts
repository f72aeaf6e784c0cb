import { describe, expect, it } from 'vitest';
import { InvalidInputError } from '../errors/index.js';
import { parseWholeNumber } from './option-values.js';
import { environmentName, parseConfigFile, resolveSettings, type SettingSpecs } from './resolve-settings.js';

interface Settings {
  readonly listen: string;
  readonly leaseMs: number;
}
const specs: SettingSpecs<Settings> = {
  listen: { otherwise: '127.0.0.1:7070', parse: (text) => text },
  leaseMs: { otherwise: 15_000, parse: (text, source) => parseWholeNumber(text, source, 1) },
};

describe('settings of a process', () => {
  it('come from flags before the environment before the file before the defaults', () => {
    const file = parseConfigFile('listen: file:1\nlease-ms: 1\n', 'shardex.yaml');
    const environment = { SHARDEX_LISTEN: 'environment:1' };
    expect(resolveSettings(specs, { flags: { listen: 'flag:1' }, environment, file })).toEqual({
      values: { listen: 'flag:1', leaseMs: 1 },
      sources: { listen: 'flag', leaseMs: 'file' },
    });
    expect(resolveSettings(specs, { flags: {}, environment, file }).values.listen).toBe('environment:1');
    expect(resolveSettings(specs, { flags: {}, environment: { SHARDEX_LISTEN: '' }, file }).values.listen).toBe(
      'file:1',
    );
    expect(resolveSettings(specs, { flags: {}, environment: {} })).toEqual({
      values: { listen: '127.0.0.1:7070', leaseMs: 15_000 },
      sources: { listen: 'default', leaseMs: 'default' },
    });
  });

  it('say where a wrong value came from', () => {
    const refused = (run: () => unknown) => expect(run).toThrow(InvalidInputError);
    refused(() => resolveSettings(specs, { flags: { leaseMs: 'x' }, environment: {} }));
    expect(() => resolveSettings(specs, { flags: { leaseMs: 'x' }, environment: {} })).toThrow('--lease-ms "x"');
    expect(() => resolveSettings(specs, { flags: {}, environment: { SHARDEX_LEASE_MS: 'x' } })).toThrow(
      'SHARDEX_LEASE_MS "x"',
    );
    const file = parseConfigFile('leaseMs: x', 'a.yaml');
    expect(() => resolveSettings(specs, { flags: {}, environment: {}, file })).toThrow('lease-ms in a.yaml "x"');
  });

  it('refuse a name in the file that is no setting and suggest the nearest', () => {
    const file = parseConfigFile('lisen: a:1', 'a.yaml');
    expect(() => resolveSettings(specs, { flags: {}, environment: {}, file })).toThrow(
      'lisen in a.yaml is not a setting',
    );
  });

  it.each([
    ['a: [1, 2', 'is not valid YAML'],
    ['- 1\n- 2', 'is not a list of "name: value" lines'],
    ['listen:\n  host: a', 'listen in a.yaml is not a plain value'],
  ])('refuse the file %j', (text, message) => {
    expect(() => parseConfigFile(text, 'a.yaml')).toThrow(message);
  });

  it('take an empty file as no settings', () => {
    expect(parseConfigFile('# nothing\n', 'a.yaml').values.size).toBe(0);
  });

  it('name their environment variables in capitals', () => {
    expect(environmentName('leaseMs')).toBe('SHARDEX_LEASE_MS');
  });
});
