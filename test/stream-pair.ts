/**
 * A pipe in memory, for tests of what speaks over a channel.
 */
import { Duplex } from 'node:stream';

/** Two ends of a pipe in memory: what is written to one is read from the other. */
export function streamPair(): [Duplex, Duplex] {
  const ends: Duplex[] = [];
  const end = (other: () => Duplex | undefined): Duplex => {
    let onRead: () => void = () => undefined;
    const duplex = new Duplex({
      read: () => onRead(),
      write: (chunk: Buffer, _encoding, done) => {
        const peer = other();
        if (peer === undefined || peer.destroyed) return done();
        if (peer.push(Buffer.from(chunk))) return done();
        (peer as Duplex & { resumeWriter: () => void }).resumeWriter = () => done();
      },
      final: (done) => {
        other()?.push(null);
        done();
      },
      destroy: (error, done) => {
        const peer = other();
        if (peer !== undefined && !peer.destroyed && !peer.readableEnded) peer.push(null);
        done(error);
      },
    });
    onRead = () => {
      const resumable = duplex as Duplex & { resumeWriter?: () => void };
      const resume = resumable.resumeWriter;
      delete resumable.resumeWriter;
      resume?.();
    };
    ends.push(duplex);
    return duplex;
  };
  const left = end(() => ends[1]);
  const right = end(() => ends[0]);
  return [left, right];
}
