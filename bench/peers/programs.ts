/** Whether the programs are there that a peer needs. */
import { accessSync, constants } from 'node:fs';
import { delimiter, join } from 'node:path';

/** Where Debian has servers; not everyone's PATH has it. */
const FURTHER = '/usr/sbin';

/** The path of an installed program. */
export function programPath(name: string): string | undefined {
  const folders = [...(process.env['PATH'] ?? '').split(delimiter).filter(Boolean), FURTHER];
  return folders.map((folder) => join(folder, name)).find(isExecutable);
}

/** The path of a program that was found to be there. Throws where it is not. */
export function installedProgram(name: string): string {
  const path = programPath(name);
  if (path === undefined) throw new Error(`${name} is not installed`);
  return path;
}

/** One line for each of the programs that is not there; its package has the name beside it. */
export function missingPrograms(packages: Readonly<Record<string, string>>): string[] {
  return Object.entries(packages)
    .filter(([name]) => programPath(name) === undefined)
    .map(([name, from]) => `${name}: apt-get install ${from}`);
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
