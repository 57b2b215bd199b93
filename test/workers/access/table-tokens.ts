/** The tokens with which the tests of access ask, by name, and those that the server knows. */
import { createHash } from 'node:crypto';
import type { Scope, Token } from '../../../src/protocol/access.ts';

export function tokenFor(
  name: string,
  secret: string,
  scopes: readonly Scope[],
  keyPrefix?: string,
): Token {
  const sha256 = createHash('sha256').update(secret).digest('hex');
  return { name, sha256, scopes, ...(keyPrefix === undefined ? {} : { keyPrefix }) };
}

/** A token for each scope, one for all of them, and one with all of them below `team/`. */
export const TOKENS: readonly Token[] = [
  tokenFor('reader', 'read-secret', ['read']),
  tokenFor('writer', 'write-secret', ['write']),
  tokenFor('admin', 'admin-secret', ['admin']),
  tokenFor('all', 'all-secret', ['read', 'write', 'admin']),
  tokenFor('team', 'team-secret', ['read', 'write', 'admin'], 'team/'),
];

export const bearer = (secret: string): { authorization: string } => ({
  authorization: `Bearer ${secret}`,
});

export const basic = (user: string, secret: string): { authorization: string } => ({
  authorization: `Basic ${Buffer.from(`${user}:${secret}`).toString('base64')}`,
});
