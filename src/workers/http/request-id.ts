/**
 * The id of a request, by which log lines of several programs find together: that of the client where it is
 * harmless in a log and in a header, else one of our own.
 */
import { randomBytes } from 'node:crypto';
import type { IncomingMessage } from 'node:http';

export const REQUEST_ID_HEADER = 'x-request-id';

/** UUIDs, ULIDs, trace ids and what proxies make; nothing that a log or a terminal would act on. */
const SANE = /^[A-Za-z0-9._:/+=@~-]{1,128}$/;
const RADIX = 36;
const PREFIX_BYTES = 6;

/** Makes the ids of one process: unique among all processes, and cheap, since every request has one. */
export function requestIds(
  prefix = randomBytes(PREFIX_BYTES).toString('base64url'),
): (request: Pick<IncomingMessage, 'headers'>) => string {
  let last = 0;
  return ({ headers }) => {
    const sent = headers[REQUEST_ID_HEADER];
    if (typeof sent === 'string' && SANE.test(sent)) return sent;
    last += 1;
    return `${prefix}-${last.toString(RADIX)}`;
  };
}
