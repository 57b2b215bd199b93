/**
 * What takes bytes or text apart, given anything: it answers, or refuses in its own way, and what it
 * answers is within its bounds.
 */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { parseTokenList, TokenListError } from '../../src/primary/access/token-list.ts';
import { BigCacheError } from '../../src/protocol/errors.ts';
import { encodeFrame, FrameDecoder, ProtocolError } from '../../src/protocol/frame.ts';
import {
  isCanonicalKey,
  KEY_BYTES_MAX,
  keyFromTarget,
  keyFromText,
} from '../../src/protocol/key.ts';
import { decodeToken, encodeToken } from '../../src/protocol/lease-token.ts';
import { parseDuration, parseExpire } from '../../src/protocol/lifetime.ts';
import { decodeMessages, encodeMessages } from '../../src/protocol/messages.ts';
import { Opcode } from '../../src/protocol/opcodes.ts';
import { decodeRecord, pointerOf, versionOf, withWholeHead } from '../../src/protocol/record.ts';
import { Tokens } from '../../src/workers/access/tokens.ts';
import { msgpackItems } from '../../src/workers/exact/msgpack.ts';
import { parseRange } from '../../src/workers/http/range.ts';
import { testSeed } from '../e2e/chaos/random.ts';
import { recordOf } from '../primary/store/store-setup.ts';
import { basic, bearer, TOKENS } from '../workers/access/table-tokens.ts';
import { scanSpoilt } from './spoilt-segment.ts';

/** Text of these pieces, of any characters, and of both. */
const textOf = (...pieces: readonly string[]): fc.Arbitrary<string> =>
  fc.oneof(
    fc.string({ unit: 'binary', maxLength: 40 }),
    fc
      .array(fc.oneof(fc.constantFrom(...pieces), fc.string({ maxLength: 3 })), { maxLength: 12 })
      .map((all) => all.join('')),
  );

/** `whole` with some of its bytes changed, and cut or followed by others. */
const spoiltBytes = (whole: Buffer): fc.Arbitrary<Buffer> =>
  fc
    .tuple(
      fc.array(fc.tuple(fc.nat(whole.length - 1), fc.nat(255)), { maxLength: 4 }),
      fc.oneof(fc.constant(whole.length), fc.nat(whole.length)),
      fc.uint8Array({ maxLength: 6 }),
    )
    .map(([changes, length, more]) => {
      const bytes = Buffer.from(whole);
      for (const [at, value] of changes) bytes[at] = value;
      return Buffer.concat([bytes.subarray(0, length), more]);
    });

/** Runs `work`; an error of `kind` is an answer too, any other a fault. */
function unless(kind: new (...args: never[]) => Error, work: () => void): void {
  try {
    work();
  } catch (error) {
    if (!(error instanceof kind)) throw error;
    if (error instanceof BigCacheError) assert.ok(error.status < 500, error.code);
  }
}

const KEY = Buffer.from('some/key?a=1');
const RECORD = recordOf(KEY.toString(), { tags: ['a', 'b'], costMs: 7, expiresAtMs: 9 });
const PAYLOAD = encodeMessages([
  [Opcode.get, 1, 'a/b?c=1'],
  [Opcode.put, 2, 'key', RECORD, 12],
  [Opcode.increment, 3, 'n', '5', '-9', 0, [4, '17']],
  [Opcode.purge, 4, 'tag', 1],
]).subarray(4);
const TOKEN_LIST = JSON.stringify(TOKENS.slice(0, 2));
const digits = ['0', '1', '9', '00', '4294967296', '9007199254740993', '1e9', '-'];

/** Each case of it writes a file. */
const WITH_FILES = 'segments, append by append';

type Property = fc.IProperty<unknown[]> | fc.IAsyncProperty<unknown[]>;

const PROPERTIES: Readonly<Record<string, Property>> = {
  'frames, in whatever pieces they come': fc.property(
    fc.array(fc.oneof(spoiltBytes(encodeFrame(PAYLOAD)), spoiltBytes(Buffer.alloc(9, 1)))),
    (chunks) => {
      const decoder = new FrameDecoder();
      const bytes = chunks.reduce((sum, chunk) => sum + chunk.length, 0);
      let found = 0;
      unless(ProtocolError, () => {
        for (const chunk of chunks) {
          decoder.push(chunk, ({ length }) => {
            found += length;
          });
        }
      });
      assert.ok(found <= bytes);
    },
  ),
  'messages of a frame': fc.property(spoiltBytes(PAYLOAD), (bytes) => {
    unless(ProtocolError, () => assert.ok(decodeMessages(bytes).length > 0));
  }),
  records: fc.property(spoiltBytes(RECORD), (bytes) => {
    const decoded = decodeRecord(KEY, withWholeHead(bytes));
    if (decoded !== undefined) assert.deepEqual(decoded, decodeRecord(KEY, RECORD));
    const { offset } = pointerOf(withWholeHead(bytes));
    assert.ok(offset >= 0 && Number.isSafeInteger(versionOf(withWholeHead(bytes))));
  }),
  [WITH_FILES]: fc.asyncProperty(fc.infiniteStream(fc.nat()), fc.nat(4), async (numbers, changes) =>
    scanSpoilt(numbers, changes),
  ),
  'targets that name keys': fc.property(
    textOf('%', '%2F', '%3f', '?', '/', '..', '.', '%00', '%ff', '%C3%A9', '\u00e9', '#', '+', ' '),
    fc.constantFrom('read', 'write'),
    (target, use) =>
      unless(BigCacheError, () => {
        const key = keyFromTarget(target, use);
        assert.ok(isCanonicalKey(key) && Buffer.byteLength(key) <= KEY_BYTES_MAX, key);
        assert.equal(keyFromText(key, use), key);
      }),
  ),
  'durations and expiry': fc.property(
    fc.oneof(textOf('s', 'm', 'h', 'd', 'ays', '.', '+', ...digits), fc.anything()),
    (member) => {
      unless(BigCacheError, () => {
        const seconds = parseDuration(member);
        assert.ok(seconds === null || (seconds >= 0 && Number.isFinite(seconds * 1000)));
      });
      unless(BigCacheError, () => {
        const expire = parseExpire(member);
        assert.ok(expire === null || Number.isFinite(expire));
      });
    },
  ),
  ranges: fc.property(textOf('bytes', '=', ',', ' ', ...digits), fc.nat(20), (field, length) => {
    const range = parseRange(field, length);
    if (range === undefined || range === 'unsatisfiable') return;
    assert.ok(range.start >= 0 && range.start < range.end && range.end <= length, field);
  }),
  'tokens and lists of them': fc.property(
    textOf('Bearer ', 'Basic ', 'all-secret', '=', ':', basic('x', 'all-secret').authorization),
    spoiltBytes(Buffer.from(TOKEN_LIST)),
    (header, list) => {
      const who = new Tokens(TOKENS).whoSent(header);
      const known = [bearer('all-secret'), basic('x', 'all-secret')];
      if (who !== undefined) {
        const sent = header.toLowerCase().replace(/ +/, ' ');
        const isKnown = known.some(({ authorization }) => authorization.toLowerCase() === sent);
        assert.ok(isKnown || /^basic /i.test(header), header);
      }
      const claim = decodeToken(header);
      if (claim !== undefined) assert.equal(encodeToken(claim.claim, claim.seal).length, 54);
      unless(TokenListError, () => assert.ok(parseTokenList(list.toString()).length <= 2));
    },
  ),
  'batches in msgpack': fc.property(
    spoiltBytes(Buffer.from('81a56974656d739183a26f70a3676574a36b6579a161a374746ccd0100', 'hex')),
    (bytes) => unless(BigCacheError, () => assert.ok(msgpackItems(bytes, 9).length <= 9)),
  ),
};

/** The tests of all of these, of so many cases together unless BIGCACHE_FUZZ_CASES says otherwise. */
export function describeCodecs(usualCases: number): void {
  const cases = Number(process.env['BIGCACHE_FUZZ_CASES'] ?? usualCases);
  const names = Object.keys(PROPERTIES);
  const shareOf = (what: string): number => (what === WITH_FILES ? 1 : 10);
  const shares = names.reduce((sum, what) => sum + shareOf(what), 0);
  const seed = testSeed();
  describe(`given anything, ${cases} times`, () => {
    for (const [what, property] of Object.entries(PROPERTIES)) {
      it(`${what} are read or refused`, async (t) => {
        t.diagnostic(`seed ${seed}`);
        const numRuns = Math.ceil((cases * shareOf(what)) / shares);
        await fc.assert(property as fc.IAsyncProperty<unknown[]>, { numRuns, seed });
      });
    }
  });
}
