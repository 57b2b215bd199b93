/**
 * Where another module of this build lies, for processes and threads that are started by file name:
 * the same code runs from `src` as .ts and from `dist` as .js.
 */

/** The file URL of `path` (without extension), relative to the module whose import.meta.url is given. */
export function moduleUrl(path: string, from: string): URL {
  return new URL(path + (from.endsWith('.ts') ? '.ts' : '.js'), from);
}
