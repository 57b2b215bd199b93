/**
 * The lease token as it travels: what a lease was given for and when, sealed by the primary, which alone
 * can tell a true one. Workers read the time in it and no more.
 */

/** Bytes of a token before its seal: version, time and serial, all u64. */
export const TOKEN_CLAIM_BYTES = 24;
export const TOKEN_SEAL_BYTES = 16;
const TOKEN_BYTES = TOKEN_CLAIM_BYTES + TOKEN_SEAL_BYTES;
const TIME_AT = 8;
const SERIAL_AT = 16;
/** 40 bytes in base64url. */
const TOKEN_TEXT = /^[A-Za-z0-9_-]{54}$/;

/** What a token says of its lease. */
export interface LeaseClaim {
  /** The newest version of the store when the lease was given. */
  readonly version: number;
  /** Unix milliseconds. */
  readonly givenAtMs: number;
}

/** A claim, not yet believed, with the seal that would prove it. */
export interface SealedClaim extends LeaseClaim {
  readonly claim: Buffer;
  readonly seal: Buffer;
}

/** `serial` tells tokens apart that were given for one key in one moment. */
export function encodeClaim({ version, givenAtMs }: LeaseClaim, serial: number): Buffer {
  const claim = Buffer.alloc(TOKEN_CLAIM_BYTES);
  claim.writeBigUInt64BE(BigInt(version), 0);
  claim.writeBigUInt64BE(BigInt(Math.max(0, Math.floor(givenAtMs))), TIME_AT);
  claim.writeBigUInt64BE(BigInt(serial), SERIAL_AT);
  return claim;
}

export function encodeToken(claim: Buffer, seal: Buffer): string {
  return Buffer.concat([claim, seal]).toString('base64url');
}

/** Undefined for a text that is no token whatever its seal. */
export function decodeToken(token: string): SealedClaim | undefined {
  if (!TOKEN_TEXT.test(token)) return undefined;
  const bytes = Buffer.from(token, 'base64url');
  if (bytes.length !== TOKEN_BYTES) return undefined;
  const version = Number(bytes.readBigUInt64BE(0));
  const givenAtMs = Number(bytes.readBigUInt64BE(TIME_AT));
  if (!Number.isSafeInteger(version) || !Number.isSafeInteger(givenAtMs)) return undefined;
  return {
    version,
    givenAtMs,
    claim: bytes.subarray(0, TOKEN_CLAIM_BYTES),
    seal: bytes.subarray(TOKEN_CLAIM_BYTES),
  };
}

/** What it cost to make the entry that is stored with this token now; 0 for a text that is no token. */
export function costOfLease(token: string, nowMs: number): number {
  const claim = decodeToken(token);
  return claim === undefined ? 0 : Math.max(0, Math.floor(nowMs - claim.givenAtMs));
}
