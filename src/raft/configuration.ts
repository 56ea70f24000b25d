/**
 * Who belongs to a group. Voters elect leaders and commit; learners are only sent the log. The configuration that counts is
 * the last one in the log, committed or not, and two that follow each other differ by one voter at most: then a majority of
 * the one and a majority of the other have a member in common.
 */
import { assert } from '../base/assert.ts';

/** A positive safe integer, drawn once and never used by another member of the group. */
export type NodeId = number;
export const NOBODY: NodeId = 0;

export interface Member {
  readonly id: NodeId;
  /** Where it is found; the shell's, and unread by the rules. */
  readonly address: string;
  readonly kind: 'voter' | 'learner';
}

/** At most one member of an ID. */
export type Configuration = readonly Member[];

export const EMPTY: Configuration = [];

export type Change =
  /** As a learner. */
  | { readonly kind: 'add'; readonly id: NodeId; readonly address: string }
  /** Makes a voter of a learner. */
  | { readonly kind: 'promote' | 'remove'; readonly id: NodeId };

export function memberOf(configuration: Configuration, id: NodeId): Member | undefined {
  return configuration.find((member) => member.id === id);
}

export function isVoter(configuration: Configuration, id: NodeId): boolean {
  return memberOf(configuration, id)?.kind === 'voter';
}

export function countVoters(configuration: Configuration): number {
  let count = 0;
  for (const { kind } of configuration) if (kind === 'voter') count++;
  return count;
}

/** The greatest number that most voters have reached, where `reached` tells of each; 0 where nobody votes. */
export function reachedByMost(configuration: Configuration, reached: (id: NodeId) => number): number {
  const most = (countVoters(configuration) >> 1) + 1;
  let greatest = 0;
  for (const { id, kind } of configuration) {
    const candidate = kind === 'voter' ? reached(id) : 0;
    if (candidate <= greatest) continue;
    let count = 0;
    for (const other of configuration) if (other.kind === 'voter' && reached(other.id) >= candidate) count++;
    if (count >= most) greatest = candidate;
  }
  return greatest;
}

/** Why a change makes no sense; '' where it does. */
export function objection(configuration: Configuration, change: Change): string {
  const member = memberOf(configuration, change.id);
  if (change.kind === 'add') return member === undefined ? '' : 'the node is a member already';
  if (member === undefined) return 'the node is not a member';
  const votes = member.kind === 'voter';
  if (change.kind === 'promote') return votes ? 'the node is a voter already' : '';
  return votes && countVoters(configuration) === 1 ? 'the last voter can not be removed' : '';
}

export function changed(configuration: Configuration, change: Change): Configuration {
  assert(objection(configuration, change) === '', 'only what makes sense is changed');
  if (change.kind === 'add') return [...configuration, { id: change.id, address: change.address, kind: 'learner' }];
  if (change.kind === 'remove') return configuration.filter(({ id }) => id !== change.id);
  return configuration.map((member) => (member.id === change.id ? { ...member, kind: 'voter' } : member));
}
