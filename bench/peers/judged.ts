/** Which scenarios it takes to judge what is promised, with the peers that are there. */
import type { Target } from '../targets.ts';
import { READ_WHILE_WRITING } from '../workloads.ts';
import { type Available, availableOf } from './available.ts';
import type { Peer } from './peer.ts';
import type { Scenario } from './scenarios.ts';

interface Judgement {
  /** Those that can be judged here. */
  readonly targets: readonly Target[];
  readonly available: Available;
}

function isJudgedBy({ workload, bodyBytes }: Target, scenario: Scenario): boolean {
  return scenario.name === workload && (bodyBytes ?? scenario.bodyBytes) === scenario.bodyBytes;
}

/** The scenarios of `targets`, with no other peers than those they speak of. */
function scenariosOf(targets: readonly Target[], all: readonly Scenario[]): Scenario[] {
  return all.flatMap((scenario) => {
    const own = targets.filter((target) => isJudgedBy(target, scenario));
    const isNamed = ({ name }: Peer): boolean =>
      // Its targets compare one server at two times.
      scenario.name === READ_WHILE_WRITING ||
      own.some(({ of, against }) => name === of || name === against);
    return own.length === 0 ? [] : [{ ...scenario, peers: scenario.peers.filter(isNamed) }];
  });
}

export function judgementOf(
  targets: readonly Target[],
  peers: readonly Peer[],
  all: readonly Scenario[],
): Judgement {
  const wanted = availableOf(peers, scenariosOf(targets, all));
  const absent = peers.filter((peer) => !wanted.peers.includes(peer)).map(({ name }) => name);
  const possible = targets.filter(
    (target) =>
      !absent.includes(target.of) &&
      !absent.includes(target.against ?? target.of) &&
      wanted.scenarios.some((scenario) => isJudgedBy(target, scenario)),
  );
  return {
    targets: possible,
    available: { ...wanted, scenarios: scenariosOf(possible, wanted.scenarios) },
  };
}
