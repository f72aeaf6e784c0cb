export { requireAllowed, type AllowedLocations } from './allowed-locations.js';
export { Gate } from './gate.js';
export { guardPages } from './guard-pages.js';
export { guardPlanner } from './guard-planner.js';
export { JobQuota } from './job-quota.js';
export { requireMayCancel } from './may-cancel.js';
export type { Permission } from './permissions.js';
export { RateLimiter } from './rate-limiter.js';
export { NO_SECURITY, ServerSecurity, type SecuritySettings } from './server-security.js';
