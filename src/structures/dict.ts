/**
 * The dict's face: entries (dict-entry.ts), the table itself with its layout and invariants (dict-table.ts), and the ways
 * to go through it (dict-walk.ts).
 */
export { entryKey, entryKeyEnd, keyFieldSize, writeKeyField } from './dict-entry.ts';
export {
  dictBuckets,
  dictBytes,
  dictClear,
  dictDrain,
  dictExpand,
  dictFind,
  dictFindIn,
  dictFree,
  dictHolds,
  dictInsert,
  dictIsRehashing,
  dictIsResizing,
  dictIsTooLarge,
  dictLookup,
  dictMask,
  dictMoved,
  dictMoveTables,
  dictNew,
  dictPauseRehash,
  dictRehash,
  dictRehashFor,
  dictRelink,
  dictRemove,
  dictRemoveEntry,
  dictResumeRehash,
  dictShrink,
  dictShrinkIfNeeded,
  dictSize,
  dictTable,
  dictWarm,
} from './dict-table.ts';
export {
  DictCursor,
  dictFairRandom,
  dictRandom,
  dictRandoms,
  dictRelocate,
  dictScan,
  dictSome,
  dictStats,
  dictsStats,
  dictVerify,
} from './dict-walk.ts';
