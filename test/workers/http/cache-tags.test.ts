/** Tags of entries. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { BigCacheError } from '../../../src/protocol/errors.ts';
import { checkTags, parseTags, TAGS_MAX } from '../../../src/workers/http/cache-tags.ts';

const isRefusal = (error: unknown): boolean =>
  error instanceof BigCacheError && error.code === 'REQUEST_INVALID';
const asSent = (text: string): string => Buffer.from(text).toString('latin1');

describe('the tags of an entry', () => {
  it('are read from a list, each once, in UTF-8', () => {
    assert.deepEqual(parseTags(asSent('a, b ,a,, Straße')), ['a', 'b', 'Straße']);
    assert.deepEqual(parseTags(undefined), []);
    assert.deepEqual(parseTags(' , '), []);
  });

  it('are bounded in number and in bytes', () => {
    const many = Array.from({ length: TAGS_MAX }, (_, nth) => `t${nth}`);
    assert.equal(checkTags(many).length, TAGS_MAX);
    assert.throws(() => checkTags([...many, 'one more']), isRefusal);
    assert.equal(checkTags(['x'.repeat(1024)]).length, 1);
    assert.throws(() => checkTags(['ä'.repeat(513)]), isRefusal);
  });

  it('have no spaces, commas, control characters or bytes that are no text', () => {
    for (const tag of ['a b', 'a,b', 'a\tb', 'a\x01', '', '\ud800']) {
      assert.throws(() => checkTags([tag]), isRefusal, JSON.stringify(tag));
    }
    assert.throws(() => parseTags('\xff'), isRefusal);
  });
});
