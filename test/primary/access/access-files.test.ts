/** The files of tokens and TLS: read at a start, where faults end it, and again, where they do not. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { chmod, cp, mkdir, readFile, rename, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import { AccessFiles } from '../../../src/primary/access/access-files.ts';
import { AccessReload } from '../../../src/primary/access/access-reload.ts';
import { GUARDED_FILE_BYTES_MAX } from '../../../src/primary/access/guarded-file.ts';
import { checkTlsPair } from '../../../src/primary/access/tls-pair.ts';
import { CannotRunError } from '../../../src/primary/exit.ts';
import type { Access } from '../../../src/protocol/access.ts';
import { eventually } from '../../eventually.ts';
import { temporaryDirectory } from '../../temporary-directory.ts';
import { SILENT } from '../store/store-setup.ts';

const TLS = new URL('../../fixtures/tls/', import.meta.url);
const entry = (name: string) => ({
  name,
  sha256: Buffer.alloc(32, name).toString('hex'),
  scopes: ['read'],
});

interface Files {
  readonly tokens: string;
  readonly cert: string;
  readonly key: string;
  readonly said: string[];
  read(paths?: { tokens?: boolean; tls?: boolean }): Promise<AccessFiles>;
}

async function files(t: TestContext): Promise<Files> {
  const directory = await temporaryDirectory(t);
  const [tokens, cert, key] = ['tokens.json', 'cert.pem', 'key.pem'].map((name) =>
    join(directory, name),
  ) as [string, string, string];
  await writeFile(tokens, JSON.stringify([entry('one')]), { mode: 0o600 });
  await useCertificate({ cert, key }, 'one');
  const said: string[] = [];
  const log = {
    warn: (text: string) => void said.push(`warn ${text}`),
    error: (text: string) => void said.push(`error ${text}`),
  };
  const read: Files['read'] = ({ tokens: withTokens = true, tls = true } = {}) =>
    AccessFiles.read(
      {
        tokenFilePath: withTokens ? tokens : '',
        tlsCertPath: tls ? cert : '',
        tlsKeyPath: tls ? key : '',
      },
      log,
    );
  return { tokens, cert, key, said, read };
}

async function useCertificate(to: Pick<Files, 'cert' | 'key'>, name: string): Promise<void> {
  await cp(new URL(`${name}.crt`, TLS), to.cert);
  await cp(new URL(`${name}.key`, TLS), to.key);
  await chmod(to.key, 0o600);
}

const refuses = (made: Files, message: RegExp): Promise<void> =>
  assert.rejects(made.read(), (error) => {
    assert.ok(error instanceof CannotRunError);
    assert.match(error.message, message);
    return true;
  });

const names = ({ tokens }: Access): string[] | undefined => tokens?.map(({ name }) => name);

describe('a start', () => {
  it('reads what it is given, and nothing else', async (t) => {
    const made = await files(t);
    const { current } = await made.read();
    assert.deepEqual(names(current), ['one']);
    assert.match(current.tls?.cert ?? '', /BEGIN CERTIFICATE/);
    const none = await made.read({ tokens: false, tls: false });
    assert.deepEqual(none.current, { tokens: null, tls: null });
    assert.equal(none.isEmpty, true);
    assert.deepEqual(made.said, []);
  });

  it('is refused by the flag and the path of a file that cannot be read', async (t) => {
    const made = await files(t);
    await rename(made.tokens, `${made.tokens}.away`);
    await refuses(made, /^--token-file .*tokens\.json: there is no such file$/);
    await mkdir(made.tokens);
    await refuses(made, /^--token-file .*: it is no regular file$/);
  });

  it('does not wait for a named pipe', { timeout: 5000 }, async (t) => {
    const made = await files(t);
    await rename(made.tokens, `${made.tokens}.away`);
    execFileSync('mkfifo', [made.tokens]);
    await refuses(made, /it is no regular file/);
  });

  it('follows links, as those of mounted secrets', async (t) => {
    const made = await files(t);
    await rename(made.tokens, `${made.tokens}.1`);
    await symlink(`${made.tokens}.1`, made.tokens);
    assert.deepEqual(names((await made.read()).current), ['one']);
  });

  it('is refused with files that everybody may write, and warns of secrets that all may read', async (t) => {
    const made = await files(t);
    for (const file of [made.tokens, made.cert, made.key]) {
      await chmod(file, 0o602);
      await refuses(made, /everybody may write it; chmod o-w /);
      await chmod(file, 0o604);
    }
    made.said.length = 0;
    await made.read();
    assert.deepEqual(
      made.said.map((line) => line.replace(/(?<=o-r ).*\//, '')),
      [
        'warn everybody on this machine may read the token file; chmod o-r tokens.json',
        'warn everybody on this machine may read the private key; chmod o-r key.pem',
      ],
    );
  });

  it('is refused with files that are too large or no text', async (t) => {
    const made = await files(t);
    await writeFile(made.tokens, '[]'.padEnd(GUARDED_FILE_BYTES_MAX, ' '));
    await made.read();
    await writeFile(made.tokens, '[]'.padEnd(GUARDED_FILE_BYTES_MAX + 1, ' '));
    await refuses(made, /it has 1048577 bytes; 1048576 are the most/);
    await writeFile(made.tokens, Buffer.from([0xff, 0xfe, 0x5b]));
    await refuses(made, /it is no UTF-8/);
  });

  it('names the entry that is wrong', async (t) => {
    const made = await files(t);
    await writeFile(made.tokens, JSON.stringify([entry('one'), { ...entry('two'), scopes: [] }]));
    await refuses(made, /^--token-file .*tokens\.json: entry 2 \("two"\): scopes must/);
  });

  it('warns of a list that allows nobody anything', async (t) => {
    const made = await files(t);
    await writeFile(made.tokens, '[]');
    assert.deepEqual(names((await made.read()).current), []);
    assert.match(made.said[0] ?? '', /nobody may do anything/);
  });

  it('is refused with a certificate and a key that cannot be used together', async (t) => {
    const made = await files(t);
    const [cert, key] = [await readFile(made.cert, 'utf8'), await readFile(made.key, 'utf8')];
    await writeFile(made.cert, 'nothing');
    await refuses(made, /^--tls-cert holds no certificate in PEM/);
    await writeFile(made.cert, key);
    await refuses(made, /^--tls-cert holds no certificate in PEM/);
    await writeFile(made.cert, cert);
    await writeFile(made.key, cert);
    await refuses(made, /^--tls-key holds no private key in PEM/);
    await cp(new URL('two.key', TLS), made.key);
    await refuses(made, /^--tls-key is not the key of --tls-cert/);
  });
});

describe('a certificate', () => {
  it('that is out of its time is warned about', async () => {
    const cert = await readFile(new URL('one.crt', TLS), 'utf8');
    const key = await readFile(new URL('one.key', TLS), 'utf8');
    const warningAt = (date: string): string | undefined =>
      checkTlsPair({ cert, key }, Date.parse(date)).warning;
    assert.match(warningAt('2300-01-01') ?? '', /^the certificate is valid until /);
    assert.match(warningAt('2000-01-01') ?? '', /^the certificate is valid from /);
    assert.equal(warningAt('2050-01-01'), undefined);
  });
});

describe('a reload', () => {
  it('takes what changed', async (t) => {
    const made = await files(t);
    const access = await made.read();
    const before = access.current;
    await writeFile(made.tokens, JSON.stringify([entry('two'), entry('three')]));
    await useCertificate(made, 'two');
    const after = await access.reload();
    assert.deepEqual(names(after), ['two', 'three']);
    assert.notEqual(after.tls?.cert, before.tls?.cert);
    assert.equal(access.current, after);
    assert.deepEqual(made.said, []);
  });

  it('keeps what a broken file replaces, takes the other, and says so', async (t) => {
    const made = await files(t);
    const access = await made.read();
    await writeFile(made.tokens, '[{');
    await useCertificate(made, 'two');
    const { tls } = await access.reload();
    assert.deepEqual(names(access.current), ['one']);
    assert.equal(tls?.cert, await readFile(new URL('two.crt', TLS), 'utf8'));
    await writeFile(made.tokens, JSON.stringify([entry('two')]));
    await writeFile(made.key, 'nothing');
    await access.reload();
    assert.deepEqual(names(access.current), ['two']);
    assert.equal(access.current.tls?.cert, tls?.cert);
    assert.equal(made.said.length, 2);
    assert.match(made.said[0] ?? '', /^error the tokens stay as they were: --token-file .*no JSON/);
    assert.match(made.said[1] ?? '', /^error certificate and key stay as they were: --tls-key/);
  });

  it('that is asked for during another comes once after it', async (t) => {
    const made = await files(t);
    const reload = new AccessReload(await made.read(), SILENT);
    const taken: Access[] = [];
    reload.tell({ takeAccess: async (access) => void taken.push(access) });
    for (let times = 0; times < 5; times++) reload.request();
    await writeFile(made.tokens, JSON.stringify([entry('last')]));
    reload.request();
    await eventually(() => taken.length === 2);
    assert.deepEqual(names(taken[1] ?? { tokens: null, tls: null }), ['last']);
    reload.request();
    await eventually(() => taken.length === 3);
  });

  it('obeys SIGHUP only where there is something to read', async (t) => {
    const made = await files(t);
    const before = process.listenerCount('SIGHUP');
    const empty = new AccessReload(await made.read({ tokens: false, tls: false }), SILENT);
    empty.listen();
    assert.equal(process.listenerCount('SIGHUP'), before);
    const reload = new AccessReload(await made.read(), SILENT);
    reload.listen();
    assert.equal(process.listenerCount('SIGHUP'), before + 1);
    reload.stop();
    empty.stop();
    assert.equal(process.listenerCount('SIGHUP'), before);
  });
});
