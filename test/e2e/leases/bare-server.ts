/**
 * The yardstick of a stampede: bare fastify in as many workers, which holds every GET until a PUT comes
 * to one of them, and then sends its body to all, from memory. Run as a process of its own; its argument
 * is the number of workers.
 */
import cluster from 'node:cluster';
import Fastify, { type FastifyReply } from 'fastify';

/** From a worker: it holds one more, or a body has come. To a worker: send this. */
type Word = 'held' | { readonly base64: string };

const workers = Number(process.argv[2] ?? 1);

/** Prints the port, then, each time the number changes, how many answers all workers hold. */
function startWorkers(): void {
  // As the server does it: each worker accepts for itself.
  cluster.schedulingPolicy = cluster.SCHED_NONE;
  let [listening, held] = [0, 0];
  cluster.on('listening', (_, { port }) => {
    listening += 1;
    if (listening === workers) process.stdout.write(`${port}\n`);
  });
  cluster.on('message', (from, word: Word) => {
    // The loader of TypeScript has words of its own.
    if (word !== 'held' && !('base64' in word)) return;
    held = word === 'held' ? held + 1 : 0;
    process.stdout.write(`${held}\n`);
    if (word === 'held') return;
    for (const worker of Object.values(cluster.workers ?? {})) {
      if (worker !== from) worker?.send(word);
    }
  });
  for (let nth = 0; nth < workers; nth++) cluster.fork();
  // The parent's end of this pipe closes with the parent, however it ends.
  process.stdin.resume().on('end', () => process.exit(0));
}

async function serve(): Promise<void> {
  const app = Fastify();
  const held: FastifyReply[] = [];
  const release = (body: Buffer): void => {
    for (const reply of held.splice(0)) void reply.type('text/html').send(body);
  };
  process.on('message', ({ base64 }: Exclude<Word, 'held'>) => {
    release(Buffer.from(base64, 'base64'));
  });
  app.removeAllContentTypeParsers();
  app.addContentTypeParser('*', { parseAs: 'buffer' }, (_request, whole, done) => {
    done(null, whole);
  });
  app.get('/held', (_request, reply) => {
    held.push(reply);
    process.send?.('held' satisfies Word);
  });
  app.put('/held', async (request) => {
    const body = request.body as Buffer;
    process.send?.({ base64: body.toString('base64') } satisfies Word);
    release(body);
    return 'released';
  });
  await app.listen({ port: 0, host: '127.0.0.1' });
}

if (cluster.isPrimary) startWorkers();
else await serve();
