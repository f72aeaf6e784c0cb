export * from './job-planner-port.js';
