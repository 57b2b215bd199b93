/** Nine thousand cases of what the long run has a million of. */
import { describeCodecs } from './codecs.ts';

describeCodecs(9000);
