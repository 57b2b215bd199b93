/**
 * What the items of a batch do, one function for each operation: each validates its members, does
 * what the route of the same name does, and says what came of it.
 */
import type { Scope } from '../../../protocol/access.ts';
import { BigCacheError, type ErrorCode } from '../../../protocol/errors.ts';
import { type EntryRecord, Kind } from '../../../protocol/record.ts';
import type { RouteDeps } from '../../deps.ts';
import { bodyOf, memberInvalid, tagsOf, textOf, ttlMsOf } from '../../exact/fields.ts';
import type { Members } from '../../exact/values.ts';
import { judgeRead } from '../../http/conditions.ts';
import { RAW_TYPE, storedContentType } from '../../http/content-type.ts';
import { plainTag } from '../../http/entity-tags.ts';
import { ttlSeconds } from '../../http/freshness.ts';
import { type Content, type Framing, NO_BODY, type Precondition } from '../../store/store.ts';
import { JSON_TYPE } from '../../wrapper.ts';
import { countRead } from '../count-read.ts';
import type { BatchRoom } from './batch-room.ts';
import { counterOrderOf } from './incr.ts';
import { preconditionOf } from './preconditions.ts';
import { tagsOf as entityTagsOf } from './representation.ts';

/** What an item is answered with. `body` and `value` are written as the form of the answer has them. */
export interface ItemAnswer {
  readonly status: number;
  readonly code?: ErrorCode;
  readonly detail?: string;
  readonly etag?: string | null;
  readonly contentType?: string;
  /** Seconds left, negative for a stale entry; null for ever. */
  readonly ttl?: number | null;
  readonly tags?: readonly string[];
  readonly body?: Buffer;
  readonly value?: bigint;
}

export interface ItemAsked {
  readonly deps: RouteDeps;
  readonly room: BatchRoom;
  readonly key: string;
  readonly members: Members;
}

export interface Operation {
  readonly scope: Scope;
  /** All members that an item may have. */
  readonly members: readonly string[];
  perform(asked: ItemAsked): Promise<ItemAnswer>;
}

const EMPTY = Buffer.alloc(0);
const WHOLE: Framing = { prologue: EMPTY, epilogue: EMPTY };
/** It becomes a header, and no header may hold anything else. */
const CONTENT_TYPE = /^[\x20-\x7e]*$/;

async function get({ deps, room, key, members }: ItemAsked): Promise<ItemAnswer> {
  const fields = {
    ifMatch: textOf(members, 'ifMatch'),
    ifNoneMatch: textOf(members, 'ifNoneMatch'),
    ...{ ifModifiedSince: undefined, ifUnmodifiedSince: undefined, ifRange: undefined },
  };
  let isCurrent = false;
  let heldBytes = 0;
  const giveBack = (): void => {
    room.giveBack(heldBytes);
    heldBytes = 0;
  };
  const frame = (record: EntryRecord): Framing | typeof NO_BODY => {
    giveBack();
    const { storedAtMs, plainBytes } = record;
    const outcome = judgeRead(fields, { tags: entityTagsOf(record), storedAtMs });
    if (outcome === 'failed') throw new BigCacheError('PRECONDITION_FAILED');
    isCurrent = outcome === 'not-modified';
    if (isCurrent) return NO_BODY;
    room.take(plainBytes);
    heldBytes = plainBytes;
    return WHOLE;
  };
  try {
    const found = await deps.store.get(key, { stale: 'while-revalidate', frame });
    if (!found.found) {
      giveBack();
      countRead(deps, key, found);
      const isExpired = found.reason === 'expired';
      return refusal(new BigCacheError(isExpired ? 'CACHE_EXPIRED' : 'CACHE_MISS'));
    }
    const { record, content } = found;
    const body = await bytesOf(content);
    countRead(deps, key, found);
    const shown = shownRecord(record, deps.now());
    return isCurrent ? { status: 304, ...shown } : { status: 200, ...shown, body };
  } catch (error) {
    giveBack();
    throw error;
  }
}

function shownRecord(record: EntryRecord, nowMs: number): Omit<ItemAnswer, 'status'> {
  const { kind, contentType, expiresAtMs, tags, etag } = record;
  return {
    etag: etag === null ? null : plainTag(etag),
    contentType: kind === Kind.json ? JSON_TYPE : (contentType ?? RAW_TYPE),
    ttl: expiresAtMs === 0 ? null : ttlSeconds({ expiresAtMs }, nowMs),
    tags,
  };
}

/** A copy, so that the slab goes back at once. Throws STORE_FAILED where a long body is damaged midway. */
async function bytesOf(content: Content): Promise<Buffer> {
  try {
    if (content.whole !== undefined) return Buffer.from(content.whole);
    const bytes = Buffer.allocUnsafe(content.byteLength);
    let at = 0;
    for await (const chunk of content.chunks()) at += chunk.copy(bytes, at);
    return bytes;
  } catch (cause) {
    throw cause instanceof BigCacheError
      ? cause
      : new BigCacheError('STORE_FAILED', 'The body cannot be read.', { cause });
  } finally {
    content.release();
  }
}

function conditionOf(members: Members): Precondition | undefined {
  const ifMatch = textOf(members, 'ifMatch');
  const ifNoneMatch = textOf(members, 'ifNoneMatch');
  return preconditionOf({
    ...(ifMatch === undefined ? {} : { 'if-match': ifMatch }),
    ...(ifNoneMatch === undefined ? {} : { 'if-none-match': ifNoneMatch }),
  });
}

async function put({ deps, key, members }: ItemAsked): Promise<ItemAnswer> {
  const body = bodyOf(members);
  const { bodyBytesMax } = deps.config;
  if (body.length > bodyBytesMax) throw new BigCacheError('BODY_TOO_LARGE');
  const contentType = textOf(members, 'contentType');
  if (!CONTENT_TYPE.test(contentType ?? '')) throw memberInvalid('"contentType" is plain ASCII.');
  const ttlMs = ttlMsOf(members) ?? 0;
  const meta = {
    kind: Kind.raw,
    expiresAtMs: ttlMs === 0 ? 0 : deps.now() + ttlMs,
    contentType: storedContentType(contentType),
    expire: null,
    duration: null,
    tags: tagsOf(members),
  };
  const stored = await deps.store.put(key, meta, body, conditionOf(members));
  return { status: stored.created ? 201 : 204, etag: plainTag(stored.contentHash) };
}

async function remove({ deps, key, members }: ItemAsked): Promise<ItemAnswer> {
  if (!(await deps.store.delete(key, conditionOf(members)))) {
    return refusal(new BigCacheError('DELETE_MISS'));
  }
  deps.counters.delete += 1;
  return { status: 204 };
}

async function touch({ deps, key, members }: ItemAsked): Promise<ItemAnswer> {
  const ttlMs = ttlMsOf(members);
  if (ttlMs === undefined) throw memberInvalid('A touch has "ttl": seconds, or null for ever.');
  const isDone = await deps.store.touch(key, ttlMs);
  return isDone ? { status: 204 } : refusal(new BigCacheError('CACHE_MISS'));
}

async function incr({ deps, key, members }: ItemAsked): Promise<ItemAnswer> {
  return { status: 200, value: await deps.store.increment(key, counterOrderOf(members)) };
}

/** The answer of an item that is refused, or that found nothing. */
export function refusal(error: BigCacheError): ItemAnswer {
  return { status: error.status, code: error.code, detail: error.message };
}

const NAMES = ['op', 'key'];
const CONDITIONS = ['ifMatch', 'ifNoneMatch'];
const BODY = ['body', 'bodyBase64', 'contentType', 'ttl', 'tags'];

export const OPERATIONS: ReadonlyMap<unknown, Operation> = new Map<unknown, Operation>([
  ['get', { scope: 'read', members: [...NAMES, ...CONDITIONS], perform: get }],
  ['put', { scope: 'write', members: [...NAMES, ...BODY, ...CONDITIONS], perform: put }],
  ['delete', { scope: 'write', members: [...NAMES, ...CONDITIONS], perform: remove }],
  ['touch', { scope: 'write', members: [...NAMES, 'ttl'], perform: touch }],
  ['incr', { scope: 'write', members: [...NAMES, 'by', 'initial', 'ttl'], perform: incr }],
]);
