import type { PeerCertificate } from 'node:tls';
import { describe, expect, it } from 'vitest';
import { callerOfCertificate } from './certificate-caller.js';
import { permissionFor } from './permissions.js';

const END = 'Jan  2 00:00:00 2030 GMT';
const certificate = (subject: object): PeerCertificate =>
  ({ subject, valid_to: END, fingerprint256: 'AB:CD' }) as PeerCertificate;

describe('the caller behind a certificate', () => {
  it.each([
    [{ CN: 'node-1', OU: 'worker' }, 'certificate node-1', ['work']],
    [{ CN: 'alice', OU: 'client' }, 'certificate alice', ['read', 'submit']],
    [{ CN: 'both', OU: ['lab', 'worker', 'client'] }, 'certificate both', ['read', 'submit', 'work']],
    [{ CN: 'worker', OU: 'workers' }, 'certificate worker', []],
    [{ CN: 'odd', OU: 'constructor' }, 'certificate odd', []],
    [{}, 'certificate AB:CD', []],
  ])('%j', (subject, name, permissions) => {
    const caller = callerOfCertificate(certificate(subject), 0);
    expect(caller?.name).toBe(name);
    expect([...(caller?.permissions ?? [])].sort()).toEqual(permissions);
  });

  it('is nobody when its time is over, also on a connection that is open', () => {
    const worker = certificate({ CN: 'node-1', OU: 'worker' });
    expect(callerOfCertificate(worker, Date.parse(END))).not.toBeNull();
    expect(callerOfCertificate(worker, Date.parse(END) + 1)).toBeNull();
    expect(callerOfCertificate({ ...worker, valid_to: 'soon' }, 0)).toBeNull();
  });
});

describe('methods', () => {
  it.each([
    ['/shardex.v1.WorkerService/PullTask', 'work'],
    ['/shardex.v1.WorkerService/Whatever', 'work'],
    ['/shardex.v1.JobService/SubmitJob', 'submit'],
    ['/shardex.v1.JobService/CancelJob', 'submit'],
    ['/shardex.v1.JobService/GetResults', 'read'],
    ['/grpc.reflection.v1.ServerReflection/ServerReflectionInfo', 'read'],
    ['/grpc.health.v1.Health/Check', null],
    ['/grpc.health.v1.Healthy/Check', 'read'],
    ['', 'read'],
  ])('%s asks for %s', (path, permission) => {
    expect(permissionFor(path)).toBe(permission);
  });
});
