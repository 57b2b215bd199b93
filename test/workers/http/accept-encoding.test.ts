import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { takesGzip } from '../../../src/workers/http/accept-encoding.ts';

/** What a field says, as an element of it. */
interface Element {
  readonly coding: string;
  readonly thousandths: number | undefined;
}

/** The rules of RFC 9110 section 12.5.3 once more, over what the field was made from. */
function expected(elements: readonly Element[]): boolean {
  const weightOf = (names: readonly string[]): number | undefined => {
    const named = elements.filter(({ coding }) => names.includes(coding.toLowerCase()));
    if (named.length === 0) return undefined;
    return Math.max(...named.map(({ thousandths = 1000 }) => thousandths));
  };
  const others = weightOf(['*']);
  const gzip = weightOf(['gzip', 'x-gzip']) ?? others ?? 0;
  const identity = weightOf(['identity']) ?? others ?? 0;
  return gzip > 0 && gzip >= identity;
}

const element: fc.Arbitrary<Element> = fc.record({
  coding: fc.constantFrom('gzip', 'x-gzip', 'GZip', 'identity', 'br', 'deflate', 'zstd', '*'),
  thousandths: fc.option(fc.integer({ min: 0, max: 1000 }), { nil: undefined }),
});
const space = fc.constantFrom('', ' ', '\t', '  ');

function written({ coding, thousandths }: Element, gap: string): string {
  if (thousandths === undefined) return `${gap}${coding}${gap}`;
  const weight = thousandths === 1000 ? '1' : `0.${String(thousandths).padStart(3, '0')}`;
  return `${gap}${coding}${gap};${gap}q=${weight}${gap}`;
}

describe('Accept-Encoding', () => {
  it('takes gzip where a client says so, and the plain form otherwise', () => {
    const takes = [
      ...['gzip', 'GZIP', 'x-gzip', 'gzip, deflate', 'gzip, deflate, br, zstd', '*', 'br, *'],
      ...['gzip;q=0.001', 'gzip ; Q=1.000', 'identity;q=0.5, gzip;q=0.5', ',, gzip', '*;q=0.1'],
      ...['identity;q=0, gzip;q=0.1', 'br;q=1, gzip;q=0.2', 'gzip;q=0, gzip'],
    ];
    const takesNot = [
      ...[
        '',
        ' ',
        'identity',
        'br',
        'gzip;q=0',
        'gzip; q=0.000',
        'gzip;q=0.',
        '*;q=0',
        'gzip;q=0, *',
      ],
      ...['gzip;q=0.5, identity', '*, gzip;q=0.5', 'gzip;q=2', 'gzip;q=-1', 'gzip;q=0.1234'],
      ...['gzip;level=9', 'gzip;q=', 'gzip q=1', 'gzi p', 'gzipped', '"gzip"'],
    ];
    for (const field of takes) assert.ok(takesGzip(field), field);
    for (const field of takesNot) assert.ok(!takesGzip(field), field);
    assert.ok(!takesGzip(undefined));
  });

  it('says the same as the rules of RFC 9110, however it is written', () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(element, space), { maxLength: 6 }), (elements) => {
        const field = elements.map(([one, gap]) => written(one, gap)).join(',');
        const what = expected(elements.map(([one]) => one));
        assert.equal(takesGzip(field), what, field);
        assert.equal(takesGzip(field), what, `${field}, asked again`);
      }),
    );
  });

  it('makes something of any text', () => {
    fc.assert(
      fc.property(fc.string({ maxLength: 300 }), (field) => {
        assert.equal(typeof takesGzip(field), 'boolean');
        assert.equal(takesGzip(`${field},gzip;q=1`), takesGzip(`${field},gzip;q=1`));
      }),
    );
  });
});
