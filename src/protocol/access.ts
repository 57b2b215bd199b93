/**
 * Who may do what, as the primary reads it from the files of `--token-file`, `--tls-cert` and
 * `--tls-key` and hands it to the workers. Both processes use it. No token is ever in here, only its
 * digest.
 */

/** What a token may be allowed to do. None includes another. */
export const SCOPES = ['read', 'write', 'admin'] as const;

export type Scope = (typeof SCOPES)[number];

/** One entry of the token file. */
export interface Token {
  /** For people; never secret. */
  readonly name: string;
  /** The SHA-256 of the token, as 64 lower-case hex digits. */
  readonly sha256: string;
  readonly scopes: readonly Scope[];
  /** The token reaches only keys that begin so; in the form of canonical keys. */
  readonly keyPrefix?: string;
}

/** A certificate, with those above it, and its private key; both PEM. */
export interface TlsPair {
  readonly cert: string;
  readonly key: string;
}

export interface Access {
  /** Null where no token file was given: then everybody may do everything. */
  readonly tokens: readonly Token[] | null;
  /** Null where HTTP is spoken in the clear. */
  readonly tls: TlsPair | null;
}

/** Every request is compared with each of them. */
export const TOKENS_MAX = 256;

/** Without token file and certificate. */
export const OPEN_ACCESS: Access = { tokens: null, tls: null };

function isToken(value: unknown): boolean {
  const { name, sha256, scopes, keyPrefix } = (value ?? {}) as Record<string, unknown>;
  return (
    typeof name === 'string' &&
    typeof sha256 === 'string' &&
    /^[0-9a-f]{64}$/.test(sha256) &&
    Array.isArray(scopes) &&
    scopes.every((scope) => SCOPES.includes(scope as Scope)) &&
    (keyPrefix === undefined || typeof keyPrefix === 'string')
  );
}

function isTlsPair(value: unknown): boolean {
  const { cert, key } = (value ?? {}) as Record<string, unknown>;
  return typeof cert === 'string' && typeof key === 'string';
}

/** Whether `value`, which came over the channel, has the form of an Access. */
export function isAccess(value: unknown): boolean {
  const { tokens, tls } = (value ?? {}) as Record<string, unknown>;
  const areTokens =
    tokens === null ||
    (Array.isArray(tokens) && tokens.length <= TOKENS_MAX && tokens.every(isToken));
  return areTokens && (tls === null || isTlsPair(tls));
}
