/** Which peers and scenarios this machine can measure, and what the others lack. */
import type { Peer } from './peer.ts';
import type { Scenario } from './scenarios.ts';

export interface Available {
  readonly peers: readonly Peer[];
  readonly scenarios: readonly Scenario[];
  /** One line for each that lacks something, with what installs it. */
  readonly missing: readonly string[];
}

export function availableOf(peers: readonly Peer[], scenarios: readonly Scenario[]): Available {
  const missing: string[] = [];
  const isThere = ({ name, missing: lacks }: Peer | Scenario): boolean => {
    const lines = lacks();
    missing.push(...lines.map((line) => `${name} is left out. It lacks ${line}`));
    return lines.length === 0;
  };
  const wanted = peers.filter((peer) =>
    scenarios.some((scenario) => scenario.peers.includes(peer)),
  );
  return { peers: wanted.filter(isThere), scenarios: scenarios.filter(isThere), missing };
}
