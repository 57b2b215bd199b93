/** A hundred thousand spoilt requests, byte for byte; BIGCACHE_FUZZ_CASES has it send as many as it says. */
import { itSendsSpoiltRequests } from './http-bytes.ts';

itSendsSpoiltRequests(100_000);
