/**
 * The tokens that are in force in this worker, and who an Authorization header stands for. A token is
 * looked at only to hash it: it is kept nowhere, and nothing here ends up in an error or a log line.
 * docs/decisions/one-hash-per-request.md has what that costs.
 */
import { hash, timingSafeEqual } from 'node:crypto';
import type { Token } from '../../protocol/access.ts';
import { ANYBODY, type Principal, principalOf } from './principal.ts';

/** What is longer was not made by us, and is not worth hashing. */
const CREDENTIALS_LENGTH_MAX = 1024;
/** RFC 6750 section 2.1 and RFC 7617: a scheme and a token68. */
const CREDENTIALS = /^(bearer|basic) +([A-Za-z0-9._~+/-]+=*)$/i;
const BASE64 = /^[A-Za-z0-9+/]+={0,2}$/;
const DIGEST_BYTES = 32;

interface Known {
  readonly digest: Buffer;
  readonly principal: Principal;
}

export class Tokens {
  #known: readonly Known[] | null;
  /** Where the digest of what is asked about lies while it is compared; never read after that. */
  readonly #asked = Buffer.alloc(DIGEST_BYTES);

  /** Null where nobody needs a token. */
  constructor(tokens: readonly Token[] | null) {
    this.#known = knownFrom(tokens);
  }

  /** Whether everybody may do everything. */
  get areNeeded(): boolean {
    return this.#known !== null;
  }

  /** Puts others in force, from the next request on. */
  replace(tokens: readonly Token[] | null): void {
    this.#known = knownFrom(tokens);
  }

  /** Who sent this Authorization header; undefined for one that stands for nobody. */
  whoSent(authorization: string): Principal | undefined {
    if (this.#known === null) return ANYBODY;
    const token = tokenIn(authorization);
    return token === undefined ? undefined : this.#whoHas(token, this.#known);
  }

  /**
   * Every digest is compared to its end, so the time tells neither how much of one was right nor which
   * of them it was.
   */
  #whoHas(token: string, known: readonly Known[]): Principal | undefined {
    // Digests as hex are made three times as fast as those in a Buffer of their own.
    this.#asked.write(hash('sha256', token, 'hex'), 'hex');
    let found: Principal | undefined;
    for (const { digest, principal } of known) {
      if (timingSafeEqual(digest, this.#asked)) found = principal;
    }
    return found;
  }
}

function knownFrom(tokens: readonly Token[] | null): readonly Known[] | null {
  if (tokens === null) return null;
  return tokens.map((token) => ({
    digest: Buffer.from(token.sha256, 'hex'),
    principal: principalOf(token),
  }));
}

/** The token in the header: the credentials of Bearer, the password of Basic whatever the user. */
function tokenIn(authorization: string): string | undefined {
  if (authorization.length > CREDENTIALS_LENGTH_MAX) return undefined;
  const [, scheme, credentials] = CREDENTIALS.exec(authorization) ?? [];
  if (scheme === undefined || credentials === undefined) return undefined;
  return scheme.toLowerCase() === 'bearer' ? credentials : passwordIn(credentials);
}

function passwordIn(credentials: string): string | undefined {
  if (!BASE64.test(credentials)) return undefined;
  const pair = Buffer.from(credentials, 'base64').toString();
  const colon = pair.indexOf(':');
  return colon === -1 || colon === pair.length - 1 ? undefined : pair.slice(colon + 1);
}
