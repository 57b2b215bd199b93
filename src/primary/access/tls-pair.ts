/**
 * The texts of `--tls-cert` and `--tls-key` -> what HTTPS is spoken with, checked by the primary, so
 * that no worker is handed what it cannot use.
 */
import { createPrivateKey, type KeyObject, X509Certificate } from 'node:crypto';
import { createSecureContext } from 'node:tls';
import type { TlsPair } from '../../protocol/access.ts';
import { CannotRunError } from '../exit.ts';

export interface CheckedPair {
  readonly pair: TlsPair;
  /** What is worth a warning: a certificate out of its time. */
  readonly warning: string | undefined;
}

/** Throws a CannotRunError that names the flag whose file cannot be used, and why. */
export function checkTlsPair(pair: TlsPair, nowMs: number): CheckedPair {
  const certificate = readCertificate(pair.cert);
  const key = readKey(pair.key);
  if (!certificate.checkPrivateKey(key)) {
    throw new CannotRunError('--tls-key is not the key of --tls-cert; give those made together');
  }
  try {
    createSecureContext(pair);
  } catch (error) {
    throw new CannotRunError(`--tls-cert cannot be used: ${reasonOf(error)}`);
  }
  return { pair, warning: timeWarning(certificate, nowMs) };
}

function readCertificate(text: string): X509Certificate {
  try {
    return new X509Certificate(text);
  } catch (error) {
    throw new CannotRunError(`--tls-cert holds no certificate in PEM: ${reasonOf(error)}`);
  }
}

function readKey(text: string): KeyObject {
  try {
    return createPrivateKey(text);
  } catch (error) {
    throw new CannotRunError(
      `--tls-key holds no private key in PEM without a passphrase: ${reasonOf(error)}`,
    );
  }
}

/** OpenSSL's word for it; never a piece of the text. */
function reasonOf(error: unknown): string {
  const { code, message } = error as NodeJS.ErrnoException;
  return code ?? message;
}

function timeWarning({ validFrom, validTo }: X509Certificate, nowMs: number): string | undefined {
  if (nowMs > Date.parse(validTo)) return `the certificate is valid until ${validTo} only`;
  if (nowMs < Date.parse(validFrom)) return `the certificate is valid from ${validFrom} on`;
  return undefined;
}
