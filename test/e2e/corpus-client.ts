/**
 * A client process of the corpus test: stores its pages through the original's face, or reads them
 * back and compares. Pages that are not UTF-8 go as raw bytes, as the original's client sends them.
 */
import { isUtf8 } from 'node:buffer';
import { readFileSync } from 'node:fs';
import type { CorpusTask } from './corpus.slow.ts';

async function store(url: string, page: string): Promise<number> {
  const bytes = readFileSync(page);
  const isText = isUtf8(bytes);
  const answer = await fetch(`${url}/${isText ? 'cache' : 'pickle'}${page}?page=1`, {
    method: 'POST',
    ...(isText ? { headers: { 'content-type': 'application/json' } } : {}),
    body: isText ? JSON.stringify({ value: bytes.toString(), duration: '28ds' }) : bytes,
  });
  await answer.arrayBuffer();
  if (answer.status !== 200) throw new Error(`${page}: status ${answer.status}`);
  return bytes.length;
}

async function verify(url: string, page: string): Promise<number> {
  const bytes = readFileSync(page);
  const isText = isUtf8(bytes);
  const answer = await fetch(`${url}/${isText ? 'cache' : 'pickle'}${page}?page=1`);
  if (answer.status !== 200) throw new Error(`${page}: status ${answer.status}`);
  let read: Buffer;
  if (isText) {
    const entry = (await answer.json()) as { value: string; expire: number; duration: string };
    const daysLeft = (entry.expire - Date.now() / 1000) / 86_400;
    if (entry.duration !== '28ds' || daysLeft > 28 || daysLeft < 27.9) {
      throw new Error(`${page}: ${entry.duration}, ${daysLeft} days left`);
    }
    read = Buffer.from(entry.value);
  } else {
    read = Buffer.from(await answer.arrayBuffer());
  }
  if (!read.equals(bytes)) throw new Error(`${page}: not equal`);
  return bytes.length;
}

process.once('message', async ({ task, url, pages }: CorpusTask) => {
  let bytes = 0;
  try {
    const handle = task === 'store' ? store : verify;
    for (const page of pages) bytes += await handle(url, page);
    process.send?.({ bytes });
  } catch (error) {
    process.send?.({ bytes, error: String(error) });
  }
  process.disconnect();
});
