/** Runs scenarios one after the other, with the peers that are there. */
import { showBytes } from '../arguments.ts';
import type { Measured } from '../results.ts';
import type { Series } from '../series.ts';
import type { Setting } from '../servers.ts';
import type { Stall, Volume } from '../stalls.ts';
import type { Available } from './available.ts';

/** `onMeasured` is given all that there is after each scenario. */
export async function measure(
  { peers, scenarios }: Available,
  setting: Setting,
  volume: Volume,
  onMeasured: (measured: Measured) => void = () => undefined,
): Promise<Measured> {
  const series: Series[] = [];
  const stalls: Stall[] = [];
  for (const scenario of scenarios) {
    const present = scenario.peers.filter((peer) => peers.includes(peer));
    if (present.length === 0) continue;
    const body = scenario.bodyBytes === 0 ? 'real HTML' : showBytes(scenario.bodyBytes);
    process.stderr.write(`${scenario.name}, ${body} ...`);
    const startedAtMs = performance.now();
    const measured = await scenario.run(setting, present, volume);
    process.stderr.write(` ${((performance.now() - startedAtMs) / 1000).toFixed(0)} s\n`);
    series.push(...measured.series);
    stalls.push(...measured.stalls);
    onMeasured({ series, stalls });
  }
  return { series, stalls };
}
