import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { channelSecurity } from './channel-security.js';
import { isLoopback } from './loopback.js';

const folder = mkdtempSync(join(tmpdir(), 'shardex-security-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const NONE = { tlsCa: null, tlsCert: null, tlsKey: null, tokenFile: null };
const HERE = '127.0.0.1:7443';

describe('the security of a connection', () => {
  it('has a token from a variable or a file, and reads the file again', () => {
    expect(channelSecurity(NONE, {}, HERE).token()).toBeNull();
    expect(channelSecurity(NONE, { SHARDEX_TOKEN: 'abc' }, HERE).token()).toBe('abc');
    const tokenFile = join(folder, 'token');
    writeFileSync(tokenFile, 'first\n');
    const security = channelSecurity({ ...NONE, tokenFile }, { SHARDEX_TOKEN: 'abc' }, HERE);
    expect(security.token()).toBe('first');
    writeFileSync(tokenFile, '');
    expect(security.token()).toBe('first');
    writeFileSync(tokenFile, 'second');
    expect(security.token()).toBe('second');
  });

  it('does not let a token cross the network unencrypted', () => {
    expect(() => channelSecurity(NONE, { SHARDEX_TOKEN: 'abc' }, 'head:7443')).toThrow(
      'the token would cross the network to head:7443 unencrypted',
    );
    expect(() => channelSecurity(NONE, { SHARDEX_TOKEN: 'abc' }, '[::1]:7443')).not.toThrow();
  });

  it('says what is wrong with a token without quoting it', () => {
    const open = (): unknown => channelSecurity(NONE, { SHARDEX_TOKEN: 'hunter2 \u00e9' }, HERE);
    expect(open).toThrow('SHARDEX_TOKEN holds no token');
    expect(open).not.toThrow('hunter2');
  });

  it.each([
    [{ tlsCert: 'a' }, 'a certificate and its key belong together'],
    [{ tlsCa: 'a', tlsKey: 'a' }, 'a certificate and its key belong together'],
    [{ tlsCert: 'a', tlsKey: 'a' }, 'a certificate was given, but not who signs'],
    [{ tlsCa: join(folder, 'absent') }, 'no such file'],
    [{ tokenFile: join(folder, 'absent') }, 'no such file'],
  ])('%j is refused', (settings, message) => {
    expect(() => channelSecurity({ ...NONE, ...settings }, {}, HERE)).toThrow(message);
  });

  it('refuses files that are no certificates, and shows nothing of them', () => {
    const tlsCa = join(folder, 'key-by-mistake');
    writeFileSync(tlsCa, '-----BEGIN CERTIFICATE-----\nc2VjcmV0c2VjcmV0\n-----END CERTIFICATE-----\n');
    const open = (): unknown => channelSecurity({ ...NONE, tlsCa }, {}, HERE);
    expect(open).toThrow(`TLS cannot be set up from ${tlsCa}`);
    expect(open).not.toThrow('c2VjcmV0');
  });
});

describe('loopback', () => {
  it.each([
    ['127.0.0.1', true],
    ['127.8.8.8', true],
    ['::1', true],
    ['localhost', true],
    ['0.0.0.0', false],
    ['::', false],
    ['127.0.0.1.example.org', false],
    ['10.0.0.1', false],
    ['', false],
  ])('%s: %s', (host, isIt) => {
    expect(isLoopback(host)).toBe(isIt);
  });
});
