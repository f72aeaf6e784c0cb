import type { IncomingMessage, ServerResponse } from 'node:http';
import { parseChoice, TEST_NAMES } from '@shardex/shared/config';
import { toShardexError } from '@shardex/shared/errors';
import { PRODUCT_VERSION } from '../adapters/index.js';
import { ResultsAnswers, type ResultsPort } from './answer-results.js';
import { LIVE_POLICY, livePage, readPageAssets } from './page-assets.js';
import { viewDetails, viewState, type JobsPort } from './view-jobs.js';

export interface PagesPort extends JobsPort, ResultsPort {}

export interface Pages {
  /** Answers a request; false when there is no such page. */
  serve(this: void, request: IncomingMessage, response: ServerResponse): boolean;
  /** Closes the result files that were kept open. */
  close(): void;
}

/** Text and its type, or a file to download piece by piece. */
type Answer =
  | { readonly type: string; readonly text: string }
  | { readonly fileName: string; readonly chunks: AsyncIterable<Uint8Array> };

const JSON_TYPE = 'application/json; charset=utf-8';
const json = (value: unknown): Answer => ({ type: JSON_TYPE, text: JSON.stringify(value) });

const HEADERS = {
  'content-security-policy': LIVE_POLICY,
  'x-content-type-options': 'nosniff',
  'referrer-policy': 'no-referrer',
  'cache-control': 'no-store',
} as const;

/**
 * The live page and what it asks for; nothing here changes anything.
 *
 * - `/`, `/page.js`, `/page.css`
 * - `/api/state`: jobs and workers
 * - `/api/jobs/ID`: a job with its throughput and events
 * - `/api/jobs/ID/results`: what a finished job left, or a running one has so far
 * - `/api/jobs/ID/results/TEST`: counts of every perturbation, and calibration
 * - `/api/jobs/ID/results/TEST?perturbation=NAME`: its genes; with `&format=csv` all columns, as a file
 *
 * @param readers - `this-machine`: requests from elsewhere are refused, whatever the port is bound to, and so are those sent
 *   to another name than this machine's own: a web page elsewhere could give its own name our address and read the answers
 */
export function createPages(jobs: PagesPort, readers: 'this-machine' | 'anyone'): Pages {
  const results = new ResultsAnswers(jobs);
  const route = routeOf(jobs, results);
  const serve: Pages['serve'] = (request, response) => {
    if (readers === 'this-machine' && !isFromThisMachine(request)) {
      response.writeHead(403, { ...HEADERS, 'content-type': JSON_TYPE });
      response.end(JSON.stringify({ message: REFUSED }));
      return true;
    }
    const [path, query] = (request.url ?? '/').split('?', 2);
    const answer = route(path.split('/').slice(1).map(decode), new URLSearchParams(query));
    if (answer === null) return false;
    answer.then((found) => send(response, found)).catch((error: unknown) => sendError(response, error));
    return true;
  };
  return { serve, close: () => results.close() };
}

const REFUSED =
  'the page is served to this machine only, under its own name: come by a tunnel, as ssh -L or kubectl port-forward make';

type Route = (parts: readonly string[], query: URLSearchParams) => Promise<Answer> | null;

const routeOf =
  (jobs: PagesPort, answers: ResultsAnswers): Route =>
  (parts, query) => {
    const [area, ...rest] = parts;
    if (parts.length === 1) return pageFile(area);
    if (area !== 'api') return null;
    const [kind, jobId, results, test] = rest;
    if (kind === 'state' && rest.length === 1) return soon(() => json(viewState(jobs, PRODUCT_VERSION, Date.now())));
    if (kind !== 'jobs' || jobId === undefined) return null;
    if (rest.length === 2) return soon(() => json(viewDetails(jobs, jobId, Date.now())));
    if (results !== 'results' || rest.length > 4) return null;
    return soon(() => resultsAnswer(answers, jobId, test, query));
  };

/** What `make` throws becomes a rejection. */
const soon = async (make: () => Answer | Promise<Answer>): Promise<Answer> => make();

function pageFile(name: string): Promise<Answer> | null {
  if (name === '') return soon(() => ({ type: 'text/html; charset=utf-8', text: livePage() }));
  if (name === 'page.js')
    return readPageAssets().then(({ script }) => ({ type: 'text/javascript; charset=utf-8', text: script }));
  if (name === 'page.css')
    return readPageAssets().then(({ styles }) => ({ type: 'text/css; charset=utf-8', text: styles }));
  return null;
}

async function resultsAnswer(
  answers: ResultsAnswers,
  jobId: string,
  testText: string | undefined,
  query: URLSearchParams,
): Promise<Answer> {
  if (testText === undefined) return json(await answers.run(jobId));
  const test = parseChoice(testText, TEST_NAMES, 'the path', 'test');
  const perturbation = query.get('perturbation');
  if (perturbation === null) return json(await answers.test(jobId, test));
  if (query.get('format') !== 'csv') return json(await answers.perturbation(jobId, test, perturbation));
  const { name, chunks } = await answers.csv(jobId, test, perturbation);
  return { fileName: name.replace(/[^\w.+-]+/g, '_'), chunks };
}

async function send(response: ServerResponse, answer: Answer): Promise<void> {
  if ('text' in answer) {
    response.writeHead(200, { ...HEADERS, 'content-type': answer.type }).end(answer.text);
    return;
  }
  for await (const chunk of answer.chunks) {
    if (!response.headersSent) {
      const disposition = `attachment; filename="${answer.fileName}"`;
      response.writeHead(200, {
        ...HEADERS,
        'content-type': 'text/csv; charset=utf-8',
        'content-disposition': disposition,
      });
    }
    if (response.destroyed) return;
    if (!response.write(chunk)) await new Promise((resolve) => response.once('drain', resolve).once('close', resolve));
  }
  response.end();
}

function sendError(response: ServerResponse, error: unknown): void {
  // What is cut off in the middle must not look whole.
  if (response.headersSent) return void response.destroy();
  const { tag, message, hint } = toShardexError(error, 'answering a request');
  response.writeHead(tag === 'InvalidInput' ? 404 : 500, { ...HEADERS, 'content-type': JSON_TYPE });
  response.end(JSON.stringify({ message, hint }));
}

/** Names and addresses of this machine; sockets that serve both families write IPv4 addresses in IPv6. */
const LOOPBACK = /^(localhost|\[?::1\]?|(::ffff:)?127(\.\d{1,3}){3})$/i;

function isFromThisMachine({ headers: { host = '' }, socket: { remoteAddress = '' } }: IncomingMessage): boolean {
  return LOOPBACK.test(remoteAddress) && LOOPBACK.test(host.replace(/:\d+$/, ''));
}

function decode(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}
