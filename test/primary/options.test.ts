/** Options: which source wins, what each type takes, and what the refusals say. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { CannotRunError, UsageError } from '../../src/primary/exit.ts';
import { parseValue, showValue } from '../../src/primary/option-values.ts';
import { refuseUnprotected, resolveOptions } from '../../src/primary/options.ts';
import {
  environmentName,
  OPTIONS,
  type OptionSpec,
  SEGMENT_BYTES_MAX,
  SEGMENT_BYTES_MIN,
} from '../../src/protocol/config.ts';

const MiB = 1024 * 1024;

function optionOf(flag: string): OptionSpec {
  const option = OPTIONS.find((candidate) => candidate.flag === flag);
  assert.ok(option, `there is no option --${flag}`);
  return option;
}

function sourceOf(
  flag: string,
  flags: Record<string, string>,
  env: Record<string, string>,
): string {
  const resolved = resolveOptions(flags, env).options.find(({ option }) => option.flag === flag);
  return `${resolved?.value} from ${resolved?.source}`;
}

describe('the source of a value', () => {
  it('is the default where nothing is given', () => {
    const { config, options } = resolveOptions({}, {});
    const defaults = Object.fromEntries(OPTIONS.map((option) => [option.name, option.default]));
    assert.deepEqual(config, { ...defaults, segmentBytes: SEGMENT_BYTES_MAX });
    assert.ok(options.every(({ source }) => source === 'default'));
  });

  it('is the share of a segment in the limit of the store, within bounds', () => {
    const segmentSize = (maxSize: string): string =>
      sourceOf('segment-size', { 'max-size': maxSize, workers: '4' }, {});
    assert.equal(segmentSize('10GiB'), `${160 * 2 ** 20} from default`);
    assert.equal(segmentSize('64MiB'), `${SEGMENT_BYTES_MIN} from default`);
    assert.equal(segmentSize('1TiB'), `${SEGMENT_BYTES_MAX} from default`);
    assert.equal(segmentSize('none'), `${SEGMENT_BYTES_MAX} from default`);
  });

  it('is the flag before the variable before the default', () => {
    assert.equal(sourceOf('port', {}, {}), '36379 from default');
    assert.equal(sourceOf('port', {}, { BIGCACHE_PORT: '81' }), '81 from BIGCACHE_PORT');
    assert.equal(sourceOf('port', { port: '80' }, { BIGCACHE_PORT: '81' }), '80 from flag');
  });

  it("is the original's DB_PATH only when nothing of ours is given", () => {
    assert.equal(sourceOf('db-path', {}, { DB_PATH: '/a' }), '/a from DB_PATH');
    assert.equal(
      sourceOf('db-path', {}, { DB_PATH: '/a', BIGCACHE_DB_PATH: '/b' }),
      '/b from BIGCACHE_DB_PATH',
    );
    assert.equal(sourceOf('db-path', { 'db-path': '/c' }, { DB_PATH: '/a' }), '/c from flag');
  });

  it('is never an empty variable, nor one that platforms set for themselves', () => {
    assert.equal(sourceOf('db-path', {}, { DB_PATH: '' }), './data from default');
    assert.equal(sourceOf('port', {}, { BIGCACHE_PORT: '', PORT: '80' }), '36379 from default');
    assert.equal(sourceOf('host', {}, { HOST: '0.0.0.0' }), '127.0.0.1 from default');
  });

  it('shields a bad variable: what is overruled is not read', () => {
    assert.equal(sourceOf('port', { port: '80' }, { BIGCACHE_PORT: 'abc' }), '80 from flag');
  });

  it('is a variable named after the flag', () => {
    assert.equal(environmentName(optionOf('allow-unprotected')), 'BIGCACHE_ALLOW_UNPROTECTED');
  });
});

describe('each type takes its own form and nothing else', () => {
  const takes = (flag: string, text: string): unknown => parseValue(optionOf(flag), text);

  it('whole numbers within bounds', () => {
    assert.equal(takes('port', '0'), 0);
    assert.equal(takes('port', '65535'), 65535);
    for (const text of ['abc', '-1', '65536', '1e3', '0x10', ' 80', '80 ', '', '+80', '8.0', '٣']) {
      assert.equal(takes('port', text), undefined, JSON.stringify(text));
    }
    assert.equal(takes('workers', '0'), undefined);
    assert.equal(takes('workers', '10000'), undefined);
  });

  it('sizes with units of 1000 and of 1024, within bounds', () => {
    assert.equal(takes('segment-size', '4194304'), 4 * MiB);
    assert.equal(takes('segment-size', '64MiB'), 64 * MiB);
    assert.equal(takes('segment-size', '64 mib'), 64 * MiB);
    assert.equal(takes('segment-size', '64MB'), 64e6);
    assert.equal(takes('max-body', '1.5GiB'), 1536 * MiB);
    for (const text of ['8G', '8GiB', '-1', 'NaN', '', '1', '5.5', '64 MiB ', 'MiB', 'Infinity']) {
      assert.equal(takes('segment-size', text), undefined, JSON.stringify(text));
    }
  });

  it('times in seconds or with a unit', () => {
    assert.equal(takes('drain-timeout', '8'), 8000);
    assert.equal(takes('drain-timeout', '1.5s'), 1500);
    assert.equal(takes('drain-timeout', '250ms'), 250);
    assert.equal(takes('drain-timeout', '2m'), 120_000);
    for (const text of ['0', '99ms', '2h', '61m', '-8', '1.5']) {
      assert.equal(takes('drain-timeout', text), undefined, JSON.stringify(text));
    }
  });

  it('switches, choices, lists and texts', () => {
    assert.equal(takes('get-admin', 'on'), true);
    assert.equal(takes('get-admin', 'off'), false);
    assert.equal(takes('get-admin', 'true'), undefined);
    assert.equal(takes('log-level', 'debug'), 'debug');
    assert.equal(takes('log-level', 'DEBUG'), undefined);
    assert.deepEqual(takes('allowed-hosts', 'a.example, b'), ['a.example', 'b']);
    for (const text of ['', 'a,,b', 'a:80', 'http://a', 'a b']) {
      assert.equal(takes('allowed-hosts', text), undefined, JSON.stringify(text));
    }
    assert.deepEqual(takes('allowed-origins', 'https://a.example:8443'), [
      'https://a.example:8443',
    ]);
    assert.equal(takes('allowed-origins', 'https://a.example/'), undefined);
    assert.equal(takes('db-path', ''), undefined);
    assert.equal(takes('db-path', '/data/캐시 1'), '/data/캐시 1');
    assert.equal(takes('body-csp', 'sandbox\r\nX: 1'), undefined);
    assert.equal(takes('host', ''), undefined);
  });

  it('and what is shown of a value is read as that value again', () => {
    for (const option of OPTIONS) {
      if (option.type === 'list') continue;
      assert.equal(parseValue(option, showValue(option, option.default)), option.default);
    }
    assert.equal(showValue(optionOf('max-body'), 1000), '1000B');
    assert.equal(showValue(optionOf('drain-timeout'), 1500), '1500ms');
    assert.equal(showValue(optionOf('allowed-hosts'), ['a', 'b']), 'a,b');
  });
});

describe('a value that cannot be taken', () => {
  it('is refused by the name of the flag', () => {
    assert.throws(
      () => resolveOptions({ port: 'abc' }, {}),
      new UsageError('--port takes a whole number from 0 to 65535, not "abc"'),
    );
  });

  it('is refused by the name of the variable it came from', () => {
    assert.throws(
      () => resolveOptions({}, { BIGCACHE_SEGMENT_SIZE: '8G' }),
      new UsageError('BIGCACHE_SEGMENT_SIZE takes a size from 4MiB to 256MiB, or auto, not "8G"'),
    );
    assert.throws(
      () => resolveOptions({}, { DB_PATH: 'a\nb' }),
      /^UsageError: DB_PATH takes a path/,
    );
  });

  it('is named as a Kubernetes service link when it looks like one', () => {
    assert.throws(
      () => resolveOptions({}, { BIGCACHE_PORT: 'tcp://10.0.0.1:36379' }),
      /BIGCACHE_PORT takes .*enableServiceLinks: false/,
    );
  });

  it('is shortened to one readable line', () => {
    assert.throws(
      () => resolveOptions({ port: 'x\n'.repeat(5000) }, {}),
      (error: Error) => error.message.length < 250 && !error.message.includes('\n'),
    );
  });
});

describe('listening beyond loopback', () => {
  const check = (flags: Record<string, string>) => () =>
    refuseUnprotected(resolveOptions(flags, {}).config);

  it('needs --allow-unprotected', () => {
    for (const host of ['0.0.0.0', '::', '192.168.0.1', 'example.org', '127.0.0.1.nip.io', '::2']) {
      assert.throws(check({ host }), (error) => {
        assert.ok(error instanceof CannotRunError);
        assert.match(error.message, /--host .*--allow-unprotected/);
        return true;
      });
      assert.doesNotThrow(check({ host, 'allow-unprotected': 'on' }));
    }
  });

  it('is not what a loopback address does', () => {
    for (const host of ['127.0.0.1', '127.8.8.8', '::1', 'localhost', 'LOCALHOST']) {
      assert.doesNotThrow(check({ host }));
    }
  });
});
