export { DePlanner, PRODUCT_VERSION, type ReadResults } from './de-planner.js';
export { planJob } from './plan-job.js';
