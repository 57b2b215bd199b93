/** What the store takes and what works on it: segments, index, disk, reclaim, the hand, durability. */
import { byName, counter, type Family, gauge, inMs, labelled } from '../family.ts';

const STATE: readonly Family[] = [
  gauge(
    'bigcache_store_open',
    'store.open',
    '1 while the store is open; while it is closed, the other figures of the store are the last ones',
    ({ store }) => store.isOpen,
  ),
  gauge(
    'bigcache_store_writable',
    'store.writable',
    '1 while writes are taken and reach the disk; GET /readyz says the same',
    ({ store }) => store.isWritable,
  ),
  counter(
    'bigcache_index_failures_total',
    'store.indexFailures',
    'How often the index took no writes any more and had to be opened again',
    ({ store }) => store.indexFailures,
  ),
  gauge(
    'bigcache_writes_waiting',
    'store.writesWaiting',
    'Changes that wait for the write lane',
    ({ store }) => store.writesWaiting,
  ),
];

const SPACE: readonly Family[] = [
  labelled(
    'gauge',
    'bigcache_segments',
    'segments.count',
    ['state'],
    'Segment files by state: open, sealed, dropping',
    ({ store }) =>
      byName({
        open: store.segmentsOpen,
        sealed: store.segmentsSealed,
        dropping: store.segmentsDropping,
      }),
  ),
  gauge(
    'bigcache_segment_bytes',
    'segments.bytes',
    'What all segments take, open ones with all that they may grow to',
    ({ store }) => store.segmentBytes,
  ),
  gauge(
    'bigcache_segment_live_bytes',
    'segments.liveBytes',
    'What entries take in segments; the rest is garbage, or not written yet',
    ({ store }) => store.segmentLiveBytes,
  ),
  gauge(
    'bigcache_index_bytes',
    'space.indexBytes',
    'What the index takes',
    ({ store }) => store.indexBytes,
  ),
  gauge(
    'bigcache_store_bytes',
    'space.storeBytes',
    'What the store takes in all: segments, index, reserve',
    ({ store }) => store.storeBytes,
  ),
  gauge(
    'bigcache_store_limit_bytes',
    'space.storeLimitBytes',
    'What it may take, --max-size; 0 without a limit',
    ({ store }) => store.storeBytesMax,
  ),
  gauge(
    'bigcache_disk_bytes',
    'space.diskBytes',
    'Size of the disk that the store is on',
    ({ store }) => store.diskBytes,
  ),
  gauge(
    'bigcache_disk_free_bytes',
    'space.diskFreeBytes',
    'What is free on it',
    ({ store }) => store.diskFreeBytes,
  ),
  gauge(
    'bigcache_disk_free_limit_bytes',
    'space.diskFreeLimitBytes',
    'What is left free on it for others, --min-free',
    ({ store }) => store.diskFreeBytesMin,
  ),
  gauge(
    'bigcache_room_waiting_bytes',
    'space.waitingBytes',
    'What writes wait to be given room for',
    ({ store }) => store.roomWaitingBytes,
  ),
];

const WORK: readonly Family[] = [
  counter(
    'bigcache_reclaim_copied_bytes_total',
    'reclaim.copiedBytes',
    'Bytes that were copied out of segments so that these could go',
    ({ storeCounts }) => storeCounts.copiedBytes,
  ),
  counter(
    'bigcache_reclaimed_segments_total',
    'reclaim.segments',
    'Segments that were emptied by copying or evicting what they held',
    ({ storeCounts }) => storeCounts.segmentsReclaimed,
  ),
  counter(
    'bigcache_dropped_segments_total',
    'segments.dropped',
    'Segment files that were unlinked',
    ({ storeCounts }) => storeCounts.segmentsDropped,
  ),
  gauge(
    'bigcache_hand_progress_ratio',
    'hand.progress',
    'How far the scan for purged and expired entries is, from 0 to 1; 0 while it rests',
    ({ store }) => store.handProgress,
  ),
  counter(
    'bigcache_hand_rounds_total',
    'hand.rounds',
    'Scans for expired entries that have ended',
    ({ storeCounts }) => storeCounts.handRounds,
  ),
  counter(
    'bigcache_hand_passes_total',
    'hand.passes',
    'Scans for purged entries that have ended',
    ({ storeCounts }) => storeCounts.handPasses,
  ),
  counter(
    'bigcache_hand_scanned_entries_total',
    'hand.scanned',
    'Entries that either scan has looked at',
    ({ storeCounts }) => storeCounts.handScanned,
  ),
  counter(
    'bigcache_hand_removed_entries_total',
    'hand.removed',
    'Entries that either scan has removed',
    ({ storeCounts }) => storeCounts.handRemoved,
  ),
  inMs(
    gauge(
      'bigcache_sync_age_seconds',
      'durability.syncAgeMs',
      'Since all that had been written was last brought to the disk; 0 before that, and with none',
      ({ store }) => store.syncAgeMs,
    ),
  ),
  inMs(
    gauge(
      'bigcache_unsynced_age_seconds',
      'durability.unsyncedAgeMs',
      'Age of the oldest write that is not on the disk yet; 0 when all is',
      ({ store }) => store.unsyncedAgeMs,
    ),
  ),
  counter(
    'bigcache_sync_failures_total',
    'durability.failures',
    'Files that could not be brought to the disk',
    ({ storeCounts }) => storeCounts.syncFailures,
  ),
];

export const STORE_FAMILIES: readonly Family[] = [...STATE, ...SPACE, ...WORK];
