/**
 * The yardstick: fastify in as many workers, with nothing behind it. A read is answered from memory, a
 * read below `/pickle/missing/` with 404; a write is taken whole and answered with a small JSON. Pages
 * are read at the start, and sent as gzip to who accepts it.
 * Arguments: port, number of workers, bytes of a body, directory of the pages.
 */
import cluster from 'node:cluster';
import { randomBytes } from 'node:crypto';
import Fastify from 'fastify';
import { readPages } from '../pages.ts';

const [port = 0, workers = 1, bodyBytes = 1024] = process.argv.slice(2, 5).map(Number);
const [pagesDirectory = ''] = process.argv.slice(5);

interface KeyParams {
  readonly '*': string;
}

function startWorkers(): void {
  // As the server does it: each worker accepts for itself.
  cluster.schedulingPolicy = cluster.SCHED_NONE;
  let listening = 0;
  cluster.on('listening', (_, address) => {
    listening += 1;
    if (listening < workers) return;
    process.stdout.write(`${JSON.stringify({ url: `http://127.0.0.1:${address.port}` })}\n`);
  });
  for (let nth = 0; nth < workers; nth++) cluster.fork();
  // The parent's end of this pipe closes with the parent, however it ends.
  process.stdin.resume().on('end', () => process.exit(0));
  process.on('SIGTERM', () => process.exit(0));
}

async function serve(): Promise<void> {
  const app = Fastify();
  const body = randomBytes(bodyBytes);
  const pages = readPages(pagesDirectory);
  app.removeAllContentTypeParsers();
  app.addContentTypeParser('*', { parseAs: 'buffer' }, (_request, whole, done) => {
    done(null, whole);
  });
  app.get<{ Params: KeyParams }>('/pickle/*', (request, reply) => {
    if (request.params['*'].startsWith('missing/')) {
      return reply.code(404).send({ detail: 'cache miss', code: 'CACHE_MISS' });
    }
    return reply.header('content-type', 'application/octet-stream').send(body);
  });
  app.post<{ Params: KeyParams }>('/pickle/*', (request, reply) =>
    reply.send({ key: request.params['*'], expire: 'not set' }),
  );
  app.get<{ Params: KeyParams }>('/v1/entries/*', (request, reply) => {
    const page = pages.get(request.params['*']);
    if (page === undefined) return reply.code(404).send({ code: 'CACHE_MISS' });
    reply.header('content-type', 'text/html').header('vary', 'accept-encoding');
    if (request.headers['accept-encoding'] !== 'gzip') return reply.send(page.plain);
    return reply.header('content-encoding', 'gzip').send(page.gzip);
  });
  await app.listen({ port, host: '127.0.0.1' });
}

if (cluster.isPrimary) startWorkers();
else await serve();
