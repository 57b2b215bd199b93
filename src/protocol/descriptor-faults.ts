/** The faults of a process that has no descriptor left, or whose system has none. */
const CODES = new Set(['EMFILE', 'ENFILE']);

/** Whether this is why something could not be opened. */
export function isOutOfDescriptors(error: unknown): boolean {
  return CODES.has((error as NodeJS.ErrnoException).code ?? '');
}
