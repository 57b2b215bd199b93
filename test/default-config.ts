/** The configuration that a server without any option has. */
import { resolveOptions } from '../src/primary/options.ts';

export const DEFAULT_CONFIG = resolveOptions({}, {}).config;
