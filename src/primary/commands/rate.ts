/**
 * The option `--rate` of the commands that copy.
 */
import type { OptionSpec } from '../../protocol/config.ts';
import { RATE_MAX, RATE_MIN } from '../control/messages.ts';
import { UsageError } from '../exit.ts';
import { accepted, parseValue } from '../option-values.ts';

export const RATE_DEFAULT = '64MiB';
export const RATE_HELP = 'bytes per second that are copied at most; links cost nothing';

/** Bytes per second. Throws a UsageError when `text` is no rate. */
export function parseRate(text: string): number {
  const spec = { type: 'size', min: RATE_MIN, max: RATE_MAX } as OptionSpec;
  const value = parseValue(spec, text);
  if (typeof value === 'number') return value;
  throw new UsageError(`--rate takes ${accepted(spec)}, not ${JSON.stringify(text.slice(0, 80))}`);
}
