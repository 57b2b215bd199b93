/**
 * The files of `--token-file`, `--tls-cert` and `--tls-key`: read by the primary when it starts, where
 * any fault ends the start, and again on SIGHUP, where a fault leaves in force what was.
 */
import type { Access, TlsPair, Token } from '../../protocol/access.ts';
import type { Config } from '../../protocol/config.ts';
import { CannotRunError } from '../exit.ts';
import { readGuarded } from './guarded-file.ts';
import { checkTlsPair } from './tls-pair.ts';
import { parseTokenList, TokenListError } from './token-list.ts';

type Paths = Pick<Config, 'tokenFilePath' | 'tlsCertPath' | 'tlsKeyPath'>;

export interface AccessLog {
  warn(message: string): void;
  error(message: string): void;
}

export class AccessFiles {
  readonly #paths: Paths;
  readonly #log: AccessLog;
  #current: Access;

  private constructor(paths: Paths, log: AccessLog, current: Access) {
    this.#paths = paths;
    this.#log = log;
    this.#current = current;
  }

  /** Reads the files. Throws a CannotRunError that names the file and what to do. */
  static async read(paths: Paths, log: AccessLog): Promise<AccessFiles> {
    const tokens = await readTokens(paths, log);
    const tls = await readTls(paths, log);
    return new AccessFiles(paths, log, { tokens, tls });
  }

  /** What was last read without a fault. */
  get current(): Access {
    return this.#current;
  }

  /** Whether there is anything to read. */
  get isEmpty(): boolean {
    return this.#current.tokens === null && this.#current.tls === null;
  }

  /**
   * Reads the files again. Tokens and TLS are taken each for itself: where one has a fault, it stays as
   * it was and an error is logged.
   */
  async reload(): Promise<Access> {
    const { tokens, tls } = this.#current;
    this.#current = {
      tokens: await this.#orKept(readTokens, tokens, 'the tokens'),
      tls: await this.#orKept(readTls, tls, 'certificate and key'),
    };
    return this.#current;
  }

  async #orKept<T>(
    read: (paths: Paths, log: AccessLog) => Promise<T>,
    kept: T,
    what: string,
  ): Promise<T> {
    try {
      return await read(this.#paths, this.#log);
    } catch (error) {
      if (!(error instanceof CannotRunError)) throw error;
      this.#log.error(`${what} stay as they were: ${error.message}`);
      return kept;
    }
  }
}

async function readTokens({ tokenFilePath }: Paths, log: AccessLog): Promise<Token[] | null> {
  if (tokenFilePath === '') return null;
  const { text, isWorldReadable } = await readGuarded('token-file', tokenFilePath);
  if (isWorldReadable) {
    log.warn(`everybody on this machine may read the token file; chmod o-r ${tokenFilePath}`);
  }
  let tokens: Token[];
  try {
    tokens = parseTokenList(text);
  } catch (error) {
    if (!(error instanceof TokenListError)) throw error;
    throw new CannotRunError(`--token-file ${tokenFilePath}: ${error.message}`);
  }
  if (tokens.length === 0) log.warn('the token file is an empty list: nobody may do anything');
  return tokens;
}

async function readTls(
  { tlsCertPath, tlsKeyPath }: Paths,
  log: AccessLog,
): Promise<TlsPair | null> {
  if (tlsCertPath === '') return null;
  const cert = await readGuarded('tls-cert', tlsCertPath);
  const key = await readGuarded('tls-key', tlsKeyPath);
  if (key.isWorldReadable) {
    log.warn(`everybody on this machine may read the private key; chmod o-r ${tlsKeyPath}`);
  }
  const { pair, warning } = checkTlsPair({ cert: cert.text, key: key.text }, Date.now());
  if (warning !== undefined) log.warn(`${warning}: see --tls-cert`);
  return pair;
}
