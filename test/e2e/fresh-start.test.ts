/** The built server on a damaged store: refused by default, begun anew when it is told to. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync, readFileSync, truncateSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { temporaryDirectory } from '../temporary-directory.ts';
import { PRIMARY, ServerProcess } from './server-process.ts';

const identityOf = (path: string): { instanceId: string } =>
  JSON.parse(readFileSync(join(path, 'bigcache.json'), 'utf8'));

/** Runs a command of the built program. */
async function command(...args: string[]): Promise<{ code: number | null }> {
  const child = spawn(process.execPath, [PRIMARY, ...args], { stdio: 'ignore' });
  const [code] = await once(child, 'exit');
  return { code };
}

describe('a server whose index is damaged', () => {
  it('refuses to start, and with --on-corruption fresh serves an empty store and keeps the old', async (t) => {
    const path = await temporaryDirectory(t);
    const first = await ServerProcess.start(t, path, '--workers', '1');
    const put = await fetch(`${first.url}/pickle/key`, { method: 'POST', body: 'value' });
    assert.ok(put.ok);
    await first.stop();
    const manifest = readdirSync(join(path, 'index')).find((name) => name.startsWith('MANIFEST'));
    truncateSync(join(path, 'index', manifest ?? ''), 10);

    const args = ['--db-path', path, '--port', '0', '--workers', '1'];
    const refused = ServerProcess.spawn(t, args);
    assert.equal((await refused.exit()).code, 1);
    assert.match(refused.stderr, /index is damaged .*`bigcache rebuild`.*--on-corruption fresh/);
    assert.deepEqual(readdirSync(join(path, 'quarantine')), []);

    const fresh = await ServerProcess.start(t, path, '--workers', '1', '--on-corruption', 'fresh');
    assert.equal((await fetch(`${fresh.url}/pickle/key`)).status, 404);
    const again = await fetch(`${fresh.url}/pickle/key`, { method: 'POST', body: 'new' });
    assert.ok(again.ok);
    assert.ok(fresh.log.some(({ level, msg }) => level === 50 && /was moved to/.test(msg ?? '')));
    const [kept = ''] = readdirSync(join(path, 'quarantine'));
    assert.match(kept, /^damaged-\d+$/);
    assert.ok(readdirSync(join(path, 'quarantine', kept, 'segments')).length > 0);

    // The store that was begun is the one that a restore goes on with.
    const { instanceId } = identityOf(path);
    const backup = join(await temporaryDirectory(t), 'backup');
    assert.equal((await command('backup', '--db-path', path, '--to', backup)).code, 0);
    const restore = ['restore', '--db-path', path, '--from', backup, '--replace'];
    assert.equal((await command(...restore)).code, 0);
    assert.equal(identityOf(path).instanceId, instanceId);
    assert.equal(await fresh.stop(), 0);
  });
});
