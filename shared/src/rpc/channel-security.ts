import { isIP } from 'node:net';
import { checkServerIdentity, type PeerCertificate } from 'node:tls';
import { credentials, type ChannelCredentials } from '@grpc/grpc-js';
import { TOKEN_VARIABLE, type ConnectionSettings } from '../config/index.js';
import { InvalidInputError } from '../errors/index.js';
import { hostOf, isLoopback } from './loopback.js';
import { makeSecureContext } from './tls-files.js';
import { WatchedFiles } from './watched-files.js';

/** How a connection is protected, and who is behind it. */
export interface ChannelSecurity {
  /** Credentials for new connections, from the files as they are now. */
  credentials(): ChannelCredentials;
  /** Whether `credentials` would now give others than before. A file that cannot be read just now changes nothing. */
  hasChanged(): boolean;
  /** The bearer token as it is now; null: none. */
  token(): string | null;
}

/** No encryption and no token: loopback, or a network that is trusted. */
export const PLAINTEXT: ChannelSecurity = {
  credentials: () => credentials.createInsecure(),
  hasChanged: () => false,
  token: () => null,
};

/** Characters of a token; others could not be sent in a header, and the library's own error would quote the secret. */
const TOKEN = /^[\x21-\x7e]+$/;

/**
 * What the settings say of a connection to `address`. Files are read now, and again when they change.
 *
 * @throws InvalidInputError when a file cannot be read or used, a setting lacks its other half, or a token would cross the
 *   network unencrypted
 */
export function channelSecurity(
  settings: ConnectionSettings,
  environment: Readonly<Record<string, string | undefined>>,
  address: string,
): ChannelSecurity {
  const token = tokenSource(settings, environment);
  const { tlsCa, tlsCert, tlsKey } = settings;
  if ((tlsCert === null) !== (tlsKey === null)) {
    throw new InvalidInputError('a certificate and its key belong together', {
      hint: 'give both, --tls-cert and --tls-key, or neither',
    });
  }
  if (tlsCa === null) {
    if (tlsCert !== null) {
      throw new InvalidInputError('a certificate was given, but not who signs the coordinator’s', {
        hint: 'add --tls-ca',
      });
    }
    if (token() !== null && !isLoopback(hostOf(address))) {
      throw new InvalidInputError(`the token would cross the network to ${address} unencrypted`, {
        hint: 'encrypt the connection with --tls-ca',
      });
    }
    return { ...PLAINTEXT, token };
  }
  const paths = { ca: tlsCa, ...(tlsCert === null || tlsKey === null ? {} : { cert: tlsCert, key: tlsKey }) };
  const files = new WatchedFiles<'ca' | 'cert' | 'key'>(paths as Record<'ca' | 'cert' | 'key', string>);
  const host = hostOf(address);
  // The name that connections to an address ask for is none of the server's: see `serverName`.
  const verify =
    isIP(host) === 0
      ? {}
      : { checkServerIdentity: (_: string, cert: PeerCertificate) => checkServerIdentity(host, cert) };
  const make = (): ChannelCredentials =>
    credentials.createFromSecureContext(makeSecureContext(files.contents, Object.values(paths)), verify);
  let current = make();
  return {
    credentials: () => current,
    hasChanged: () => {
      try {
        if (!files.refresh()) return false;
        current = make();
        return true;
      } catch {
        // A certificate whose key is still to come: the next look finds both.
        return false;
      }
    },
    token,
  };
}

function tokenSource(
  { tokenFile }: ConnectionSettings,
  environment: Readonly<Record<string, string | undefined>>,
): () => string | null {
  if (tokenFile !== null) {
    const file = new WatchedFiles({ token: tokenFile });
    const read = (): string => checkedToken(file.contents.token.toString('utf8').trim(), tokenFile);
    let current = read();
    return () => {
      try {
        if (file.refresh()) current = read();
      } catch {
        // It is being replaced.
      }
      return current;
    };
  }
  const variable = environment[TOKEN_VARIABLE] ?? '';
  const token = variable === '' ? null : checkedToken(variable, TOKEN_VARIABLE);
  return () => token;
}

function checkedToken(token: string, source: string): string {
  if (TOKEN.test(token)) return token;
  throw new InvalidInputError(`${source} holds no token`, {
    hint: 'a token is one word of ASCII characters, as "openssl rand -hex 32" prints',
  });
}
