/** Keys in log lines: one line, visible, short. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { LOGGED_KEY_LENGTH_MAX, loggedKey } from '../../src/protocol/logged-key.ts';

describe('a key in a log', () => {
  it('stands as it is where it is plain', () => {
    for (const key of ['page/1?q=c%2B', '캐시/1', 'a b', 'naïve', '😀']) {
      assert.equal(loggedKey(key), key);
    }
  });

  it('shows what would be hidden', () => {
    assert.equal(loggedKey('a\n\u001b[31m\u0085b'), 'a\\u{a}\\u{1b}[31m\\u{85}b');
    assert.equal(
      loggedKey('\u202egpj.exe\u2066\u200b\ufeff'),
      '\\u{202e}gpj.exe\\u{2066}\\u{200b}\\u{feff}',
    );
    assert.equal(loggedKey('\u2028\u2029\ud800'), '\\u{2028}\\u{2029}\\u{d800}');
    assert.equal(loggedKey('a\\u{a}'), 'a\\\\u{a}');
  });

  it('is cut, and says by how much', () => {
    assert.equal(loggedKey('x'.repeat(200)), 'x'.repeat(200));
    assert.equal(loggedKey('x'.repeat(8192)), `${'x'.repeat(200)}... (7992 more)`);
  });

  it('is never long and never hides anything, whatever it is', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 500 }), (key) => {
        const shown = loggedKey(key);
        assert.doesNotMatch(shown, /[\p{C}\p{Zl}\p{Zp}]/u);
        assert.ok(shown.length <= LOGGED_KEY_LENGTH_MAX * 10 + 20);
      }),
    );
  });
});
