/**
 * The items of a batch: each authorised, validated and done on its own, a few at a time; those of one key in
 * their order.
 */
import { BigCacheError } from '../../../protocol/errors.ts';
import { keyFromText } from '../../../protocol/key.ts';
import { type Principal, refusalOf } from '../../access/principal.ts';
import type { RouteDeps } from '../../deps.ts';
import { memberInvalid, requireKnown } from '../../exact/fields.ts';
import { type Exact, isMembers } from '../../exact/values.ts';
import { type ItemAnswer, OPERATIONS, refusal } from './batch-operations.ts';
import type { BatchRoom } from './batch-room.ts';

/** So many share the frames to the primary, and no batch keeps others from their turn. */
const AT_A_TIME_MAX = 32;

export interface Batch {
  readonly deps: RouteDeps;
  readonly principal: Principal;
  readonly room: BatchRoom;
}

/** The answers to `items`, in their order. */
export async function answerItems(batch: Batch, items: readonly Exact[]): Promise<ItemAnswer[]> {
  const answers: ItemAnswer[] = [];
  /** Key -> the last item of it that was begun. */
  const turns = new Map<Exact, Promise<void>>();
  let next = 0;
  const answerNext = async (at: number, before: Promise<void> | undefined): Promise<void> => {
    await before;
    answers[at] = await answerItem(batch, items[at] ?? null);
  };
  const run = async (): Promise<void> => {
    while (next < items.length) {
      const at = next++;
      const item = items[at];
      const key = isMembers(item) ? (item.get('key') ?? null) : null;
      // Items are begun in their order, so the one that is waited for is under way.
      const turn = answerNext(at, turns.get(key));
      turns.set(key, turn);
      await turn;
    }
  };
  await Promise.all(Array.from({ length: Math.min(AT_A_TIME_MAX, items.length) }, run));
  return answers;
}

async function answerItem(batch: Batch, item: Exact): Promise<ItemAnswer> {
  try {
    return await perform(batch, item);
  } catch (error) {
    if (error instanceof BigCacheError) return refusal(error);
    batch.deps.log.error({ err: error }, 'an item of a batch failed');
    return refusal(new BigCacheError('INTERNAL'));
  }
}

/** Throws BigCacheError: what is wrong with the item, or why it may not be done. */
async function perform({ deps, principal, room }: Batch, item: Exact): Promise<ItemAnswer> {
  if (!isMembers(item)) throw memberInvalid('An item is an object with "op" and "key".');
  const operation = OPERATIONS.get(item.get('op'));
  if (operation === undefined) {
    throw memberInvalid('"op" is get, put, delete, touch or incr.');
  }
  const name = item.get('key');
  if (typeof name !== 'string') throw memberInvalid('"key" is a text.');
  const key = keyFromText(name, operation.scope === 'read' ? 'read' : 'write');
  const refused = refusalOf(principal, operation.scope, key);
  if (refused !== undefined) throw new BigCacheError(refused);
  requireKnown(item, operation.members);
  return await operation.perform({ deps, room, key, members: item });
}
