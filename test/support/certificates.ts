import { execFileSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** PEM files as `--tls-cert` and `--tls-key` want them. */
export interface CertificateFiles {
  readonly cert: string;
  readonly key: string;
}

const openssl = (folder: string, ...args: string[]): void => {
  execFileSync('openssl', args, { cwd: folder, stdio: ['ignore', 'ignore', 'pipe'] });
};

/** Whether this machine can make certificates. */
export function hasOpenssl(): boolean {
  try {
    execFileSync('openssl', ['version'], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}

/** An authority in a folder of its own, with P-256 keys. */
export class TestAuthority {
  readonly ca: string;

  constructor(private readonly folder: string) {
    mkdirSync(folder, { recursive: true });
    this.ca = join(folder, 'ca.crt');
    const subject = ['-subj', '/CN=authority of a test', '-addext', 'keyUsage=critical,keyCertSign'];
    openssl(folder, 'req', '-x509', ...NEW_KEY, '-keyout', 'ca.key', '-out', 'ca.crt', '-days', '2', ...subject);
  }

  /**
   * @param name - of the files, and the common name
   * @param unit - organisational unit: the role
   * @param hosts - as `DNS:localhost` or `IP:127.0.0.1`
   */
  issue(name: string, unit: string, hosts: readonly string[] = []): CertificateFiles {
    const extensions = `subjectAltName=${[...hosts, `DNS:${name}.test`].join(',')}\n`;
    writeFileSync(join(this.folder, `${name}.ext`), extensions);
    openssl(
      this.folder,
      'req',
      ...NEW_KEY,
      '-keyout',
      `${name}.key`,
      '-out',
      `${name}.csr`,
      '-subj',
      `/OU=${unit}/CN=${name}`,
    );
    const signer = ['-CA', 'ca.crt', '-CAkey', 'ca.key', '-CAcreateserial', '-days', '2'];
    openssl(
      this.folder,
      'x509',
      '-req',
      '-in',
      `${name}.csr`,
      '-out',
      `${name}.crt`,
      '-extfile',
      `${name}.ext`,
      ...signer,
    );
    return { cert: join(this.folder, `${name}.crt`), key: join(this.folder, `${name}.key`) };
  }
}

const NEW_KEY = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes'];
