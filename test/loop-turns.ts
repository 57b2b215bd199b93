/** What something leaves the event loop to do meanwhile. */

/** What `work` resolves with, and how often the event loop turned until then. */
export async function turnsDuring<T>(
  work: () => T | Promise<T>,
): Promise<{ readonly result: T; readonly turns: number }> {
  let turns = 0;
  let isDone = false;
  const turn = (): void => {
    turns += 1;
    if (!isDone) setImmediate(turn);
  };
  setImmediate(turn);
  try {
    const result = await work();
    return { result, turns };
  } finally {
    isDone = true;
  }
}
