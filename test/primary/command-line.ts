/** Command lines, run in this process, with a server that only notes its configuration. */
import assert from 'node:assert/strict';
import { cli } from '../../src/primary/cli.ts';
import type { Config } from '../../src/protocol/config.ts';

export interface Outcome {
  readonly code: number;
  readonly out: string;
  readonly err: string;
  /** What the server was started with, when it was. */
  readonly config: Config | undefined;
}

export async function run(
  args: readonly string[],
  { env = {}, forked = false, serve = async (_config: Config) => 0 } = {},
): Promise<Outcome> {
  let [out, err] = ['', ''];
  let config: Config | undefined;
  const code = await cli(args, {
    env,
    forked,
    out: (text) => {
      out += text;
    },
    err: (text) => {
      err += text;
    },
    serve: (given) => {
      config = given;
      return serve(given);
    },
  });
  return { code, out, err, config };
}

/** The command line is refused with one line that matches, before any server is started. */
export async function refuses(
  args: readonly string[],
  code: number,
  message: RegExp,
  given: Parameters<typeof run>[1] = {},
): Promise<void> {
  const outcome = await run(args, given);
  assert.equal(outcome.code, code, `${args.join(' ')}: ${outcome.err}`);
  assert.match(outcome.err, /^bigcache: [^\n]+\n$/);
  assert.match(outcome.err, message);
  assert.equal(outcome.out, '');
  assert.equal(outcome.config, undefined);
}
