/**
 * The inspection of a large body, in a piscina thread of the worker. The body is moved there and back,
 * never copied.
 */
import { move, transferableSymbol, valueSymbol } from 'piscina';
import { type Refusal, refusalFrom } from '../thread-pool.ts';
import { type Inspection, inspectBody } from './inspect.ts';

/** What the thread hands back: the body together with what was found or why it was refused. */
export interface ThreadResult {
  readonly bytes: ArrayBuffer;
  readonly inspection?: Inspection;
  readonly refusal?: Refusal;
}

function inspect(bytes: ArrayBuffer): ThreadResult {
  try {
    return { bytes, inspection: inspectBody(Buffer.from(bytes)) };
  } catch (error) {
    return { bytes, refusal: refusalFrom(error) };
  }
}

/** The task: inspects `bytes` and gives them back with the outcome. */
export default function inspectInThread(bytes: ArrayBuffer): unknown {
  return move({ [transferableSymbol]: bytes, [valueSymbol]: inspect(bytes) });
}
