import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { InvalidInputError } from '@shardex/shared/errors';
import type { MetricsSource } from '@shardex/shared/telemetry';

export interface HttpServer {
  /** `HOST:PORT` with the port that was really bound. */
  readonly address: string;
  close(): Promise<void>;
}

/** Answers what is not one of the server's own paths; false when there is no such page. */
export type ServePages = (request: IncomingMessage, response: ServerResponse) => boolean;

/**
 * `/metrics` for Prometheus, `/healthz` (the process is alive and not broken) and `/readyz` (it takes work).
 *
 * @param ready - null while all is well, otherwise why not, in a few words
 * @param pages - what else is served
 */
export function serveHttp(
  host: string,
  port: number,
  metrics: MetricsSource,
  ready: () => { readonly healthy: boolean; readonly ready: boolean; readonly why: string },
  pages: ServePages = () => false,
): Promise<HttpServer> {
  const server = createServer((request, response) => {
    const path = request.url?.split('?')[0];
    if (request.method !== 'GET' && request.method !== 'HEAD') return answer(response, 405, 'GET only\n');
    const state = ready();
    if (path === '/healthz')
      return answer(response, state.healthy ? 200 : 503, state.healthy ? 'ok\n' : `${state.why}\n`);
    if (path === '/readyz') return answer(response, state.ready ? 200 : 503, state.ready ? 'ok\n' : `${state.why}\n`);
    if (path !== '/metrics') {
      if (!pages(request, response)) answer(response, 404, 'try /, /metrics, /healthz or /readyz\n');
      return;
    }
    metrics.expose().then(
      ({ contentType, text }) => answer(response, 200, text, contentType),
      () => answer(response, 500, 'metrics could not be read\n'),
    );
  });
  return new Promise((resolve, reject) => {
    server.once('error', (error) =>
      reject(new InvalidInputError(`cannot serve metrics at ${host}:${port}: ${error.message}`, { cause: error })),
    );
    server.listen(port, host, () => {
      const bound = (server.address() as AddressInfo).port;
      resolve({
        address: `${host}:${bound}`,
        close: () =>
          new Promise((done) => {
            server.close(() => done());
            server.closeAllConnections();
          }),
      });
    });
  });
}

function answer(
  response: ServerResponse,
  status: number,
  text: string,
  contentType = 'text/plain; charset=utf-8',
): void {
  response.writeHead(status, { 'content-type': contentType }).end(text);
}
