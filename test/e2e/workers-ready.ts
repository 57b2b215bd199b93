/** How many workers of a server listen, as it says of itself: one that was only just forked does not. */
export async function workersReady(url: string): Promise<number> {
  const alone = { headers: { connection: 'close' }, signal: AbortSignal.timeout(1000) };
  const answer = await fetch(`${url}/v1/stats`, alone).catch(() => undefined);
  if (answer?.status !== 200) return 0;
  const { workers } = (await answer.json()) as { workers: { ready: number } };
  return workers.ready;
}
