export { buildReport } from './build-report.js';
export { createPages } from './serve-pages.js';
