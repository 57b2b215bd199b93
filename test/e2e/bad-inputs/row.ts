/** Declares the test of one row, named by its number and what the row says. */
import { it, type TestContext } from 'node:test';
import { ROWS, type RowNumber } from './rows.ts';

export function row(number: RowNumber, check: (t: TestContext) => Promise<void> | void): void {
  const [input, answer] = ROWS[number];
  it(`${number}: ${input} \u2192 ${answer}`.replaceAll('`', ''), check);
}
