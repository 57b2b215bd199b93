/** The control socket: who may use it, what it answers, and that nothing that arrives there does harm. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { existsSync, lstatSync } from 'node:fs';
import { link, mkdir, unlink, writeFile } from 'node:fs/promises';
import { connect, createServer, type Socket } from 'node:net';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { ControlClient } from '../../../src/primary/control/control-client.ts';
import { controlPath } from '../../../src/primary/control/control-path.ts';
import { ControlServer, type ControlService } from '../../../src/primary/control/control-server.ts';
import { LINE_BYTES_MAX, parseRequest } from '../../../src/primary/control/messages.ts';
import { CannotRunError } from '../../../src/primary/exit.ts';
import { BigCacheError } from '../../../src/protocol/errors.ts';
import { randomFrom, testSeed } from '../../e2e/chaos/random.ts';
import { eventually } from '../../eventually.ts';
import { temporaryDirectory } from '../../temporary-directory.ts';
import { SILENT } from '../store/store-setup.ts';

type Test = Parameters<typeof temporaryDirectory>[0];

const STATUS = { pid: 1, version: '0', uptimeMs: 2 };
const BACKUP = { op: 'backup', to: '/backup', bytesPerSecond: 1024 * 1024 } as const;
const answering: ControlService = { serve: async () => STATUS };

async function listening(
  t: Test,
  service: ControlService = answering,
  name = '',
  requestMs = 5000,
): Promise<{ server: ControlServer; directory: string }> {
  const directory = join(await temporaryDirectory(t), name);
  await mkdir(directory, { recursive: true });
  const server = await ControlServer.start({ directory, service, log: SILENT, requestMs });
  t.after(() => server.stop());
  return { server, directory };
}

/** A bare connection; `closed` resolves when it is over, however soon. */
async function connection(
  directory: string,
): Promise<{ socket: Socket; closed: Promise<unknown>; text: () => string }> {
  const place = await controlPath(directory);
  const socket = connect({ path: place.path });
  let text = '';
  socket.on('error', () => undefined);
  socket.on('data', (chunk: Buffer) => {
    text += chunk.toString();
  });
  const closed = new Promise((resolve) => socket.on('close', resolve));
  await once(socket, 'connect');
  await place.close();
  return { socket, closed, text: () => text };
}

/** What comes back for `bytes`, until the server ends the connection. */
async function answerTo(directory: string, bytes: Buffer | string): Promise<string> {
  const { socket, closed, text } = await connection(directory);
  socket.write(bytes);
  await closed;
  return text();
}

async function asked(directory: string): Promise<unknown> {
  const client = await ControlClient.connect(directory);
  assert.ok(client !== undefined, 'the server listens');
  return await client.ask({ op: 'status' });
}

describe('the control socket', () => {
  it('belongs to the user of the server alone, and goes with it', async (t) => {
    const { server, directory } = await listening(t);
    const path = join(directory, '.control');
    assert.equal(lstatSync(path).mode & 0o777, 0o600);
    assert.deepEqual(await asked(directory), STATUS);
    await server.stop();
    assert.ok(!existsSync(path));
    assert.equal(await ControlClient.connect(directory), undefined);
  });

  it('takes the place of one that a killed server left, and of a file', async (t) => {
    const directory = await temporaryDirectory(t);
    const path = join(directory, '.control');
    const killed = createServer().listen(path);
    await once(killed, 'listening');
    // A socket file that nobody listens on: a second name outlives the first.
    await link(path, `${path}-kept`);
    await new Promise((resolve) => killed.close(resolve));
    await link(`${path}-kept`, path);
    await unlink(`${path}-kept`);
    assert.equal(await ControlClient.connect(directory), undefined);
    for (const leftBefore of [true, false]) {
      if (!leftBefore) await writeFile(path, 'a file');
      const server = await ControlServer.start({ directory, service: answering, log: SILENT });
      assert.deepEqual(await asked(directory), STATUS);
      await server.stop();
    }
  });

  it('works in a directory whose path is longer than that of a socket may be', async (t) => {
    const { directory } = await listening(t, answering, `${'a'.repeat(200)}/${'b'.repeat(200)}`);
    assert.ok(directory.length > 400);
    assert.deepEqual(await asked(directory), STATUS);
  });

  it('is not there where there is no store', async (t) => {
    assert.equal(await ControlClient.connect(join(await temporaryDirectory(t), 'none')), undefined);
  });
});

describe('a command', () => {
  it('gets the progress, then the result', async (t) => {
    const service: ControlService = {
      serve: async (request, _signal, onProgress) => {
        assert.deepEqual(request, BACKUP);
        onProgress({ share: 0.25, entries: 1 });
        onProgress({ share: 1, entries: 4 });
        return STATUS;
      },
    };
    const { directory } = await listening(t, service);
    const client = await ControlClient.connect(directory);
    const shares: number[] = [];
    const onProgress = ({ share }: { share: number }) => shares.push(share);
    assert.deepEqual(await client?.ask(BACKUP, { onProgress }), STATUS);
    assert.deepEqual(shares, [0.25, 1]);
  });

  it('is told why it cannot be carried out, and of a defect that the log has it', async (t) => {
    const failures = [
      new CannotRunError('it is not empty'),
      new BigCacheError('STORE_CLOSED', 'The store is closed.'),
      new TypeError('x is not a function'),
    ];
    const service = { serve: () => Promise.reject(failures.shift()) };
    const { directory } = await listening(t, service);
    for (const message of [/it is not empty/, /The store is closed/, /the log of the server/]) {
      const client = await ControlClient.connect(directory);
      await assert.rejects(async () => client?.ask(BACKUP), { name: 'CannotRunError', message });
    }
  });

  it('that goes away cancels what it asked for', async (t) => {
    let reason: unknown;
    const service: ControlService = {
      serve: (_request, signal) =>
        new Promise((_, reject) => {
          signal.addEventListener('abort', () => {
            reason = signal.reason;
            reject(signal.reason);
          });
        }),
    };
    const { directory } = await listening(t, service);
    const client = await ControlClient.connect(directory);
    const asking = client?.ask(BACKUP);
    setTimeout(() => client?.close(), 50);
    await assert.rejects(async () => asking, /ended before the backup was done/);
    await eventually(() => reason !== undefined);
    assert.match(String(reason), /the command has ended/);
  });

  it('is cancelled by a stop of the server, which waits until that is done', async (t) => {
    const steps: string[] = [];
    const service: ControlService = {
      serve: async (_request, signal) => {
        await once(signal, 'abort');
        await new Promise((resolve) => setTimeout(resolve, 50));
        steps.push('cleaned up');
        throw signal.reason;
      },
    };
    const { server, directory } = await listening(t, service);
    const client = await ControlClient.connect(directory);
    const asking = client?.ask(BACKUP).catch((error: Error) => error.message);
    await new Promise((resolve) => setTimeout(resolve, 50));
    await server.stop();
    steps.push('stopped');
    assert.deepEqual(steps, ['cleaned up', 'stopped']);
    assert.match(String(await asking), /the server ended/);
  });
});

describe('what is no request', () => {
  const HOSTILE: Readonly<Record<string, Buffer | string>> = {
    'an empty line': '\n',
    'no JSON': 'backup /etc\n',
    'a JSON that is no object': '[1,2]\n',
    null: 'null\n',
    'an unknown operation': '{"op":"unlink","path":"/"}\n',
    'a name of the prototype': '{"op":"__proto__"}\n',
    'a relative path': '{"op":"backup","to":"backup","bytesPerSecond":1048576}\n',
    'a path with a zero': '{"op":"backup","to":"/a\\u0000b","bytesPerSecond":1048576}\n',
    'a path that is a number': '{"op":"backup","to":7,"bytesPerSecond":1048576}\n',
    'a path that is too long': `{"op":"backup","to":"/${'a'.repeat(5000)}","bytesPerSecond":1048576}\n`,
    'no rate': '{"op":"backup","to":"/backup"}\n',
    'a rate of nothing': '{"op":"backup","to":"/backup","bytesPerSecond":0}\n',
    'a rate that is no number': '{"op":"backup","to":"/backup","bytesPerSecond":"1048576"}\n',
    'a rate that is huge': '{"op":"backup","to":"/backup","bytesPerSecond":1e300}\n',
    'more than a request': '{"op":"status","force":true}\n',
    'two requests at once': '{"op":"status"}\n{"op":"status"}\n',
    'a line that is too long': `${'x'.repeat(LINE_BYTES_MAX + 1)}`,
    'a line that is too long, with its end': `{"op":"status","x":"${'x'.repeat(LINE_BYTES_MAX)}"}\n`,
    'deep nesting': `${'['.repeat(30_000)}\n`,
    'bytes that are no text': Buffer.from([0xff, 0xfe, 0x00, 0x0a]),
  };

  for (const [name, bytes] of Object.entries(HOSTILE)) {
    it(`(${name}) is answered with REQUEST_INVALID, and the next one is served`, async (t) => {
      const service = { serve: () => assert.fail('nothing is carried out') };
      const { directory } = await listening(t, service);
      const answer = JSON.parse(await answerTo(directory, bytes));
      assert.equal(answer.error.code, 'REQUEST_INVALID');
      assert.match(await answerTo(directory, '\n'), /REQUEST_INVALID/);
    });
  }

  it('(random bytes) does no harm, whatever their number', async (t) => {
    const seed = testSeed();
    t.diagnostic(`seed ${seed}`);
    const random = randomFrom(seed);
    const { directory } = await listening(t, answering, '', 200);
    for (let round = 0; round < 100; round++) {
      const bytes = Buffer.from(
        Array.from({ length: Math.floor(random() * 2000) }, () => Math.floor(random() * 256)),
      );
      const answer = await answerTo(directory, Buffer.concat([bytes, Buffer.from('\n')]));
      assert.doesNotMatch(answer, /result/, `seed ${seed}`);
    }
    assert.deepEqual(await asked(directory), STATUS);
  });

  it('(a byte now and then, or none) loses its connection', async (t) => {
    const { directory } = await listening(t, answering, '', 100);
    assert.equal(await answerTo(directory, '{"op":'), '');
    assert.deepEqual(await asked(directory), STATUS);
  });

  it('(more bytes after the request) ends the connection and cancels the work', async (t) => {
    let isCancelled = false;
    const service: ControlService = {
      serve: async (_request, signal) => {
        await once(signal, 'abort');
        isCancelled = true;
        throw signal.reason;
      },
    };
    const { directory } = await listening(t, service);
    const { socket, closed } = await connection(directory);
    socket.write(`${JSON.stringify(BACKUP)}\n`);
    await new Promise((resolve) => setTimeout(resolve, 50));
    socket.write('more');
    await closed;
    await eventually(() => isCancelled);
  });

  it('(the ninth connection) is dropped, and there is room again later', async (t) => {
    const { directory } = await listening(t);
    const sockets: Socket[] = [];
    for (let nth = 0; nth < 8; nth++) sockets.push((await connection(directory)).socket);
    assert.equal(await answerTo(directory, '{"op":"status"}\n'), '');
    for (const socket of sockets) socket.destroy();
    await eventually(async () => (await answerTo(directory, '{"op":"status"}\n')) !== '');
  });
});

describe('a request', () => {
  it('may name a path of 4,095 bytes, each of them escaped', () => {
    const to = `/${'\u0001'.repeat(4094)}`;
    const line = JSON.stringify({ ...BACKUP, to });
    assert.ok(line.length <= LINE_BYTES_MAX);
    assert.deepEqual(parseRequest(line), { ...BACKUP, to });
  });
});
