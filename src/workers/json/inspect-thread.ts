/**
 * The inspection of a large body, in a piscina thread of the worker. The body is moved there and back,
 * never copied.
 */
import { move, transferableSymbol, valueSymbol } from 'piscina';
import { BigCacheError, type ErrorCode } from '../../protocol/errors.ts';
import { type Inspection, inspectBody } from './inspect.ts';

/** What the thread hands back: the body together with what was found or why it was refused. */
export interface ThreadResult {
  readonly bytes: ArrayBuffer;
  readonly inspection?: Inspection;
  readonly refusal?: { readonly code: ErrorCode; readonly detail: string };
}

function inspect(bytes: ArrayBuffer): ThreadResult {
  try {
    return { bytes, inspection: inspectBody(Buffer.from(bytes)) };
  } catch (error) {
    // The class of an error does not survive the way between threads; its code does.
    if (!(error instanceof BigCacheError)) throw error;
    return { bytes, refusal: { code: error.code, detail: error.message } };
  }
}

/** The task: inspects `bytes` and gives them back with the outcome. */
export default function inspectInThread(bytes: ArrayBuffer): unknown {
  return move({ [transferableSymbol]: bytes, [valueSymbol]: inspect(bytes) });
}
