/**
 * `npm run bench:tokens`: what it costs a worker to find out who sent an Authorization header, by how many
 * tokens are known; the best of several runs, in microseconds.
 */
import { createHash } from 'node:crypto';
import type { Token } from '../src/protocol/access.ts';
import { TOKENS_MAX } from '../src/protocol/access.ts';
import { Tokens } from '../src/workers/access/tokens.ts';
import { renderTable } from './table.ts';

const LOOKS = 20_000;
const RUNS = 12;
const SECRET = `bct_${'a'.repeat(43)}`;

const HEADERS = {
  Bearer: `Bearer ${SECRET}`,
  Basic: `Basic ${Buffer.from(`x:${SECRET}`).toString('base64')}`,
} as const;

/** `count` tokens, of which the last one is sent. */
function known(count: number): Tokens {
  const secrets = Array.from({ length: count }, (_, nth) =>
    nth === count - 1 ? SECRET : `other-${nth}`,
  );
  return new Tokens(
    secrets.map((secret, nth): Token => {
      const sha256 = createHash('sha256').update(secret).digest('hex');
      return { name: `t${nth}`, sha256, scopes: ['read'] };
    }),
  );
}

function microsecondsOf(tokens: Tokens, header: string): number {
  const startedAt = performance.now();
  for (let look = 0; look < LOOKS; look++) {
    if (tokens.whoSent(header) === undefined) throw new Error('the token is not known');
  }
  return (1000 * (performance.now() - startedAt)) / LOOKS;
}

const rows = [1, 10, TOKENS_MAX].map((count) => {
  const tokens = known(count);
  const best = Object.values(HEADERS).map((header) =>
    Math.min(...Array.from({ length: RUNS }, () => microsecondsOf(tokens, header))).toFixed(1),
  );
  return [String(count), ...best];
});
console.log(
  renderTable(
    ['tokens known', ...Object.keys(HEADERS)].map((title) => ({ title, align: 'right' }) as const),
    rows,
  ),
);
