/** Moving the blocks of a tree of IDs (idtree.ts) together with others. */
import { type Addr, NULL } from '../memory/address.ts';
import type { Memory } from '../memory/memory.ts';
import { CHILD, INNER_STRIDE, Node, RECORDS, strideOf, Tree } from './idtree.ts';

/** A stretch of the leaves of one tree or of several, one after another: how many to pass over, and how many to move then. */
export interface Stretch {
  skip: number;
  left: number;
}

/**
 * Moves the header and the nodes of a stretch where memory wants that (Memory.moved), and returns where the header is; what
 * of the stretch lies beyond the tree is left in it. `record`, if there is one, is shown each record of the leaves, by node
 * and offset, to move what its words point at.
 */
export function idtRelocate(m: Memory, t: Addr, stretch: Stretch, record?: (node: Addr, at: number) => void): Addr {
  if (stretch.left === 0) return t;
  const tree = stretch.skip === 0 ? m.moved(t) : t;
  m.setAddr(tree, Tree.top, relocateNode(m, tree, m.addr(tree, Tree.top), stretch, record));
  return tree;
}

function relocateNode(
  m: Memory,
  tree: Addr,
  old: Addr,
  stretch: Stretch,
  record?: (node: Addr, at: number) => void,
): Addr {
  const level = m.u8(old, Node.level);
  const count = m.u16(old, Node.count);
  const leaves = level === 0 ? 1 : level === 1 ? count : 0;
  if (leaves > 0 && stretch.skip >= leaves) {
    stretch.skip -= leaves;
    return old;
  }
  const node = m.moved(old);
  if (level === 0) {
    stretch.left--;
    leafMoved(m, tree, old, node);
    const stride = strideOf(m, tree);
    if (record !== undefined) for (let i = 0; i < count; i++) record(node, RECORDS + i * stride);
    return node;
  }
  for (let i = 0; i < count && stretch.left > 0; i++) {
    const at = RECORDS + i * INNER_STRIDE + CHILD;
    m.setAddr(node, at, relocateNode(m, tree, m.addr(node, at), stretch, record));
  }
  return node;
}

function leafMoved(m: Memory, tree: Addr, old: Addr, node: Addr): void {
  if (node === old) return;
  const prev = m.addr(node, Node.prev);
  const next = m.addr(node, Node.next);
  if (prev === NULL) m.setAddr(tree, Tree.first, node);
  else m.setAddr(prev, Node.next, node);
  if (next === NULL) m.setAddr(tree, Tree.last, node);
  else m.setAddr(next, Node.prev, node);
}
