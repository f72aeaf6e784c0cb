export * from './channel-options.js';
export * from './error-status.js';
export * from './rpc-client.js';
export * from './rpc-server.js';
export * from './wire-parameters.js';
export * from './wire-task.js';
