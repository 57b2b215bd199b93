/** Which bodies are worth compressing, by their Content-Type and by their bytes. Any process runs it. */
import { type EntryMeta, Kind } from '../../protocol/record.ts';

/**
 * `likely` for text in any form, `never` for what is compressed already, `unknown` for types that say
 * nothing of their bytes: then the bytes themselves are looked at.
 */
export type Compressibility = 'likely' | 'never' | 'unknown';

/** Types beside `text/*` and those with these suffixes whose bodies are text or as repetitive. */
const LIKELY =
  /^(?:text\/.+|.+\/.+\+(?:json|xml|yaml|text)|application\/(?:json|json-seq|xml|xml-dtd|(?:x-)?javascript|ecmascript|(?:x-)?ndjson|jsonl|graphql|sql|rtf|(?:x-)?yaml|toml|wasm|x-www-form-urlencoded|vnd\.ms-fontobject|manifest)|image\/(?:svg|bmp|x-icon|vnd\.microsoft\.icon)|font\/(?:ttf|otf|sfnt)|message\/.+)$/;

/** Types whose formats compress by themselves. */
const NEVER =
  /^(?:image\/(?:jpeg|jpg|pjpeg|png|apng|gif|webp|avif|heic|heif|jxl|jp2)|video\/.+|audio\/(?!wav|x-wav|midi).+|font\/woff2?|application\/(?:font-woff2?|zip|.+\+zip|gzip|x-gzip|.+\+gzip|x-7z-compressed|x-bzip2?|x-xz|zstd|x-zstd|vnd\.rar|x-rar-compressed|java-archive|epub\+zip|pdf|ogg|vnd\.openxmlformats-officedocument\..+|vnd\.oasis\.opendocument\..+))$/;

/** Judged by what the writer says of the body. */
export function compressibilityOf({
  kind,
  contentType,
}: Pick<EntryMeta, 'kind' | 'contentType'>): Compressibility {
  if (kind === Kind.json) return 'likely';
  if (contentType === null) return 'unknown';
  const [type = ''] = contentType.split(';', 1);
  const name = type.trim().toLowerCase();
  if (LIKELY.test(name)) return 'likely';
  return NEVER.test(name) ? 'never' : 'unknown';
}

const SAMPLE_BYTES = 4096;
/** Text has 4 to 5.5 bits of entropy a byte, what is compressed or encrypted more than 7.9. */
const ENTROPY_BITS_MAX = 6.5;

/**
 * Whether bytes look as if they could be compressed, told in some 10 us from how often each value
 * occurs in a sample from their middle.
 */
export function looksCompressible(bytes: Buffer): boolean {
  const from = Math.max(0, Math.floor((bytes.length - SAMPLE_BYTES) / 2));
  const sample = bytes.subarray(from, from + SAMPLE_BYTES);
  return sample.length > 0 && entropyBits(sample) <= ENTROPY_BITS_MAX;
}

/** Shannon entropy of the values of single bytes, in bits for each. */
function entropyBits(sample: Buffer): number {
  const counts = new Uint32Array(256);
  // By index: an iterator over the bytes takes three times as long.
  for (let at = 0; at < sample.length; at++) {
    const value = sample[at] as number;
    counts[value] = (counts[value] as number) + 1;
  }
  let weighted = 0;
  for (const count of counts) {
    if (count > 0) weighted += count * Math.log2(count);
  }
  return Math.log2(sample.length) - weighted / sample.length;
}
