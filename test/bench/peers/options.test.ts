/** The command line of the benchmark beside the peers, and what it says of those that are missing. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { availableOf } from '../../../bench/peers/available.ts';
import { judgementOf } from '../../../bench/peers/judged.ts';
import { parsePeersOptions } from '../../../bench/peers/options.ts';
import type { Peer } from '../../../bench/peers/peer.ts';
import { missingPrograms, programPath } from '../../../bench/peers/programs.ts';
import { SCENARIOS, type Scenario } from '../../../bench/peers/scenarios.ts';
import type { Target } from '../../../bench/targets.ts';

const parse = (...args: string[]): ReturnType<typeof parsePeersOptions> =>
  parsePeersOptions(args, () => undefined);

describe('the arguments of the benchmark beside peers', () => {
  it('have defaults that measure everything and write 4 GiB at once', () => {
    const options = parse();
    assert.deepEqual(options.scenarios, SCENARIOS);
    assert.equal(options.volume.bytes, 4 * 1024 ** 3);
    assert.equal(options.requiresAll, false);
    assert.equal(options.writesDocs, false);
  });

  it('choose scenarios by name, at every size, or none', () => {
    const sizes = parse('--only', 'read-hot').scenarios.map(({ bodyBytes }) => bodyBytes);
    assert.deepEqual(sizes, [1024, 32 * 1024]);
    assert.deepEqual(parse('--only', '').scenarios, []);
  });

  it('are refused where they mean nothing', () => {
    for (const args of [
      ['--only', 'read-lukewarm'],
      ['--require', 'some'],
      ['--rounds', '0'],
    ]) {
      assert.throws(() => parse(...args), { name: /CommanderError|InvalidArgumentError/ });
    }
  });
});

describe('what is missing', () => {
  const peer = (name: string, ...lacks: string[]): Peer => ({
    name,
    missing: () => lacks,
    start: () => Promise.reject(new Error('it is not to be started')),
  });
  const here = peer('here');
  const gone = peer('gone', 'a program: install it');
  const scenario = (name: string, peers: Peer[], ...lacks: string[]): Scenario => {
    const [some] = SCENARIOS;
    assert.ok(some !== undefined);
    return { ...some, name, peers, missing: () => lacks };
  };

  it('is left out and said, with what installs it', () => {
    const both = scenario('both', [here, gone]);
    const pages = scenario('pages', [here], 'pages: install them');
    const available = availableOf([here, gone], [both, pages]);
    assert.deepEqual(available.peers, [here]);
    assert.deepEqual(available.scenarios, [both]);
    assert.deepEqual(available.missing, [
      'gone is left out. It lacks a program: install it',
      'pages is left out. It lacks pages: install them',
    ]);
  });

  it('is not said of a peer that no scenario asks for', () => {
    const { missing } = availableOf([here, gone], [scenario('alone', [here])]);
    assert.deepEqual(missing, []);
  });

  it('is a program that no folder of the PATH has', () => {
    assert.deepEqual(missingPrograms({ 'no-such-program': 'some-package', sh: 'dash' }), [
      'no-such-program: apt-get install some-package',
    ]);
    assert.match(programPath('sh') ?? '', /\/sh$/);
  });

  it('leaves out what is promised beside it, and measures no peer that nothing is promised of', () => {
    const other = peer('other');
    const all = [scenario('reads', [here, gone, other]), scenario('writes', [here, gone])];
    const target = (workload: string, against: string): Target => ({
      workload,
      bodyBytes: undefined,
      measure: 'requestsPerSecond',
      of: 'here',
      against,
      sense: 'at least',
      limit: 1,
    });
    const possible = target('reads', 'other');
    const targets = [possible, target('reads', 'gone'), target('writes', 'gone')];
    const judgement = judgementOf(targets, [here, gone, other], all);
    assert.deepEqual(judgement.targets, [possible]);
    assert.deepEqual(
      judgement.available.scenarios.map(({ name, peers }) => [name, peers.map((one) => one.name)]),
      [['reads', ['here', 'other']]],
    );
  });
});
