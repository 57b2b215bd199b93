/** Placeholder; replaced when its branch is merged. */
export class Visited {
  readonly shared: SharedArrayBuffer;
  readonly #bits: Uint8Array;
  private constructor(shared: SharedArrayBuffer) {
    this.shared = shared;
    this.#bits = new Uint8Array(shared);
  }
  static async load(_path: string): Promise<Visited> {
    return new Visited(new SharedArrayBuffer(16 * 1024 * 1024));
  }
  static over(shared: SharedArrayBuffer): Visited {
    return new Visited(shared);
  }
  #at(key: string): number {
    let h = 2166136261;
    for (let i = 0; i < key.length; i++) h = Math.imul(h ^ key.charCodeAt(i), 16777619);
    return (h >>> 0) & 0x7ffffff;
  }
  mark(key: string): void {
    const at = this.#at(key);
    this.#bits[at >> 3] = (this.#bits[at >> 3] ?? 0) | (1 << (at & 7));
  }
  has(key: string): boolean {
    const at = this.#at(key);
    return ((this.#bits[at >> 3] ?? 0) & (1 << (at & 7))) !== 0;
  }
  clear(key: string): void {
    const at = this.#at(key);
    this.#bits[at >> 3] = (this.#bits[at >> 3] ?? 0) & ~(1 << (at & 7));
  }
  async save(): Promise<boolean> {
    return true;
  }
}
