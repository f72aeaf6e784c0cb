export {
  Gate,
  guardPages,
  guardPlanner,
  JobQuota,
  NO_SECURITY,
  RateLimiter,
  ServerSecurity,
  type AllowedLocations,
  type SecuritySettings,
} from './auth/index.js';
export { systemClock, type Clock } from './clock.js';
export { createCoordinatorMetrics, type CoordinatorMetrics } from './coordinator-metrics.js';
export { serveGrpc, type GrpcServer } from './grpc-server.js';
export { serveHttp, type HttpServer } from './http-server.js';
export { randomIds, type IdSource } from './ids.js';
export { JobJournal } from './job-journal.js';
export { JobEngine, type EngineParts, type JobNews } from './job-engine.js';
export { FittedComparisons, type FittedPlace } from './reductions/fitted-comparisons.js';
export { DePlanner, planJob, PRODUCT_VERSION, type ReadResults } from './planner/index.js';
