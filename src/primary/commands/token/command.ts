/**
 * `bigcache token`: a new token, and its entry for the token file. Nothing is written to the disk.
 */
import { createHash, randomBytes } from 'node:crypto';
import { checkToken, TokenListError } from '../../access/token-list.ts';
import { UsageError } from '../../exit.ts';

/** 256 bits: nobody guesses it, so its digest needs no salt. */
const TOKEN_BYTES = 32;
/** What scanners for secrets that were published by mistake can look for. */
const TOKEN_BEGIN = 'bct_';

/** Prints a token and its entry; resolves with the exit code. Throws a UsageError. */
export async function runToken(
  flags: Readonly<Record<string, unknown>>,
  out: (text: string) => void,
): Promise<number> {
  const token = TOKEN_BEGIN + randomBytes(TOKEN_BYTES).toString('base64url');
  const scopes = String(flags['scopes']).split(',');
  const entry = {
    name: flags['name'],
    sha256: createHash('sha256').update(token).digest('hex'),
    scopes: scopes.map((scope) => scope.trim()),
    ...(flags['keyPrefix'] === undefined ? {} : { keyPrefix: flags['keyPrefix'] }),
  };
  try {
    checkToken(entry, 'the entry');
  } catch (error) {
    if (!(error instanceof TokenListError)) throw error;
    throw new UsageError(error.message);
  }
  out(
    `The token, which is kept nowhere and shown this once:\n\n  ${token}\n\n` +
      `Its entry in the JSON array of --token-file:\n\n  ${JSON.stringify(entry)}\n\n` +
      'Then send the server SIGHUP.\n',
  );
  return 0;
}
