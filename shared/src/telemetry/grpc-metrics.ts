import { ServerInterceptingCall, status, type ServerInterceptor } from '@grpc/grpc-js';
import type { Metrics } from './metrics.js';

/**
 * Calls that a gRPC server answered, under the names that gRPC middleware of other languages uses, so that existing
 * dashboards read them.
 *
 * @source https://github.com/grpc-ecosystem/go-grpc-middleware (providers/prometheus)
 */
export const GRPC_SERVER_METRICS = {
  counters: {
    grpc_server_handled_total: {
      help: 'Calls answered, by their status',
      labels: { grpc_service: null, grpc_method: null, grpc_code: null },
    },
  },
  gauges: {},
  histograms: {
    grpc_server_handling_seconds: {
      help: 'Time from the arrival of a call to its status; PullTask waits for work, WatchJob for the end of the job',
      labels: { grpc_service: null, grpc_method: null },
      buckets: [0.001, 0.005, 0.025, 0.1, 0.5, 1, 5, 30],
    },
  },
} as const;

/** Counts every call once, when its status is sent or its caller has gone. Calls of unknown methods never come here. */
export function measureGrpcServer(
  metrics: Metrics<typeof GRPC_SERVER_METRICS>,
  nowMs: () => number = () => performance.now(),
): ServerInterceptor {
  return ({ path }, call) => {
    const startedMs = nowMs();
    const [, service = '', method = ''] = path.split('/');
    const labels = { grpc_service: service, grpc_method: method };
    let isCounted = false;
    const end = (code: status): void => {
      if (isCounted) return;
      isCounted = true;
      metrics.count('grpc_server_handled_total', { ...labels, grpc_code: status[code] });
      metrics.observe('grpc_server_handling_seconds', labels, (nowMs() - startedMs) / 1000);
    };
    return new ServerInterceptingCall(call, {
      start: (next) => next({ onCancel: () => end(status.CANCELLED) }),
      sendStatus: (sent, next) => {
        end(sent.code ?? status.UNKNOWN);
        next(sent);
      },
    });
  };
}
