/** Threads over modules of ours, by the name under which this room has always had them. */
export { startThread } from '../base/thread.ts';
