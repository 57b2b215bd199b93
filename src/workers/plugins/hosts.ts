/**
 * Whose pages and which names this server answers to: the rules for Host and Origin, which keep pages
 * of other sites in a browser on this machine from reaching a cache that listens on loopback.
 */
import { isIP, isIPv4 } from 'node:net';
import type { Config } from '../../protocol/config.ts';

const PORT = /:\d*$/;

function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || (isIPv4(host) && host.startsWith('127.'));
}

/** The name in a Host header: without port, brackets and the dot of the root, in lower case. */
function nameOf(host: string): string {
  const name = host.replace(PORT, '').toLowerCase();
  return name.startsWith('[') && name.endsWith(']') ? name.slice(1, -1) : name.replace(/\.$/, '');
}

/**
 * Whether a Host is served. Beyond loopback all are; on loopback only IP literals, localhost and the
 * allowed ones, with any port, since DNS rebinding brings every other name here.
 */
export function hostRule(config: Config): (host: string) => boolean {
  if (!isLoopback(config.host)) return () => true;
  const allowed = new Set(['localhost', ...config.allowedHosts.map(nameOf)]);
  // Clients of a cache are few and constant: the last name that passed is asked for again.
  let passed = '';
  return (host) => {
    if (host === passed && host !== '') return true;
    const name = nameOf(host);
    if (isIP(name) === 0 && !allowed.has(name)) return false;
    passed = host;
    return true;
  };
}

function sameHost(origin: string, host: string): boolean {
  try {
    const url = new URL(origin);
    return url.host === new URL(`${url.protocol}//${host}`).host;
  } catch {
    return false;
  }
}

interface BrowserHeaders {
  readonly origin?: string | undefined;
  readonly host?: string | undefined;
  readonly 'sec-fetch-site'?: string | string[] | undefined;
}

/**
 * Whether a request that changes something may come from where it says it comes from: an allowed
 * Origin, one whose host is the Host itself, or no browser at all.
 */
export function originRule(config: Config): (headers: BrowserHeaders) => boolean {
  const allowed = new Set(config.allowedOrigins.map((origin) => origin.toLowerCase()));
  return (headers) => {
    const { origin } = headers;
    if (origin !== undefined && allowed.has(origin.toLowerCase())) return true;
    const site = headers['sec-fetch-site'];
    if (site === 'cross-site' || site === 'same-site') return false;
    return origin === undefined || sameHost(origin, headers.host ?? '');
  };
}
