/** Whether a replica can go on: ids, offsets, and the reason where it can't. */
import { describe, expect, test } from 'vitest';
import { ReplicationBuffer } from '../../../src/replication/buffer.ts';
import { answerPsync, History, NO_ID } from '../../../src/replication/history.ts';

const A = 'a'.repeat(40);
const B = 'b'.repeat(40);
const C = 'c'.repeat(40);
const WHO = '127.0.0.1:6380';

function full(buffer = new ReplicationBuffer(16 * 1024, 100)): ReplicationBuffer {
  buffer.append(new Uint8Array(500));
  return buffer;
}

describe('PSYNC', () => {
  test.each([
    [A, 101, 'continue'],
    [A.toUpperCase(), 601, 'continue'],
    [A, 602, 'ahead'],
    [A, 100, 'too old'],
    [A, Number.NaN, 'too old'],
    [B, 101, 'other history'],
    [NO_ID, 101, 'other history'],
    ['?', -1, 'asked for'],
  ])('%s %d: %s', (id, offset, expected) => {
    const answer = answerPsync(new History(A), full(), id, offset, WHO);
    expect(answer.kind === 'full' ? answer.reason : answer.kind).toBe(expected);
    if (answer.kind === 'continue') expect(answer.at).toBe(offset - 1);
  });

  test('the log tells what was asked for and what there is', () => {
    const answer = answerPsync(new History(A), full(), A, 50, WHO);
    expect(answer).toMatchObject({
      log: expect.stringMatching(/Replica request was: 50; the backlog holds 101 to 600/),
    });
  });

  test('without a backlog nothing can go on', () => {
    expect(answerPsync(new History(A), null, A, 1, WHO)).toMatchObject({ kind: 'full', reason: 'no backlog' });
  });

  test('after a promotion the old history is good up to there', () => {
    const history = new History(A);
    history.branch(B, 300);
    const ask = (id: string, offset: number): string => {
      const answer = answerPsync(history, full(), id, offset, WHO);
      return answer.kind === 'full' ? answer.reason : answer.kind;
    };
    expect([history.id, history.id2, history.until]).toEqual([B, A, 301]);
    expect([ask(A, 301), ask(A, 302), ask(B, 601), ask(C, 301)]).toEqual([
      'continue',
      'other history',
      'continue',
      'other history',
    ]);
    history.renew(C);
    expect([ask(A, 301), ask(B, 301), ask(C, 301)]).toEqual(['other history', 'other history', 'continue']);
  });

  test('no replica may go on in a second history that there is not', () => {
    expect(answerPsync(new History(A), full(), NO_ID, -1, WHO)).toMatchObject({ kind: 'full' });
  });
});
