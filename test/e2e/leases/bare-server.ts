/**
 * A bare fastify that holds every GET until it is told to release them all, with a body from memory: what
 * a release of many held answers takes at least. Run as a process of its own; prints its port.
 */
import type { AddressInfo } from 'node:net';
import Fastify, { type FastifyReply } from 'fastify';

const app = Fastify();
const held: FastifyReply[] = [];
let body: Buffer = Buffer.alloc(0);

app.get('/held', (_request, reply) => {
  held.push(reply);
});
app.get('/count', async () => ({ held: held.length }));
app.addContentTypeParser('*', { parseAs: 'buffer' }, (_request, received, done) => {
  done(null, received);
});
app.put('/held', async (request) => {
  body = request.body as Buffer;
  for (const reply of held.splice(0)) void reply.type('text/html').send(body);
  return 'released';
});
await app.listen({ port: 0, host: '127.0.0.1' });
process.stdout.write(`${(app.server.address() as AddressInfo).port}\n`);
