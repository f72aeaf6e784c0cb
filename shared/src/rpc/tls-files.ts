import { X509Certificate } from 'node:crypto';
import { createSecureContext, type SecureContext, type SecureContextOptions } from 'node:tls';
import { InvalidInputError } from '../errors/index.js';

/** Both ends are ours: there is no reason to speak anything older. */
const TLS_VERSION = 'TLSv1.3';

/** What TLS is made of, in PEM. */
export interface TlsMaterial {
  readonly ca?: Buffer;
  readonly cert?: Buffer;
  readonly key?: Buffer;
}

/** What Node needs of it. */
export const secureContextOptions = ({ ca, cert, key }: TlsMaterial): SecureContextOptions => ({
  minVersion: TLS_VERSION,
  ...(ca === undefined ? {} : { ca }),
  ...(cert === undefined ? {} : { cert }),
  ...(key === undefined ? {} : { key }),
});

/**
 * @param files - names of the files, for the error
 * @throws InvalidInputError when they are no certificates, no key, or do not belong together
 */
export function makeSecureContext(material: TlsMaterial, files: readonly string[]): SecureContext {
  try {
    // Node takes any text for authorities, and then trusts nobody.
    if (material.ca !== undefined) new X509Certificate(material.ca);
    return createSecureContext(secureContextOptions(material));
  } catch (error) {
    // OpenSSL says what is wrong by a code; nothing of the key is in it.
    const reason = error instanceof Error ? error.message : 'unknown reason';
    throw new InvalidInputError(`TLS cannot be set up from ${files.join(', ')} (${reason})`, {
      hint: 'give PEM files: certificate authorities, a certificate, and the private key of that certificate',
    });
  }
}
