export { DePlanner, type ReadResults } from './de-planner.js';
export { PRODUCT_VERSION } from './job-context.js';
export { planJob } from './plan-job.js';
