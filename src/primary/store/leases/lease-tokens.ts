/**
 * Makes lease tokens and tells true ones from others, in the primary. A token proves itself by a MAC under
 * a secret of this opening of the store, so none has to be remembered.
 */
import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto';
import {
  decodeToken,
  encodeClaim,
  encodeToken,
  type LeaseClaim,
  TOKEN_SEAL_BYTES,
} from '../../../protocol/lease-token.ts';

const SECRET_BYTES = 32;

export class LeaseTokens {
  readonly #secret = randomBytes(SECRET_BYTES);
  #lastSerial = 0;

  make(key: string, claim: LeaseClaim): string {
    this.#lastSerial += 1;
    const encoded = encodeClaim(claim, this.#lastSerial);
    return encodeToken(encoded, this.#sealOf(key, encoded));
  }

  /** What a token says that was made here for `key`; undefined for any other. */
  read(key: string, token: string): LeaseClaim | undefined {
    const sealed = decodeToken(token);
    if (sealed === undefined) return undefined;
    if (!timingSafeEqual(sealed.seal, this.#sealOf(key, sealed.claim))) return undefined;
    return { version: sealed.version, givenAtMs: sealed.givenAtMs };
  }

  /** Claims have one length, so claim and key cannot be cut otherwise. */
  #sealOf(key: string, claim: Buffer): Buffer {
    const mac = createHmac('sha256', this.#secret).update(claim).update(key).digest();
    return mac.subarray(0, TOKEN_SEAL_BYTES);
  }
}
