/** Three thousand spoilt requests, byte for byte. */
import { itSendsSpoiltRequests } from './http-bytes.ts';

itSendsSpoiltRequests(3000);
