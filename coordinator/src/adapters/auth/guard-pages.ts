import type { ServePages } from '../http-server.js';
import type { Gate } from './gate.js';

/**
 * The same pages for callers who may read. A browser asks for the token by itself: as the password, under any name.
 */
export function guardPages(serve: ServePages, gate: Gate): ServePages {
  return (request, response) => {
    const { authorization } = request.headers;
    const refusal = gate.refuseHttp('read', authorization, request.socket.remoteAddress ?? '');
    if (refusal === null) return serve(request, response);
    response.writeHead(refusal.status, {
      'content-type': 'application/json; charset=utf-8',
      'cache-control': 'no-store',
      ...(refusal.status === 401 ? { 'www-authenticate': 'Basic realm="shardex", charset="UTF-8"' } : {}),
    });
    response.end(JSON.stringify({ message: refusal.sentence, hint: '' }));
    return true;
  };
}
