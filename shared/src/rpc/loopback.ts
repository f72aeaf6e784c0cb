import { isIP } from 'node:net';

/** Whether a host can only be this machine. Names other than `localhost` are not resolved: they count as others. */
export function isLoopback(host: string): boolean {
  if (host === 'localhost' || host === '::1') return true;
  return isIP(host) === 4 && host.startsWith('127.');
}

/** HOST of `HOST:PORT`, without the brackets of an IPv6 address. */
export const hostOf = (address: string): string => address.slice(0, address.lastIndexOf(':')).replace(/^\[|\]$/g, '');
