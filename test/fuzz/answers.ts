/** Judges what came back for bytes of which nobody knows how many requests they are. */
import { ERRORS, type ErrorCode } from '../../src/protocol/errors.ts';
import { bodyLengthOf, headOf } from '../raw-http.ts';

/** Statuses of 500 and above that a request may bring about. */
const FAILURES = new Set([501, 503, 504, 507]);
/** Bytes that begin an answer. */
const BEGIN = 'HTTP/1.1 ';

export interface Judged {
  readonly statuses: number[];
  /** The codes of the refusals that are failures. */
  readonly failures: string[];
  readonly faults: string[];
  /** Whether the connection was cut within an answer, as it is where nonsense follows a request. */
  isCut: boolean;
}

function faultOfRefusal(status: number, body: string): string | undefined {
  let told: Record<string, unknown>;
  try {
    told = JSON.parse(body);
  } catch {
    return `${status} without JSON: ${body.slice(0, 200)}`;
  }
  const { code, detail } = told;
  if (Object.keys(told).sort().join() !== 'code,detail') return `${status} with ${body}`;
  if (typeof detail !== 'string' || / at .*:\d+|\/(?:dist|tmp|src)\//.test(detail)) {
    return `${status} tells of its inside: ${body}`;
  }
  const spec = ERRORS[code as ErrorCode];
  return spec?.status === status ? undefined : `${status} with the code ${String(code)}`;
}

/** What came on a connection that spoilt bytes were sent on, in latin1. */
export function judged(text: string): Judged {
  const result: Judged = { statuses: [], failures: [], faults: [], isCut: false };
  for (let at = 0; at < text.length && result.faults.length === 0; ) {
    const head = headOf(text.slice(at, at + 64 * 1024));
    if (head === undefined) {
      if (at > 0 && text.length - at < 1024 && !text.includes('\r\n\r\n', at)) result.isCut = true;
      else result.faults.push(`no HTTP at ${at}: ${JSON.stringify(text.slice(at, at + 200))}`);
      break;
    }
    at += head.length;
    const { status } = head;
    result.statuses.push(status);
    try {
      const length = bodyLengthOf(head);
      const ends = at + length === text.length || text.startsWith(BEGIN, at + length);
      // An answer to HEAD announces a body that does not come.
      const isBare = length > 0 && !ends && (at === text.length || text.startsWith(BEGIN, at));
      const body = isBare ? '' : text.slice(at, at + length);
      if (!isBare && body.length < length) result.isCut = true;
      else if (!isBare && status >= 400) noteRefusal(result, status, body);
      if (status >= 500 && !FAILURES.has(status)) result.faults.push(`${status} ${body}`);
      at += body.length;
    } catch (error) {
      result.faults.push(`${status}: ${String(error)}`);
    }
  }
  return result;
}

function noteRefusal({ faults, failures }: Judged, status: number, body: string): void {
  const fault = faultOfRefusal(status, body);
  if (fault !== undefined) faults.push(fault);
  else if (status >= 500) failures.push((JSON.parse(body) as { code: string }).code);
}
