/** Grants that wait for room. */
import assert from 'node:assert/strict';
import { describe, it, mock } from 'node:test';
import { Admission } from '../../../../src/primary/store/space/admission.ts';
import { BigCacheError } from '../../../../src/protocol/errors.ts';

/** An admission over so many free bytes; grants take theirs when they are made. */
function admissionOver(freeBytes: number) {
  const room = { freeBytes, waited: 0 };
  const admission = new Admission({
    space: {
      missingFor: (bytes) => bytes - room.freeBytes,
      missingInQuota: (bytes) => bytes - room.freeBytes,
      isHopeless: (bytes) => bytes > 1000,
    },
    headroomBytes: 10,
    onWaiting: () => {
      room.waited += 1;
    },
  });
  const made: string[] = [];
  const ask = (name: string, bytes: number): Promise<void> =>
    admission.admit(bytes, async () => {
      await Promise.resolve();
      room.freeBytes -= bytes;
      made.push(name);
    });
  return { admission, room, made, ask };
}

const settle = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

describe('a grant', () => {
  it('is made at once where there is room beyond the headroom', async () => {
    const { ask, made, room } = admissionOver(110);
    await ask('one', 100);
    assert.deepEqual(made, ['one']);
    assert.equal(room.waited, 0);
  });

  it('counts those that are being made at the same moment', async () => {
    const { ask, made, room } = admissionOver(110);
    const both = [ask('one', 60), ask('two', 60)];
    await settle();
    assert.deepEqual(made, ['one']);
    assert.equal(room.waited, 1);
    await both[0];
    both[1]?.catch(() => undefined);
  });

  it('waits for room behind those that came before, also when it is small', async () => {
    const { ask, admission, made, room } = admissionOver(20);
    const waiting = [ask('large', 100), ask('small', 5)];
    await settle();
    assert.deepEqual(made, []);
    assert.equal(admission.waitingBytes, 105);
    room.freeBytes = 120;
    admission.roomMayHaveCome();
    await Promise.all(waiting);
    assert.deepEqual(made, ['large', 'small']);
  });

  it('is refused with DISK_FULL when no room has come within five seconds', async (t) => {
    mock.timers.enable({ apis: ['setTimeout'] });
    t.after(() => mock.timers.reset());
    const { ask, made } = admissionOver(0);
    const refused = assert.rejects(ask('late', 50), { code: 'DISK_FULL' });
    mock.timers.tick(5000);
    await refused;
    assert.deepEqual(made, []);
  });

  it('is refused at once when it could never fit, or when the store is closed', async () => {
    const { ask, admission } = admissionOver(0);
    await assert.rejects(ask('huge', 1001), { code: 'DISK_FULL' });
    const waiting = assert.rejects(ask('late', 50), { code: 'STORE_CLOSED' });
    admission.close(new BigCacheError('STORE_CLOSED'));
    await waiting;
  });

  it('is refused at once when it comes after the close, also where there is room', async () => {
    const { ask, admission, made, room } = admissionOver(1000);
    admission.close(new BigCacheError('STORE_CLOSED'));
    await assert.rejects(ask('after', 50), { code: 'STORE_CLOSED' });
    assert.equal(room.waited, 0);
    assert.deepEqual(made, []);
  });
});
