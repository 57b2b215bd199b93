/** Which bodies are taken for JSON, by their headers alone. Runs in workers. */
import type { IncomingHttpHeaders } from 'node:http';
import { BigCacheError } from '../../protocol/errors.ts';

const JSON_MEDIA_TYPE = /^application\/(?:json|[\w!#$&^.+-]+\+json)[ \t]*(;.*)?$/i;
const PARAMETER = /[ \t]*;[ \t]*([\w!#$%&'*+.^`|~-]+)=(?:"([^"\\]*)"|([\w!#$%&'*+.^`|~-]+))[ \t]*/y;

/** Whether every parameter is well formed and none names a charset other than UTF-8. */
function areParametersFit(parameters: string): boolean {
  PARAMETER.lastIndex = 0;
  while (PARAMETER.lastIndex < parameters.length) {
    const match = PARAMETER.exec(parameters);
    if (match === null) return /^[ \t;]*$/.test(parameters);
    const value = match[2] ?? match[3] ?? '';
    if (match[1]?.toLowerCase() === 'charset' && !/^utf-?8$/i.test(value)) return false;
  }
  return true;
}

/**
 * Lets JSON pass, in UTF-8 and not encoded, and a body that says nothing of its type, as the
 * original's client sends it.
 *
 * Throws BigCacheError MEDIA_TYPE_UNSUPPORTED.
 */
export function requireJson(headers: IncomingHttpHeaders): void {
  const encoding = headers['content-encoding'];
  if (encoding !== undefined && encoding.toLowerCase() !== 'identity') {
    throw new BigCacheError('MEDIA_TYPE_UNSUPPORTED');
  }
  const type = headers['content-type'];
  if (type === undefined || type === 'application/json') return;
  const match = JSON_MEDIA_TYPE.exec(type);
  if (match === null || !areParametersFit(match[1] ?? '')) {
    throw new BigCacheError('MEDIA_TYPE_UNSUPPORTED');
  }
}
