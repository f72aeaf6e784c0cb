export * from './logger.js';
export * from './metrics.js';
export * from './grpc-metrics.js';
export * from './tracing.js';
export * from './open-tracing.js';
