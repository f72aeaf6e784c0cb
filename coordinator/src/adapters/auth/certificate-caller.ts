import type { PeerCertificate } from 'node:tls';
import { withImplied, type Caller, type Permission } from './permissions.js';

/** What the organisational units of a certificate allow; others mean nothing here. */
const ROLES: Readonly<Record<string, readonly Permission[]>> = {
  worker: ['work'],
  client: ['read', 'submit'],
};

/**
 * Who a certificate is for: its common name, and the roles its organisational units (OU) give. Authorities of ours have
 * signed it; that is the connection's to check.
 *
 * @param nowMs - a certificate also ends for connections that are open
 * @returns null when its time is over
 */
export function callerOfCertificate(certificate: PeerCertificate, nowMs: number): Caller | null {
  if (!(nowMs <= Date.parse(certificate.valid_to))) return null;
  // Repeated parts of a name come as a list, whatever the types say.
  const units = [certificate.subject.OU as string | readonly string[] | undefined].flat();
  const permissions = units.flatMap((unit) => (unit !== undefined && Object.hasOwn(ROLES, unit) ? ROLES[unit] : []));
  const name = [certificate.subject.CN as string | readonly string[] | undefined].flat()[0];
  return { name: `certificate ${name ?? certificate.fingerprint256}`, permissions: withImplied(permissions) };
}
