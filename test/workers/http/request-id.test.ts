/** Ids of requests: the client's where it is harmless, else one of ours. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { requestIds } from '../../../src/workers/http/request-id.ts';

describe('the id of a request', () => {
  it('is that of the client where it is plain', () => {
    const idOf = requestIds();
    for (const id of [
      'a',
      '0af7651916cd43dd8448eb211c80319c',
      '3f1c8b1e-8f5e-4a4f-9a3b-0f4a3c2d1e0f',
      'Root=1-67891233-abcdef012345678912345678',
      'x'.repeat(128),
      'b64+/==',
    ]) {
      assert.equal(idOf({ headers: { 'x-request-id': id } }), id);
    }
  });

  it('is one of ours where it could deceive who reads a log, or is too long', () => {
    const idOf = requestIds('p');
    const hostile = [
      '',
      ' ',
      'a b',
      'a\nb',
      'a\r\nSet-Cookie: x=1',
      '\u001b[31mred',
      '"}{"level":50',
      'a, b',
      '\u202eabc',
      'caf\u00e9',
      'x'.repeat(129),
      '<script>',
      '%0a',
      '{jndi}',
    ];
    for (const id of hostile) {
      assert.match(idOf({ headers: { 'x-request-id': id } }), /^p-[0-9a-z]+$/, JSON.stringify(id));
    }
    const twice = { 'x-request-id': ['a', 'b'] };
    assert.match(idOf({ headers: twice }), /^p-/);
  });

  it('is never given twice, nor by another process', () => {
    const [one, other] = [requestIds(), requestIds()];
    const ids = new Set<string>();
    for (let nth = 0; nth < 1000; nth++) ids.add(one({ headers: {} })).add(other({ headers: {} }));
    assert.equal(ids.size, 2000);
    for (const id of ids) assert.match(id, /^[\w-]{8}-[0-9a-z]+$/);
  });
});
