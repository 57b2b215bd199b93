/** Tables in the Markdown form that docs/benchmarks.md shows. */

/** Text columns are aligned left, columns of figures right. */
export interface Column {
  readonly title: string;
  readonly align: 'left' | 'right';
}

/** The lines of a table. REQUIRES: each row has one cell for each column. */
export function renderTable(
  columns: readonly Column[],
  rows: readonly (readonly string[])[],
): string {
  const widths = columns.map(({ title }, place) =>
    Math.max(title.length, 3, ...rows.map((row) => (row[place] ?? '').length)),
  );
  const line = (cells: readonly string[]): string => {
    const padded = columns.map(({ align }, place) => {
      const [cell, width] = [cells[place] ?? '', widths[place] ?? 0];
      return align === 'left' ? cell.padEnd(width) : cell.padStart(width);
    });
    return `| ${padded.join(' | ')} |`;
  };
  const rule = columns.map(({ align }, place) => {
    const dashes = '-'.repeat((widths[place] ?? 3) - 1);
    return align === 'left' ? `-${dashes}` : `${dashes}:`;
  });
  return [line(columns.map(({ title }) => title)), line(rule), ...rows.map(line)].join('\n');
}
