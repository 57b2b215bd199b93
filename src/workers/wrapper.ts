/**
 * The JSON around a value in an answer of the original's face: `{"key":…,"value":…,"expire":…,
 * "duration":…}`, of which only the value is stored.
 */
import { type EntryRecord, Kind } from '../protocol/record.ts';
import type { Framing } from './store/store.ts';

export const JSON_TYPE = 'application/json; charset=utf-8';

const EMPTY = Buffer.alloc(0);
const NO_FRAMING: Framing = { prologue: EMPTY, epilogue: EMPTY };
const EPILOGUE_FOREVER = Buffer.from(',"expire":null,"duration":null}');

/** Everything up to the value. */
export function prologueOf(key: string): Buffer {
  return Buffer.from(`{"key":${JSON.stringify(key)},"value":`);
}

/** Surrounds the value of a JSON entry, so that the stored bytes become the answer; raw bytes stay. */
export function frameEntry(key: string, record: EntryRecord): Framing {
  if (record.kind === Kind.raw) return NO_FRAMING;
  const { expire, duration } = record;
  const isForever = expire === null && duration === null;
  const epilogue = isForever
    ? EPILOGUE_FOREVER
    : Buffer.from(`,"expire":${expire},"duration":${JSON.stringify(duration)}}`);
  return { prologue: prologueOf(key), epilogue };
}
