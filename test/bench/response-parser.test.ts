/** The response parser of the benchmark: the same responses however the bytes are cut. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { ResponseParser } from '../../bench/response-parser.ts';

function statusesOf(...pieces: readonly Buffer[]): number[] {
  const statuses: number[] = [];
  const parser = new ResponseParser((status) => statuses.push(status));
  for (const piece of pieces) parser.push(piece);
  return statuses;
}

const response = (status: number, body: string): string =>
  `HTTP/1.1 ${status} Some Words\r\nX-A: b\r\nContent-Length: ${body.length}\r\n\r\n${body}`;

describe('the response parser', () => {
  it('finds each response once, wherever the bytes are cut', () => {
    const responses = fc.array(
      fc.record({ status: fc.constantFrom(200, 404, 503), bytes: fc.nat({ max: 300 }) }),
      { minLength: 1, maxLength: 5 },
    );
    fc.assert(
      fc.property(responses, fc.array(fc.nat({ max: 2000 })), (all, cuts) => {
        const text = all.map(({ status, bytes }) => response(status, '\r\n\r\nx'.repeat(bytes)));
        const whole = Buffer.from(text.join(''), 'latin1');
        const ends = [...cuts, whole.length].sort((one, other) => one - other);
        const pieces = ends.map((end, nth) => whole.subarray(ends[nth - 1] ?? 0, end));
        assert.deepEqual(
          statusesOf(...pieces),
          all.map(({ status }) => status),
        );
      }),
    );
  });

  it('reports a response only at its last byte', () => {
    const whole = Buffer.from(response(200, 'body'), 'latin1');
    assert.deepEqual(statusesOf(whole.subarray(0, -1)), []);
  });

  it('keeps nothing of a buffer that is used again', () => {
    const shared = Buffer.from(response(200, ''), 'latin1');
    const cut = 20;
    const rest = Buffer.from(shared.subarray(cut));
    const statuses: number[] = [];
    const parser = new ResponseParser((status) => statuses.push(status));
    parser.push(shared.subarray(0, cut));
    shared.fill(0);
    parser.push(rest);
    assert.deepEqual(statuses, [200]);
  });

  it('takes a response without a body', () => {
    assert.deepEqual(statusesOf(Buffer.from('HTTP/1.1 204 No Content\r\n\r\n')), [204]);
  });

  it('refuses what it cannot find the end of', () => {
    for (const text of [
      'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n',
      'HTTP/1.1 100 Continue\r\n\r\n',
      'nothing of HTTP\r\n\r\n',
      'x'.repeat(20_000),
    ]) {
      assert.throws(() => statusesOf(Buffer.from(text)), Error, text.slice(0, 40));
    }
  });
});
