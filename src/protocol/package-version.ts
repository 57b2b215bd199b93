/**
 * The version of this package, for `--version`, the log and the OpenAPI document.
 */
import { readFileSync } from 'node:fs';

function readVersion(): string {
  const file = readFileSync(new URL('../../package.json', import.meta.url), 'utf8');
  return (JSON.parse(file) as { version: string }).version;
}

export const PACKAGE_VERSION = readVersion();
