/**
 * Bodies that can tell whether they are whole, whose they are, and which write made them.
 */
import { createHash, randomBytes } from 'node:crypto';

const SUM_BYTES = 64;

/** `<key>\n<write>\n`, filler of `fillerBytes`, and a hash over all of it. */
export function makeBody(key: string, write: number, fillerBytes: number): Buffer {
  const content = Buffer.concat([Buffer.from(`${key}\n${write}\n`), randomBytes(fillerBytes)]);
  return Buffer.concat([content, Buffer.from(sumOf(content))]);
}

/** The write that made a body of `key`; throws when it is torn or another key's. */
export function readBody(key: string, body: Buffer): number {
  const content = body.subarray(0, body.length - SUM_BYTES);
  if (body.toString('latin1', content.length) !== sumOf(content)) {
    throw new Error(`a torn body of ${body.length} bytes for ${key}`);
  }
  const [owner, write] = content.toString('latin1', 0, 200).split('\n');
  if (owner !== key) throw new Error(`${key} holds the body of ${owner}`);
  return Number(write);
}

function sumOf(content: Buffer): string {
  return createHash('sha256').update(content).digest('hex');
}
