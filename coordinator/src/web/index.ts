export { buildReport } from './build-report.js';
