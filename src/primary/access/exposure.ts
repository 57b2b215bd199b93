/**
 * What a start warns of: settings that are allowed, and with which more people may do more than their
 * operator may think.
 */
import type { Config } from '../../protocol/config.ts';
import { isLoopback } from '../options.ts';

type Exposure = Pick<Config, 'host' | 'tokenFilePath' | 'tlsCertPath' | 'getAdmin'>;

export function warnOfExposure(
  { host, tokenFilePath, tlsCertPath, getAdmin }: Exposure,
  log: { warn(message: string): void },
): void {
  const needsTokens = tokenFilePath !== '';
  if (getAdmin && !needsTokens) {
    log.warn(
      'whoever reaches this port may clear the cache with GET /clear; --get-admin off allows POST only',
    );
  }
  if (needsTokens && tlsCertPath === '' && !isLoopback(host)) {
    log.warn('tokens cross the network in the clear; see --tls-cert, or let a proxy speak HTTPS');
  }
}
