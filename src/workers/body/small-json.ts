/** The small JSON bodies of routes that take a few members: read whole, and exactly. Runs in workers. */
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { RouteDeps } from '../deps.ts';
import { jsonMembers } from '../exact/json.ts';
import type { Members } from '../exact/values.ts';
import { requireJson } from '../json/media-type.ts';
import { Upload } from './upload.ts';

const BYTES_MAX = 16 * 1024;
const NONE: Members = new Map();

/**
 * The members of the object that the request brings; none of an empty body.
 *
 * Rejects with MEDIA_TYPE_UNSUPPORTED, BODY_INVALID, and as Upload.collect does.
 */
export async function smallJsonOf(
  { uploads, config }: Pick<RouteDeps, 'uploads' | 'config'>,
  request: FastifyRequest,
  reply: FastifyReply,
): Promise<Members> {
  requireJson(request.headers);
  const bytesMax = Math.min(BYTES_MAX, config.jsonBytesMax);
  const upload = new Upload(uploads, request.raw, reply.raw, bytesMax);
  try {
    const body = await upload.collect();
    return body.length === 0 ? NONE : jsonMembers(body);
  } finally {
    upload.close();
  }
}
