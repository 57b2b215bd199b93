/** The benchmark's command line, and the requests that follow from it. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { parseArguments, parseBytes, showBytes } from '../../bench/arguments.ts';
import { keyNumber, PICKLE } from '../../bench/load-plan.ts';
import {
  firstWarmUp,
  preparation,
  type RequestSetup,
  roundRequests,
} from '../../bench/requests.ts';
import { WORKLOADS } from '../../bench/workloads.ts';

const parse = (...args: string[]): ReturnType<typeof parseArguments> =>
  parseArguments(args, () => undefined);

describe('the arguments of the benchmark', () => {
  it('have defaults that run every workload at 1 KiB and 32 KiB', () => {
    const options = parse();
    assert.deepEqual(options.workloads, WORKLOADS);
    assert.deepEqual(options.bodyBytes, [1024, 32 * 1024]);
    assert.equal(options.writeBytes, 2 * 1024 ** 3);
    assert.equal(options.rounds, 5);
  });

  it('choose workloads, sizes and lengths', () => {
    const args = ['--only', 'write-new,read-hot', '--sizes', '4KiB', '--seconds', '0.5'];
    const options = parse(...args, '--write-bytes', '0');
    assert.deepEqual(
      options.workloads.map(({ name }) => name),
      ['write-new', 'read-hot'],
    );
    assert.deepEqual(options.bodyBytes, [4096]);
    assert.equal(options.seconds, 0.5);
    assert.equal(options.writeBytes, 0);
  });

  it('are refused where they mean nothing', () => {
    for (const args of [
      ['--only', 'read-lukewarm'],
      ['--sizes', '32 kilos'],
      ['--sizes', '2MiB'],
      ['--workers', '0'],
      ['--seconds', 'soon'],
      ['--unknown'],
    ]) {
      assert.throws(() => parse(...args), { name: /CommanderError|InvalidArgumentError/ });
    }
  });
});

describe('a size', () => {
  it('is read and shown in binary units', () => {
    assert.equal(parseBytes('1.5 GiB'), 1.5 * 1024 ** 3);
    assert.equal(parseBytes('4096'), 4096);
    assert.equal(showBytes(32 * 1024), '32 KiB');
    assert.equal(showBytes(1500), '1500 B');
    assert.equal(showBytes(0), '0 B');
  });
});

describe('the requests of a round', () => {
  const aim = { port: 1, target: PICKLE };
  const setupOf = (name: string): RequestSetup => {
    const workload = WORKLOADS.find((one) => one.name === name);
    assert.ok(workload !== undefined);
    return { workload, bodyBytes: 1024, seconds: 2, rounds: 5, connections: 8, pages: [] };
  };

  it('read cold entries once each, in every round others, all of them stored before', () => {
    const setup = setupOf('read-cold');
    const stored = preparation(setup, aim).find(({ keyPrefix }) => keyPrefix === 'cold/');
    const read = new Set<number>();
    for (let nth = 0; nth < setup.rounds; nth++) {
      const { measured } = roundRequests(setup, aim, nth, 0);
      assert.equal(measured.keyPrefix, 'cold/');
      for (let sent = 0; sent < measured.requestsMax; sent++) {
        const key = keyNumber(measured, sent);
        assert.ok(!read.has(key) && key < (stored?.requestsMax ?? 0), `key ${key}`);
        read.add(key);
      }
    }
    assert.equal(read.size, setup.rounds * 2000);
    assert.ok(read.size < (stored?.requestsMax ?? 0));
  });

  it('write new keys after those of the rounds before', () => {
    const { measured } = roundRequests(setupOf('write-new'), aim, 1, 700);
    assert.equal(keyNumber(measured, 0), 700);
    assert.equal(keyNumber(measured, 1), 701);
  });

  it('have a warm-up before them that leaves new keys new and missing ones missing', () => {
    for (const name of ['write-new', 'read-missing']) {
      const { measured, warmUp } = roundRequests(setupOf(name), aim, 0, 0);
      const first = firstWarmUp(setupOf(name), aim);
      assert.ok(first.requestsMax <= 20_000 && first.durationMs <= 3000);
      const prefixes = new Set([first, warmUp, measured].map(({ keyPrefix }) => keyPrefix));
      if (name === 'write-new') assert.equal(prefixes.size, 3);
      else assert.match(first.keyPrefix, /^missing\//);
    }
  });

  it('overwrite stored keys, and miss those that are not', () => {
    const setup = setupOf('overwrite');
    const { measured } = roundRequests(setup, aim, 0, 0);
    const [stored] = preparation(setup, aim);
    assert.equal(measured.keyPrefix, stored?.keyPrefix);
    assert.equal(measured.keyCount, stored?.requestsMax);
    const missing = roundRequests(setupOf('read-missing'), aim, 0, 0).measured;
    assert.notEqual(missing.keyPrefix, stored?.keyPrefix);
    assert.equal(missing.expectedStatus, 404);
  });

  it('open a connection for each only where the workload is about that', () => {
    const perRequest = WORKLOADS.filter(({ name }) => {
      return roundRequests(setupOf(name), aim, 0, 0).measured.newConnections > 0;
    });
    assert.deepEqual(
      perRequest.map(({ name }) => name),
      ['connection-per-request'],
    );
  });
});
