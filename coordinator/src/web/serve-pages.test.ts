import { createServer, request as httpRequest, type IncomingMessage } from 'node:http';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { InvalidInputError } from '@shardex/shared/errors';
import { createPages, type PagesPort } from './serve-pages.js';

const closers: (() => void)[] = [];
afterEach(() => {
  for (const close of closers.splice(0)) close();
});

const NO_JOBS: PagesPort = {
  list: () => [],
  view: (jobId) => {
    throw new InvalidInputError(`there is no job ${jobId}`);
  },
  entries: () => [],
  workers: () => [],
  fitted: () => null,
  results: () => {
    throw new InvalidInputError('there are no results');
  },
};

/** Serves pages of no jobs and asks for one path, as a client that calls the server `host`. */
async function ask(readers: 'this-machine' | 'anyone', path: string, host = 'localhost') {
  const pages = createPages(NO_JOBS, readers);
  const server = createServer((incoming, response) => {
    if (!pages.serve(incoming, response)) response.writeHead(418).end();
  }).listen(0, '127.0.0.1');
  closers.push(() => {
    server.close();
    pages.close();
  });
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const sent = httpRequest({ host: '127.0.0.1', port, path, headers: { host } }).end();
  const [response] = (await once(sent, 'response')) as [IncomingMessage];
  let text = '';
  for await (const chunk of response) text += String(chunk);
  return { status: response.statusCode, headers: response.headers, text };
}

describe('the pages', () => {
  it('forbid what comes from elsewhere and name only files of their own', async () => {
    const { status, headers, text } = await ask('this-machine', '/');
    expect(status).toBe(200);
    expect(headers['content-security-policy']).toContain("default-src 'none'");
    expect(text).not.toMatch(/https?:|\/\//);
  });

  it('tell jobs and workers, and what is wrong with a request', async () => {
    expect(JSON.parse((await ask('this-machine', '/api/state')).text)).toMatchObject({ jobs: [], workers: [] });
    const absent = await ask('this-machine', '/api/jobs/none');
    expect([absent.status, JSON.parse(absent.text)]).toMatchObject([404, { message: 'there is no job none' }]);
  });

  it('leave other paths to the server', async () => {
    expect((await ask('this-machine', '/elsewhere')).status).toBe(418);
    expect((await ask('this-machine', '/api/jobs/none/results/nb-glm/more')).status).toBe(418);
  });

  it('are not read under a foreign name, unless anyone may', async () => {
    const rebound = await ask('this-machine', '/api/state', 'attacker.example:80');
    expect([rebound.status, rebound.text.includes('workers')]).toEqual([403, false]);
    expect((await ask('anyone', '/api/state', 'head-node:9090')).status).toBe(200);
    expect((await ask('this-machine', '/api/state', '127.0.0.1:9090')).status).toBe(200);
  });
});
