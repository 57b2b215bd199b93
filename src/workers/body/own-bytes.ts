/** The bytes in an ArrayBuffer of their own, which can be moved to another thread. */
export function ownBytes(body: Buffer): ArrayBuffer {
  const { buffer } = body;
  const isWhole = body.byteLength === buffer.byteLength && buffer instanceof ArrayBuffer;
  return isWhole ? buffer : new Uint8Array(body).buffer;
}
