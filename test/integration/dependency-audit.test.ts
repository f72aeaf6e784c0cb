import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import { gunzipSync } from 'node:zlib';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';

const REPOSITORY = fileURLToPath(new URL('../../', import.meta.url));
const BULK = '/-/npm/v1/security/advisories/bulk';

/** What the part does in `.ci/run`, without the pause before its second try, and then what was noted of it. */
const PART = `
  set -u -o pipefail
  . .ci/parts.sh
  . .ci/audit.sh
  work=$1
  sleep() { :; }
  audit_dependencies
  say "noted: passed \${passed_parts[*]-}, failed \${failed_parts[*]-}, skipped \${skipped_parts[*]-}"`;

interface Advisory {
  readonly package: string;
  readonly severity: 'moderate' | 'high';
}

const lock = JSON.parse(readFileSync(join(REPOSITORY, 'package-lock.json'), 'utf8')) as {
  readonly packages: Readonly<Record<string, { readonly version: string; readonly dev?: boolean }>>;
};
const locked = (name: string): string => lock.packages[`node_modules/${name}`].version;
/** As the registry of npm answers. */
const bodyOf = ({ package: name, severity }: Advisory): Record<string, unknown> => ({
  [name]: [
    {
      id: 1_000_001,
      url: 'https://github.com/advisories/GHSA-aaaa-bbbb-cccc',
      title: `${name} does what it should not`,
      severity,
      vulnerable_versions: `<=${locked(name)}`,
      cwe: ['CWE-1321'],
      cvss: { score: 8.2, vectorString: 'CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:L/I:H/A:N' },
    },
  ],
});

describe('the part "audit" of continuous integration', () => {
  let cache: string;
  let registry: Server | null = null;
  let asked: Record<string, string[]>[];
  // npm keeps what it learnt of an advisory.
  beforeEach(async () => {
    cache = await mkdtemp(join(tmpdir(), 'shardex-audit-'));
  });
  const stopRegistry = async (): Promise<void> => {
    if (registry === null) return;
    registry.closeAllConnections();
    registry.close();
    await once(registry, 'close');
    registry = null;
  };
  afterEach(async () => {
    await stopRegistry();
    await rm(cache, { recursive: true, force: true });
  });

  /** A registry that knows one advisory, or none, or whose answer to the question is a status. @returns its address */
  const startRegistry = async (answer: Advisory | null | number): Promise<string> => {
    asked = [];
    registry = createServer((request, response) => {
      void buffer(request).then((body) => {
        if (request.url !== BULK) {
          response.writeHead(404).end('{}');
          return;
        }
        asked.push(JSON.parse(gunzipSync(body).toString()) as Record<string, string[]>);
        const status = typeof answer === 'number' ? answer : 200;
        const known = answer === null || typeof answer === 'number' ? {} : bodyOf(answer);
        response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(known));
      });
    }).listen(0, '127.0.0.1');
    await once(registry, 'listening');
    return `http://127.0.0.1:${(registry.address() as AddressInfo).port}`;
  };

  /** All lines that the part says, with npm as it is installed here. */
  const audit = async (address: string): Promise<string> => {
    const settings = { registry: address, cache, fetch_retries: '0', update_notifier: 'false', color: 'false' };
    const named = Object.entries(settings).map(([name, value]) => [`npm_config_${name}`, value]);
    const child = spawn('bash', ['-c', PART, 'audit', cache], {
      cwd: REPOSITORY,
      env: { ...process.env, ...(Object.fromEntries(named) as NodeJS.ProcessEnv) },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    const [out] = await Promise.all([buffer(child.stdout), buffer(child.stderr), once(child, 'close')]);
    return out.toString();
  };

  it('passes where no advisory is known, and asks for what users install, not for what tests use', async () => {
    const said = await audit(await startRegistry(null));
    expect(said).toContain('noted: passed audit, failed , skipped \n');
    const [packages] = asked;
    expect(packages['@grpc/grpc-js']).toEqual([locked('@grpc/grpc-js')]);
    expect(packages['protobufjs']).toEqual([locked('protobufjs')]);
    expect(lock.packages['node_modules/vitest'].dev).toBe(true);
    expect(packages).not.toHaveProperty('vitest');
  });

  it('fails for a grave advisory on a locked version, and names the package', async () => {
    const said = await audit(await startRegistry({ package: 'protobufjs', severity: 'high' }));
    expect(said).toContain('protobufjs does what it should not');
    expect(said).toContain('!!! FAILED: audit (exit 1');
    expect(said).toContain('noted: passed , failed audit, skipped \n');
  });

  it('passes with a lesser advisory, and names the package', async () => {
    const said = await audit(await startRegistry({ package: 'protobufjs', severity: 'moderate' }));
    expect(said).toContain('protobufjs does what it should not');
    expect(said).toContain('noted: passed audit, failed , skipped \n');
  });

  it('is skipped aloud, after a second try, where the registry does not answer the question', async () => {
    const said = await audit(await startRegistry(405));
    expect(asked.length).toBe(2);
    expect(said).toMatch(/^!!! SKIPPED: audit: the registry did not answer npm audit: .*405 Method Not Allowed/m);
    expect(said).toContain('noted: passed , failed , skipped audit\n');
  });

  it('is skipped aloud where there is no registry', async () => {
    const address = await startRegistry(null);
    await stopRegistry();
    const said = await audit(address);
    expect(said).toMatch(/^!!! SKIPPED: audit: the registry did not answer npm audit: .*ECONNREFUSED/m);
    expect(said).toContain('noted: passed , failed , skipped audit\n');
  });
});
