/**
 * Frames <-> messages: a payload is a msgpack array of messages, a message is the array
 * `[opcode, id, ...fields]`. One table says which fields each operation has; what does not fit it is a
 * ProtocolError, so handlers never meet a shape they did not expect.
 */
import { isUtf8 } from 'node:buffer';
import { Packr, Unpackr } from 'msgpackr';
import { isAccess } from './access.ts';
import { integerOf } from './counter.ts';
import { COUNTERS } from './counters.ts';
import { isFigure, PROCESS_FIGURES } from './figures.ts';
import { encodeFrame, ProtocolError } from './frame.ts';
import { isCanonicalKey, KEY_BYTES_MAX } from './key.ts';
import { KEY_BUCKETS } from './key-hash.ts';
import { PAGE_ENTRIES_MAX } from './listing.ts';
import { Opcode, type OpcodeValue, opcodeName } from './opcodes.ts';
import { PURGE_FLAGS_MAX } from './purge.ts';
import { RECORD_BYTES_MAX, RECORD_HEAD_BYTES } from './record.ts';
import { isSavingsList } from './savings.ts';
import { isTally } from './statistics.ts';

/** `id` pairs an answer with its request; 0 marks a notice, which has no answer. */
export type Message = readonly [opcode: OpcodeValue, id: number, ...fields: unknown[]];

/** What a client sends as a token is not looked at closer before the primary does. */
export const TOKEN_LENGTH_MAX = 128;

type FieldCheck = (value: unknown) => boolean;

const isInteger: FieldCheck = (value) => Number.isSafeInteger(value) && Number(value) >= 0;
const isIntegerList: FieldCheck = (value) => Array.isArray(value) && value.every(isInteger);
const isBucketsOrNull: FieldCheck = (value) =>
  value === null ||
  (Array.isArray(value) && value.every((one) => isInteger(one) && Number(one) < KEY_BUCKETS));
const isAnything: FieldCheck = () => true;
const isKey: FieldCheck = (value) => typeof value === 'string' && isCanonicalKey(value);
const isPrefix: FieldCheck = (value) =>
  typeof value === 'string' && value.length > 0 && Buffer.byteLength(value) <= KEY_BYTES_MAX;
const isRecord: FieldCheck = (value) =>
  Buffer.isBuffer(value) && value.length > RECORD_HEAD_BYTES && value.length <= RECORD_BYTES_MAX;
const isRecordOrNull: FieldCheck = (value) => value === null || isRecord(value);
const isToken: FieldCheck = (value) =>
  typeof value === 'string' && value.length > 0 && value.length <= TOKEN_LENGTH_MAX;
/** The prefix or tag of a purge; nothing for one of everything. */
const isSelectorText: FieldCheck = (value) =>
  typeof value === 'string' && Buffer.byteLength(value) <= KEY_BYTES_MAX;
const isPurgeFlags: FieldCheck = (value) => isInteger(value) && Number(value) <= PURGE_FLAGS_MAX;
/** A version, 0 for none at all, null where nothing is asked. */
const isCondition: FieldCheck = (value) => value === null || isInteger(value);
const isInt64: FieldCheck = (value) => typeof value === 'string' && integerOf(value) !== undefined;
/** The version of an entry and the integer that its body is, or null. */
const isSeenInteger: FieldCheck = (value) =>
  value === null ||
  (Array.isArray(value) && value.length === 2 && isInteger(value[0]) && isInt64(value[1]));
const isNameOrNull: FieldCheck = (value) =>
  value === null || (Buffer.isBuffer(value) && value.length <= KEY_BYTES_MAX && isUtf8(value));
const isPageSize: FieldCheck = (value) =>
  isInteger(value) && Number(value) >= 1 && Number(value) <= PAGE_ENTRIES_MAX;
const isCounterList: FieldCheck = (value) =>
  Array.isArray(value) && value.length === COUNTERS.length && value.every(isInteger);

const isProcessList: FieldCheck = (value) =>
  Array.isArray(value) && value.length === PROCESS_FIGURES.length && value.every(isFigure);

const FIELDS: Readonly<Record<OpcodeValue, readonly FieldCheck[]>> = {
  [Opcode.reply]: [isAnything],
  [Opcode.failure]: [isInteger],
  [Opcode.hello]: [isInteger, isInteger],
  [Opcode.ready]: [],
  [Opcode.report]: [isCounterList],
  [Opcode.awaitStore]: [],
  [Opcode.reportHits]: [isIntegerList],
  [Opcode.drain]: [],
  [Opcode.collect]: [],
  [Opcode.sealAll]: [],
  [Opcode.dropSegment]: [isInteger],
  [Opcode.retireSegment]: [isInteger],
  [Opcode.access]: [isAccess],
  [Opcode.dropRecords]: [isBucketsOrNull],
  [Opcode.evenShare]: [isInteger],
  [Opcode.get]: [isKey],
  [Opcode.put]: [isKey, isRecord, isCondition],
  [Opcode.delete]: [isKey, isCondition],
  [Opcode.dropDamaged]: [isKey, isInteger],
  [Opcode.deletePrefix]: [isPrefix],
  [Opcode.clear]: [],
  [Opcode.count]: [],
  [Opcode.close]: [],
  [Opcode.open]: [],
  [Opcode.grantSegment]: [isInteger],
  [Opcode.sealSegment]: [isInteger, isInteger],
  [Opcode.sumCounters]: [],
  [Opcode.checkWritable]: [],
  [Opcode.extendSegment]: [isInteger, isInteger],
  [Opcode.checkLease]: [isKey, isToken],
  [Opcode.lease]: [isKey, isInteger, isInteger, isInteger],
  [Opcode.putLeased]: [isKey, isRecord, isCondition, isToken],
  [Opcode.releaseLease]: [isKey, isToken],
  [Opcode.leaveLease]: [isKey, isInteger],
  [Opcode.leaseGranted]: [isKey, isInteger, isToken],
  [Opcode.leaseSettled]: [isKey, isRecordOrNull],
  [Opcode.reportSavings]: [isSavingsList],
  [Opcode.purge]: [isSelectorText, isPurgeFlags],
  [Opcode.purgeReport]: [isInteger],
  [Opcode.explain]: [isKey],
  [Opcode.touch]: [isKey, isInteger],
  [Opcode.increment]: [isKey, isInt64, isInt64, isInteger, isSeenInteger],
  [Opcode.listEntries]: [isSelectorText, isNameOrNull, isPageSize],
  [Opcode.reportTally]: [isTally, isProcessList],
  [Opcode.sumStatistics]: [],
};

/**
 * Operations whose first field is a key or a prefix. It travels as bytes: msgpackr without its native
 * part takes a byte order mark off the begin of a text, which would make two keys one.
 */
const NAMED = new Set<unknown>([
  Opcode.get,
  Opcode.put,
  Opcode.delete,
  Opcode.dropDamaged,
  Opcode.deletePrefix,
  Opcode.checkLease,
  Opcode.lease,
  Opcode.putLeased,
  Opcode.releaseLease,
  Opcode.leaveLease,
  Opcode.leaseGranted,
  Opcode.leaseSettled,
  Opcode.purge,
  Opcode.explain,
  Opcode.touch,
  Opcode.increment,
  Opcode.listEntries,
]);
const NAME_AT = 2;

/** Looked up with whatever stands in the frame, so no property of an object may answer. */
const fieldsByOpcode = new Map<unknown, readonly FieldCheck[]>(
  Object.entries(FIELDS).map(([opcode, checks]) => [Number(opcode), checks]),
);

const packr = new Packr({ useRecords: false });
const unpackr = new Unpackr({ useRecords: false, int64AsType: 'number' });

/** One frame with all `messages`. */
export function encodeMessages(messages: readonly Message[]): Buffer {
  return encodeFrame(packr.pack(messages.map(withNameAsBytes)));
}

function withNameAsBytes(message: Message): readonly unknown[] {
  if (!NAMED.has(message[0])) return message;
  const [opcode, id, name, ...fields] = message;
  return [opcode, id, Buffer.from(name as string), ...fields];
}

/** The text of a name, or undefined for what is none. */
function nameOf(bytes: unknown): string | undefined {
  return Buffer.isBuffer(bytes) && isUtf8(bytes) ? bytes.toString() : undefined;
}

/**
 * The messages of a payload. Byte fields alias it. Throws ProtocolError for anything that is not
 * exactly a list of known messages.
 */
export function decodeMessages(payload: Buffer): Message[] {
  const decoded = unpack(payload);
  if (!Array.isArray(decoded) || decoded.length === 0) {
    throw new ProtocolError('a frame that is no list of messages');
  }
  for (const message of decoded) checkMessage(message);
  return decoded as Message[];
}

function unpack(payload: Buffer): unknown {
  try {
    return unpackr.unpack(payload);
  } catch (error) {
    throw new ProtocolError(`a frame that is no msgpack: ${(error as Error).message}`);
  }
}

function checkMessage(message: unknown): void {
  if (!Array.isArray(message)) throw new ProtocolError('a message that is no array');
  const [opcode, id] = message as unknown[];
  const checks = fieldsByOpcode.get(opcode);
  if (checks === undefined) throw new ProtocolError(`an unknown opcode ${String(opcode)}`);
  if (!isInteger(id)) throw new ProtocolError('a message whose id is no integer');
  if (message.length !== checks.length + 2) {
    throw new ProtocolError(`a ${opcodeName(opcode as number)} of ${message.length - 2} fields`);
  }
  if (NAMED.has(opcode)) message[NAME_AT] = nameOf(message[NAME_AT]);
  for (let index = 0; index < checks.length; index++) {
    if (checks[index]?.(message[index + 2]) !== true) {
      throw new ProtocolError(`a ${opcodeName(opcode as number)} with a wrong field ${index}`);
    }
  }
}
