/**
 * Fills a store over several connections, each with one request under way: new keys, overwrites and
 * removals of recent ones, until so many bytes of bodies are acknowledged.
 */
import assert from 'node:assert/strict';
import { LoadConnection } from '../../../bench/load-connection.ts';
import type { Bodies } from './bodies.ts';
import { isBusy, type RecentKey, type RecentKeys } from './recent-keys.ts';

const OVERWRITE_SHARE = 0.2;
const REMOVAL_SHARE = 0.1;
/** Recent keys that are looked at for one that nobody else changes. */
const ATTEMPTS = 4;

export interface FillOptions {
  readonly port: number;
  readonly connections: number;
  /** Bytes of bodies. */
  readonly bytes: number;
  readonly bodies: Bodies;
  readonly recent: RecentKeys;
  readonly random: () => number;
}

export interface Filled {
  bytes: number;
  writes: number;
  overwrites: number;
  removals: number;
  /** Answers by status, of writes and of removals. */
  readonly statuses: Map<string, number>;
}

type Operation = 'write' | 'overwrite' | 'removal';

/** Resolves when all is acknowledged; rejects when a connection fails. */
export async function fill(options: FillOptions): Promise<Filled> {
  const filled: Filled = { bytes: 0, writes: 0, overwrites: 0, removals: 0, statuses: new Map() };
  await Promise.all(Array.from({ length: options.connections }, () => runWriter(options, filled)));
  return filled;
}

function runWriter(options: FillOptions, filled: Filled): Promise<void> {
  const { bodies, recent } = options;
  return new Promise((resolve, reject) => {
    let operation: Operation = 'write';
    let target: RecentKey | undefined;
    let bytes = 0;
    const next = (): void => {
      if (filled.bytes >= options.bytes) {
        connection.close();
        resolve();
        return;
      }
      [operation, target] = choose(options);
      const number = recent.send(target);
      if (operation === 'removal') {
        bytes = 0;
        connection.send(
          `DELETE /pickle/${target.key} HTTP/1.1\r\nHost: localhost\r\n\r\n`,
          undefined,
        );
        return;
      }
      const { stamp, filler } = bodies.of(target.key, number);
      bytes = stamp.length + filler.length;
      const head = `POST /pickle/${target.key} HTTP/1.1\r\nHost: localhost\r\n`;
      connection.send(`${head}Content-Length: ${bytes}\r\n\r\n${stamp}`, filler);
    };
    const answered = (status: number): void => {
      const what = `${operation === 'removal' ? 'DELETE' : 'POST'} ${status}`;
      filled.statuses.set(what, (filled.statuses.get(what) ?? 0) + 1);
      assert.ok(target !== undefined);
      // What was refused stays in doubt, and the key is left alone.
      if (status === 200 || (status === 404 && operation === 'removal')) {
        target.acknowledged = target.sent;
        target.isRemoved = operation === 'removal';
        filled.bytes += bytes;
        filled[`${operation}s`] += 1;
      }
      next();
    };
    const connection = new LoadConnection(options.port, {
      onResponse: (_, status) => answered(status),
      onFailure: (_, reason) => reject(new Error(reason)),
    });
    void connection.opened.then(next);
  });
}

function choose({ recent, random }: FillOptions): [Operation, RecentKey] {
  const drawn = random();
  if (drawn < OVERWRITE_SHARE + REMOVAL_SHARE) {
    for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
      const target = recent.any();
      if (target === undefined || isBusy(target)) continue;
      return [drawn < OVERWRITE_SHARE ? 'overwrite' : 'removal', target];
    }
  }
  return ['write', recent.add()];
}
