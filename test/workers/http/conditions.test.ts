/** Entity tags and the conditions that name them. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { contentHashOf, HashedPieces } from '../../../src/segments/content-hash.ts';
import {
  type ConditionFields,
  judgeRead,
  mayAnswerRange,
} from '../../../src/workers/http/conditions.ts';
import {
  encodedTag,
  matchesStrongly,
  matchesWeakly,
  parseTagCondition,
  plainTag,
} from '../../../src/workers/http/entity-tags.ts';

const STORED_AT = Date.UTC(2026, 0, 1, 12, 0, 0, 500);
const at = (seconds: number): string => new Date(STORED_AT - 500 + seconds * 1000).toUTCString();
const CURRENT = { tags: ['"plain"', '"coded"'], storedAtMs: STORED_AT };
const NONE: ConditionFields = {
  ifMatch: undefined,
  ifNoneMatch: undefined,
  ifModifiedSince: undefined,
  ifUnmodifiedSince: undefined,
  ifRange: undefined,
};
const judge = (fields: Partial<ConditionFields>) => judgeRead({ ...NONE, ...fields }, CURRENT);

async function* inTurn(pieces: readonly Uint8Array[]): AsyncGenerator<Buffer> {
  for (const piece of pieces) yield Buffer.from(piece);
}

describe('an entity tag', () => {
  it('depends on the content alone, in whatever pieces it comes', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(fc.uint8Array()), async (pieces) => {
        const hashed = new HashedPieces(inTurn(pieces));
        const passedOn: Buffer[] = [];
        for await (const piece of hashed.pieces()) passedOn.push(piece);
        const whole = Buffer.concat(passedOn);
        assert.deepEqual(whole, Buffer.concat(pieces));
        assert.deepEqual(hashed.digest, contentHashOf(whole));
      }),
    );
    assert.notEqual(
      plainTag(contentHashOf(Buffer.from('a'))),
      plainTag(contentHashOf(Buffer.from('b'))),
    );
  });

  it('of an encoded form is another one for each encoding and for other bytes', () => {
    const hash = contentHashOf(Buffer.from('a'));
    const tags = new Set([
      plainTag(hash),
      encodedTag(hash, 'gzip', Buffer.alloc(8, 1)),
      encodedTag(hash, 'br', Buffer.alloc(8, 1)),
      encodedTag(hash, 'gzip', Buffer.alloc(8, 2)),
      encodedTag(hash, 'gzip', Buffer.alloc(128, 2)),
    ]);
    assert.equal(tags.size, 5);
    for (const tag of tags)
      assert.match(tag, /^"[A-Za-z0-9_-]{22}(-(gzip|br)-[A-Za-z0-9_-]{11})?"$/);
  });

  it('is read from a list as it was written, weak or strong', () => {
    const opaque = fc.stringMatching(/^[!#-~]{0,20}$/);
    const tag = fc
      .tuple(fc.boolean(), opaque)
      .map(([weak, text]) => `${weak ? 'W/' : ''}"${text}"`);
    fc.assert(
      fc.property(fc.array(tag, { minLength: 1 }), (tags) => {
        assert.deepEqual(parseTagCondition(tags.join(', ')), tags);
        assert.deepEqual(parseTagCondition(` ${tags.join(',')} ,`), tags);
      }),
    );
    assert.equal(parseTagCondition(' * '), '*');
    for (const text of ['', 'a', '"a', '"a" "b"', 'w/"a"', '*, "a"']) {
      assert.equal(parseTagCondition(text), undefined, text);
    }
  });

  it('that is weak matches weakly only', () => {
    assert.ok(matchesWeakly(['W/"a"'], ['"a"']));
    assert.ok(!matchesStrongly(['W/"a"'], ['"a"']));
    assert.ok(matchesStrongly(['"b"', '"a"'], ['"a"']));
    assert.ok(!matchesWeakly(['"b"'], ['"a"']));
    assert.ok(matchesStrongly('*', ['"a"']) && matchesWeakly('*', ['"a"']));
  });
});

describe('a conditional read', () => {
  it('is answered with the content where nothing is asked, or nothing can be read', () => {
    assert.equal(judge({}), 'content');
    assert.equal(judge({ ifNoneMatch: 'nonsense', ifModifiedSince: at(0) }), 'content');
    assert.equal(judge({ ifModifiedSince: 'nonsense', ifUnmodifiedSince: 'nonsense' }), 'content');
  });

  it('knows both tags of the current version', () => {
    for (const tag of CURRENT.tags) {
      assert.equal(judge({ ifNoneMatch: tag }), 'not-modified');
      assert.equal(judge({ ifMatch: tag }), 'content');
    }
    assert.equal(judge({ ifNoneMatch: '"x", W/"coded"' }), 'not-modified');
    assert.equal(judge({ ifNoneMatch: '*' }), 'not-modified');
    assert.equal(judge({ ifMatch: '"x"' }), 'failed');
    assert.equal(judge({ ifMatch: 'W/"plain"' }), 'failed', 'If-Match compares strongly');
  });

  it('compares times by whole seconds, and only where no tag is named', () => {
    assert.equal(judge({ ifModifiedSince: at(0) }), 'not-modified');
    assert.equal(judge({ ifModifiedSince: at(-1) }), 'content');
    assert.equal(judge({ ifUnmodifiedSince: at(0) }), 'content');
    assert.equal(judge({ ifUnmodifiedSince: at(-1) }), 'failed');
    assert.equal(judge({ ifNoneMatch: '"x"', ifModifiedSince: at(5) }), 'content');
    assert.equal(judge({ ifMatch: '"plain"', ifUnmodifiedSince: at(-5) }), 'content');
  });

  it('fails before it is not modified', () => {
    assert.equal(judge({ ifMatch: '"x"', ifNoneMatch: '"plain"' }), 'failed');
  });
});

describe('If-Range', () => {
  it('allows a range of the form that it names, and of no other', () => {
    const may = (ifRange?: string): boolean => mayAnswerRange({ ifRange }, '"plain"');
    assert.ok(may() && may('"plain"') && may(' "plain" '));
    assert.ok(!may('"x"') && !may('"coded"') && !may('W/"plain"') && !may('nonsense'));
    assert.ok(!may(at(0)), 'a date may stand for two versions');
    assert.ok(!mayAnswerRange({ ifRange: '"plain"' }, undefined));
  });
});
