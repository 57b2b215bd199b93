/** A million cases; BIGCACHE_FUZZ_CASES has it try as many as it says. */
import { describeCodecs } from './codecs.ts';

describeCodecs(1_000_000);
