/** What a principal may touch, as routes ask. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { FastifyRequest } from 'fastify';
import type { ErrorCode } from '../../../src/protocol/errors.ts';
import {
  ANYBODY,
  allowKey,
  allowPrefix,
  allowScope,
  askerOf,
  type Principal,
  principalOf,
  refusalOf,
  visiblePrefix,
} from '../../../src/workers/access/principal.ts';
import { allowSelector, maySelect } from '../../../src/workers/access/selectors.ts';
import { tokenFor } from './table-tokens.ts';

const asking = (principal: Principal | null) => ({ principal }) as FastifyRequest;
const team = principalOf(tokenFor('team', 's', ['read', 'write'], 'team/'));
const byTeam = asking(team);
const byAnybody = asking(ANYBODY);

function refuses(code: ErrorCode, what: () => unknown): void {
  assert.throws(what, { name: 'BigCacheError', code });
}

describe('a token with a keyPrefix', () => {
  it('touches the keys that begin so and no others', () => {
    for (const key of ['team/', 'team/a', 'team/a?x=1']) allowKey(byTeam, key);
    for (const key of ['team', 'team2/a', 'Team/a', 'a/team/a', 'tea', '?team/']) {
      refuses('KEY_REFUSED', () => allowKey(byTeam, key));
    }
  });

  it('touches prefixes that lie within its own', () => {
    for (const prefix of ['team/', 'team/a', 'team/a?']) allowPrefix(byTeam, prefix);
    for (const prefix of ['team', 't', 'other/']) {
      refuses('KEY_REFUSED', () => allowPrefix(byTeam, prefix));
    }
  });

  it('sees of a listing what is its own', () => {
    assert.equal(visiblePrefix(byTeam, ''), 'team/');
    assert.equal(visiblePrefix(byTeam, 'te'), 'team/');
    assert.equal(visiblePrefix(byTeam, 'team/b'), 'team/b');
    refuses('KEY_REFUSED', () => visiblePrefix(byTeam, 'team2'));
    assert.equal(visiblePrefix(byAnybody, 'x'), 'x');
    assert.equal(visiblePrefix(byAnybody, ''), '');
  });

  it('does nothing that concerns all keys', () => {
    for (const selector of [{ tag: 'team/' }, { all: true }] as const) {
      refuses('STORE_WIDE_REFUSED', () => allowSelector(byTeam, selector));
      assert.equal(maySelect(byTeam, selector), false);
      allowSelector(byAnybody, selector);
    }
  });

  it('has to do with purges of prefixes that lie within its own', () => {
    allowSelector(byTeam, { prefix: 'team/a' });
    assert.equal(maySelect(byTeam, { prefix: 'team/' }), true);
    refuses('KEY_REFUSED', () => allowSelector(byTeam, { prefix: 'team' }));
    allowSelector(byAnybody, { prefix: '' });
  });
});

describe('a scope', () => {
  it('includes no other', () => {
    allowScope(byTeam, 'read');
    refuses('SCOPE_REFUSED', () => allowScope(byTeam, 'admin'));
    refuses('SCOPE_REFUSED', () => {
      allowScope(asking(principalOf(tokenFor('a', 's', ['admin']))), 'read');
    });
  });

  it('is judged with the key for each item of a batch', () => {
    assert.equal(refusalOf(team, 'write', 'team/a'), undefined);
    assert.equal(refusalOf(team, 'write', 'other/a'), 'KEY_REFUSED');
    assert.equal(refusalOf(team, 'admin', 'team/a'), 'SCOPE_REFUSED');
    assert.equal(refusalOf(ANYBODY, 'admin', 'other/a'), undefined);
  });
});

describe('an open route', () => {
  it('that asks for its principal is broken', () => {
    assert.throws(() => askerOf(asking(null)), /INVARIANT/);
    assert.throws(() => allowKey(asking(null), 'a'), /INVARIANT/);
  });
});
