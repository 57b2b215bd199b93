/**
 * The one table of operating errors: stable code, HTTP status, default sentence, and the number that
 * crosses the channel. Codes and numbers never change; sentences may, and say what to do.
 */

interface ErrorSpec {
  /** The number on the channel. Never renumber. */
  readonly wire: number;
  readonly status: number;
  readonly detail: string;
}

export const ERRORS = {
  KEY_EMPTY: { wire: 1, status: 400, detail: 'The key is empty; name an entry after the mount.' },
  KEY_INVALID: {
    wire: 2,
    status: 400,
    detail: 'The key must be valid UTF-8 without control characters or dot segments.',
  },
  KEY_TOO_LONG: { wire: 3, status: 414, detail: 'A key has at most 8192 bytes.' },
  PREFIX_EMPTY: { wire: 4, status: 400, detail: 'prefix is empty' },
  TARGET_INVALID: { wire: 5, status: 400, detail: 'The request target is malformed.' },
  REQUEST_INVALID: { wire: 6, status: 400, detail: 'The request is malformed.' },
  NOT_FOUND: { wire: 7, status: 404, detail: 'There is no such route.' },
  CACHE_MISS: { wire: 8, status: 404, detail: 'cache miss' },
  CACHE_EXPIRED: { wire: 9, status: 404, detail: 'cache expired' },
  DELETE_MISS: { wire: 10, status: 404, detail: 'cannot find cache data to delete' },
  LEASE_NOT_FOUND: {
    wire: 37,
    status: 404,
    detail: 'No lease of this key is held with this token; it has ended, or the token is another.',
  },
  METHOD_NOT_ALLOWED: {
    wire: 11,
    status: 405,
    detail: 'This method is not allowed here; see the Allow header.',
  },
  REQUEST_TIMEOUT: {
    wire: 12,
    status: 408,
    detail: 'The request arrived too slowly; send it again.',
  },
  KIND_MISMATCH: {
    wire: 13,
    status: 409,
    detail: 'The entry holds raw bytes, not JSON; read it under /pickle/.',
  },
  LEASE_LOST: {
    wire: 36,
    status: 409,
    detail: 'The key was written, deleted or purged since this token was given; ask for it again.',
  },
  BODY_TOO_LARGE: { wire: 14, status: 413, detail: 'The body is larger than this server takes.' },
  MEDIA_TYPE_UNSUPPORTED: {
    wire: 15,
    status: 415,
    detail: 'Send the body as application/json in UTF-8, without a content encoding.',
  },
  CONTENT_ENCODING_INVALID: {
    wire: 55,
    status: 415,
    detail: 'The body is not what its Content-Encoding says, or not all of it.',
  },
  EXPECTATION_FAILED: {
    wire: 16,
    status: 417,
    detail: 'The only expectation this server meets is 100-continue.',
  },
  HOST_NOT_ALLOWED: {
    wire: 17,
    status: 421,
    detail: 'This Host is not served here; allow it with --allowed-hosts.',
  },
  BODY_INVALID: { wire: 18, status: 422, detail: 'The body is not the JSON object expected here.' },
  DURATION_INVALID: {
    wire: 19,
    status: 422,
    detail: 'duration is a number and a unit: s, m, h or d, as in 90s or 28d.',
  },
  EXPIRE_INVALID: {
    wire: 20,
    status: 422,
    detail: 'expire is a Unix time in seconds, a finite number.',
  },
  ADMIN_GET_REFUSED: {
    wire: 21,
    status: 403,
    detail: 'Browsers may not change state with GET; send a POST to the same path.',
  },
  ORIGIN_REFUSED: {
    wire: 22,
    status: 403,
    detail: 'Requests from other origins may not change state; see --allowed-origins.',
  },
  HEADERS_TOO_LARGE: {
    wire: 23,
    status: 431,
    detail: 'The request target and headers have at most 16 KiB.',
  },
  INTERNAL: { wire: 24, status: 500, detail: 'The server failed to answer; its log says why.' },
  NOT_IMPLEMENTED: {
    wire: 25,
    status: 501,
    detail: 'The only transfer encoding this server takes is chunked.',
  },
  STORE_CLOSED: {
    wire: 26,
    status: 503,
    detail: 'The store is closed; POST /open opens it again.',
  },
  STORE_UNAVAILABLE: {
    wire: 27,
    status: 503,
    detail: 'The storage process is not reachable; try again shortly.',
  },
  STORE_FAILED: {
    wire: 28,
    status: 503,
    detail: 'The store cannot be written at present; reads go on.',
  },
  OVERLOADED: {
    wire: 29,
    status: 503,
    detail: 'Too many requests are waiting; try again shortly.',
  },
  PURGES_PENDING: {
    wire: 30,
    status: 503,
    detail: 'Too many purges are still being worked off; try again shortly.',
  },
  SHUTTING_DOWN: { wire: 31, status: 503, detail: 'The server is shutting down.' },
  DEADLINE_EXCEEDED: {
    wire: 32,
    status: 504,
    detail: 'The store did not answer in time; a write may or may not have happened.',
  },
  PRECONDITION_FAILED: {
    wire: 34,
    status: 412,
    detail: 'The entry is not in the state that the condition asks for.',
  },
  RANGE_UNSATISFIABLE: {
    wire: 35,
    status: 416,
    detail: 'The entry has no bytes in this range; see Content-Range.',
  },
  PURGE_INVALID: {
    wire: 38,
    status: 422,
    detail:
      'Send {"prefix": text}, {"tag": text} or {"all": true}, and with it "soft" or "dryRun": true.',
  },
  PURGE_UNKNOWN: {
    wire: 39,
    status: 404,
    detail: 'There is no such purge, or its report is kept no longer.',
  },
  NOT_AN_INTEGER: {
    wire: 41,
    status: 409,
    detail: 'The entry is no integer of 64 bits; only such ones are counted with.',
  },
  COUNTER_OVERFLOW: {
    wire: 42,
    status: 409,
    detail: 'The counter would leave the integers of 64 bits; it stays as it is.',
  },
  CURSOR_INVALID: {
    wire: 43,
    status: 400,
    detail: 'The cursor is none that this listing gave; begin anew without one.',
  },
  BATCH_FULL: {
    wire: 44,
    status: 413,
    detail: 'The bodies of this batch are more than one answer takes; ask for this entry again.',
  },
  MEMBER_INVALID: {
    wire: 45,
    status: 422,
    detail: 'A member of the body is missing, unknown, or not what it should be.',
  },
  TOKEN_REQUIRED: {
    wire: 46,
    status: 401,
    detail: 'A token is needed: Authorization: Bearer, or Basic with the token as password.',
  },
  TOKEN_REFUSED: { wire: 47, status: 401, detail: 'The token is none that is known here.' },
  SCOPE_REFUSED: {
    wire: 48,
    status: 403,
    detail: 'The token does not have the scope that this needs.',
  },
  KEY_REFUSED: {
    wire: 49,
    status: 403,
    detail: 'The token is for other keys; see its keyPrefix in the token file.',
  },
  STORE_WIDE_REFUSED: {
    wire: 50,
    status: 403,
    detail: 'A token with a keyPrefix may not do what concerns the store as a whole.',
  },
  DISK_FULL: { wire: 33, status: 507, detail: 'There is no room on the disk for this entry.' },
} as const satisfies Record<string, ErrorSpec>;

export type ErrorCode = keyof typeof ERRORS;

/** An operating error with a stable code. `detail` says what to do; it never holds a path. */
export class BigCacheError extends Error {
  readonly code: ErrorCode;

  constructor(code: ErrorCode, detail: string = ERRORS[code].detail, options?: ErrorOptions) {
    super(detail, options);
    this.name = 'BigCacheError';
    this.code = code;
  }

  get status(): number {
    return ERRORS[this.code].status;
  }

  /** The body of the answer: `{"detail","code"}`. */
  toBody(): { detail: string; code: ErrorCode } {
    return { detail: this.message, code: this.code };
  }
}

const codeByWire = new Map<number, ErrorCode>(
  (Object.keys(ERRORS) as ErrorCode[]).map((code) => [ERRORS[code].wire, code]),
);

/** The code behind a wire number, or undefined for a number this version does not know. */
export function errorCodeFromWire(wire: number): ErrorCode | undefined {
  return codeByWire.get(wire);
}

/** The error number that stands for a thrown value; what is not ours crosses as INTERNAL. */
export function errorToWire(error: unknown): number {
  return ERRORS[error instanceof BigCacheError ? error.code : 'INTERNAL'].wire;
}
