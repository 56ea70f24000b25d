/** Moving the blocks of a tree of IDs (idtree.ts) together with others. */
import { type Addr, NULL } from '../memory/address.ts';
import type { Memory } from '../memory/memory.ts';
import { CHILD, INNER_STRIDE, Node, RECORDS, strideOf, Tree } from './idtree.ts';

/**
 * Moves the header and all nodes where memory wants that (Memory.moved), and returns where the header is. `record`, if
 * there is one, is shown each record of the leaves, by node and offset, to move what its words point at.
 */
export function idtRelocate(m: Memory, t: Addr, record?: (node: Addr, at: number) => void): Addr {
  const tree = m.moved(t);
  m.setAddr(tree, Tree.top, relocateNode(m, tree, m.addr(tree, Tree.top), record));
  return tree;
}

function relocateNode(m: Memory, tree: Addr, old: Addr, record?: (node: Addr, at: number) => void): Addr {
  const node = m.moved(old);
  const count = m.u16(node, Node.count);
  if (m.u8(node, Node.level) > 0) {
    for (let i = 0; i < count; i++) {
      const at = RECORDS + i * INNER_STRIDE + CHILD;
      m.setAddr(node, at, relocateNode(m, tree, m.addr(node, at), record));
    }
    return node;
  }
  if (node !== old) {
    const prev = m.addr(node, Node.prev);
    const next = m.addr(node, Node.next);
    if (prev === NULL) m.setAddr(tree, Tree.first, node);
    else m.setAddr(prev, Node.next, node);
    if (next === NULL) m.setAddr(tree, Tree.last, node);
    else m.setAddr(next, Node.prev, node);
  }
  const stride = strideOf(m, tree);
  if (record !== undefined) for (let i = 0; i < count; i++) record(node, RECORDS + i * stride);
  return node;
}
