/** `/v1/batch`: many operations in one request, in JSON or msgpack. */
import { isUtf8 } from 'node:buffer';
import type { IncomingHttpHeaders } from 'node:http';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { Packr } from 'msgpackr';
import { askerOf } from '../../access/principal.ts';
import { Upload } from '../../body/upload.ts';
import type { RouteDeps } from '../../deps.ts';
import { ItemsReader } from '../../exact/items-reader.ts';
import { msgpackItems } from '../../exact/msgpack.ts';
import type { Exact } from '../../exact/values.ts';
import { requireJson } from '../../json/media-type.ts';
import { sendPieces } from '../../send.ts';
import { allowSlowAnswer } from '../../slow-answers.ts';
import { isQueued, turnOf } from '../../turns.ts';
import { JSON_TYPE } from '../../wrapper.ts';
import { inStore } from '../declare.ts';
import { answerItems } from './batch-items.ts';
import type { ItemAnswer } from './batch-operations.ts';
import { AnswerRoom, BatchRoom } from './batch-room.ts';
import { BATCH_SCHEMA, BatchBody, ITEMS_MAX, MSGPACK_TYPE } from './batch-schemas.ts';

/** How a batch is written; its answer is written the same way. */
interface Form {
  readonly type: string;
  itemsOf(body: Buffer): readonly Exact[] | Promise<readonly Exact[]>;
  write(answers: readonly ItemAnswer[]): readonly Buffer[];
}

/** A batch is held whole while its items are carried out. */
const BATCH_BYTES_MAX = 16 * 1024 * 1024;
/** A control character takes six in JSON, in base64 no byte takes two. */
const ESCAPED_TIMES_MAX = 2;
const QUOTES = 2;
/** Of the text that becomes one Buffer, and goes to the socket as such. */
const PIECE_LENGTH = 64 * 1024;

const packr = new Packr({ useRecords: false, variableMapSize: true });

const MSGPACK: Form = {
  type: MSGPACK_TYPE,
  itemsOf: (body) => msgpackItems(body, ITEMS_MAX),
  // What is packed shares its memory with what is packed next.
  write: (answers) => [Buffer.from(packr.pack({ items: answers }))],
};

const jsonForm = (reader: ItemsReader): Form => ({
  type: JSON_TYPE,
  itemsOf: (body) => reader.read(body, ITEMS_MAX),
  write: (answers) => {
    const pieces: Buffer[] = [];
    let text = '{"items":[';
    answers.forEach((answer, at) => {
      text += `${at === 0 ? '' : ','}${jsonOf(answer)}`;
      if (text.length < PIECE_LENGTH) return;
      pieces.push(Buffer.from(text));
      text = '';
    });
    pieces.push(Buffer.from(`${text}]}`));
    return pieces;
  },
});

/** Bodies are text where they are valid UTF-8, else base64; integers stand as they are. */
function jsonOf({ body, value, ...plain }: ItemAnswer): string {
  const open = JSON.stringify(plain).slice(0, -1);
  if (value !== undefined) return `${open},"value":${value}}`;
  if (body === undefined) return `${open}}`;
  const text = textOf(body);
  return text === undefined
    ? `${open},"bodyBase64":"${body.toString('base64')}"}`
    : `${open},"body":${text}}`;
}

/** The body as a JSON string; undefined where it is no text, or one that mostly has to be escaped. */
function textOf(body: Buffer): string | undefined {
  if (!isUtf8(body)) return undefined;
  const text = JSON.stringify(body.toString());
  return text.length > ESCAPED_TIMES_MAX * body.length + QUOTES ? undefined : text;
}

const MSGPACK_MEDIA_TYPE = /^application\/(?:x-|vnd\.)?msgpack[ \t]*(?:;.*)?$/i;

/** What all batches of a worker share. */
interface Shared {
  readonly deps: RouteDeps;
  readonly answerRoom: AnswerRoom;
  readonly json: Form;
}

/** Throws MEDIA_TYPE_UNSUPPORTED. */
function formOf(headers: IncomingHttpHeaders, json: Form): Form {
  const isMsgpack = MSGPACK_MEDIA_TYPE.test(headers['content-type'] ?? '');
  // What holds of the encoding of JSON holds of that of msgpack.
  requireJson(isMsgpack ? { ...headers, 'content-type': 'application/json' } : headers);
  return isMsgpack ? MSGPACK : json;
}

async function perform(
  { deps, answerRoom, json }: Shared,
  request: FastifyRequest,
  reply: FastifyReply,
): Promise<void> {
  const principal = askerOf(request);
  // Answers that wait behind others of their connection would keep the room from everybody.
  if (isQueued(reply) && !(await turnOf(request.raw, reply.raw))) {
    reply.hijack();
    return;
  }
  const form = formOf(request.headers, json);
  const bytesMax = Math.min(BATCH_BYTES_MAX, deps.config.jsonBytesMax);
  const upload = new Upload(deps.uploads, request.raw, reply.raw, bytesMax);
  const room = new BatchRoom(answerRoom);
  const close = (): void => {
    room.close();
    upload.close();
  };
  try {
    const body = await upload.collect();
    allowSlowAnswer(request);
    const items = await form.itemsOf(body);
    const answers = await inStore(request, answerItems({ deps, principal, room }, items));
    const headers = { 'content-type': form.type, 'cache-control': 'no-store' };
    sendPieces(reply, headers, form.write(answers), close);
  } catch (error) {
    close();
    throw error;
  }
}

export function batchRoutes(app: FastifyInstance, deps: RouteDeps): void {
  const reader = new ItemsReader();
  app.addHook('onClose', () => reader.close());
  const shared = { deps, answerRoom: new AnswerRoom(), json: jsonForm(reader) };
  app.route({
    method: 'POST',
    url: '/v1/batch',
    config: { access: 'any', body: BatchBody, consumes: ['application/json', MSGPACK_TYPE] },
    schema: BATCH_SCHEMA,
    handler: (request, reply) => perform(shared, request, reply),
  });
}
