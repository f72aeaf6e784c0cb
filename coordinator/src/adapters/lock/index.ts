export { confirmLock, FolderLock, LOCK_STALE_MS, type LockOptions, type LockToken } from './folder-lock.js';
