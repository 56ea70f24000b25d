/** nodes.conf: files that nodes of Redis 7.0.15 wrote, read and written again; and what is refused, with the place. */
import { describe, expect, test } from 'vitest';
import { formatNodesFile, NodesFileError, parseNodesFile } from '../../../src/cluster/nodes-file.ts';

/** A slot of it goes to another node. */
const MIGRATING = `7f67bd9140afe87265c6e21d56e78917c112445c 127.0.0.1:23706@23906 master - 1795900178061 1795900177000 4 connected
4e6b330d154d3eed75746c7140f309e1895dedb3 127.0.0.1:23703@23903,host-3.example.org slave 01c766feed68baa597d19f6e9373cb310b5687ca 0 1795900177077 1 connected
29e7e68f3f691c36e5aca80da277bfa4d0fb4d06 127.0.0.1:23702@23902 master - 1795900178061 1795900177000 6 connected 10001-16383
01c766feed68baa597d19f6e9373cb310b5687ca 127.0.0.1:23700@23900 myself,master - 0 1795900177000 1 connected 0-5000 [7->-c274757e7fc9c6c475fb22f24339c3207b478bd6]
c274757e7fc9c6c475fb22f24339c3207b478bd6 127.0.0.1:23701@23901,host-1.example.org master - 0 1795900177386 2 connected 5001-10000
8188e3ace95f33213c9807f4784c773104a28e6e 127.0.0.1:23704@23904 slave c274757e7fc9c6c475fb22f24339c3207b478bd6 0 1795900177077 2 connected
f870db66a6606574b81a891dbd8194d66fabb822 127.0.0.1:23705@23905,host-5.example.org slave 29e7e68f3f691c36e5aca80da277bfa4d0fb4d06 0 1795900177913 6 connected
vars currentEpoch 6 lastVoteEpoch 0
`;

/** Slots of others come to it. */
const IMPORTING = `4e6b330d154d3eed75746c7140f309e1895dedb3 127.0.0.1:23703@23903,host-3.example.org slave 01c766feed68baa597d19f6e9373cb310b5687ca 0 1795900177000 1 connected
f870db66a6606574b81a891dbd8194d66fabb822 127.0.0.1:23705@23905,host-5.example.org slave 29e7e68f3f691c36e5aca80da277bfa4d0fb4d06 0 1795900177176 6 connected
29e7e68f3f691c36e5aca80da277bfa4d0fb4d06 127.0.0.1:23702@23902 master - 0 1795900177176 6 connected 10001-16383
8188e3ace95f33213c9807f4784c773104a28e6e 127.0.0.1:23704@23904 slave c274757e7fc9c6c475fb22f24339c3207b478bd6 0 1795900177000 2 connected
01c766feed68baa597d19f6e9373cb310b5687ca 127.0.0.1:23700@23900 master - 0 1795900177076 1 connected 0-5000
7f67bd9140afe87265c6e21d56e78917c112445c 127.0.0.1:23706@23906 master - 0 1795900177076 4 connected
c274757e7fc9c6c475fb22f24339c3207b478bd6 127.0.0.1:23701@23901,host-1.example.org myself,master - 0 1795900176000 2 connected 5001-10000 [7-<-01c766feed68baa597d19f6e9373cb310b5687ca] [8-<-01c766feed68baa597d19f6e9373cb310b5687ca]
vars currentEpoch 6 lastVoteEpoch 0
`;

/** Written while a master was down. */
const FAILED = `f870db66a6606574b81a891dbd8194d66fabb822 127.0.0.1:23705@23905,host-5.example.org slave 29e7e68f3f691c36e5aca80da277bfa4d0fb4d06 0 1795900186623 6 connected
29e7e68f3f691c36e5aca80da277bfa4d0fb4d06 127.0.0.1:23702@23902 myself,master - 0 1795900185000 6 connected 10001-16383
01c766feed68baa597d19f6e9373cb310b5687ca 127.0.0.1:23700@23900 master,fail - 1795900182864 1795900182163 1 connected
7f67bd9140afe87265c6e21d56e78917c112445c 127.0.0.1:23706@23906 master - 0 1795900186000 4 connected
c274757e7fc9c6c475fb22f24339c3207b478bd6 127.0.0.1:23701@23901,host-1.example.org slave 8188e3ace95f33213c9807f4784c773104a28e6e 0 1795900185793 7 connected
8188e3ace95f33213c9807f4784c773104a28e6e 127.0.0.1:23704@23904 master - 0 1795900186000 7 connected 5001-10000
4e6b330d154d3eed75746c7140f309e1895dedb3 127.0.0.1:23703@23903,host-3.example.org master - 0 1795900186000 8 connected 0-5000
vars currentEpoch 8 lastVoteEpoch 8
`;

const ID = '01c766feed68baa597d19f6e9373cb310b5687ca';
const MINE = `${ID} :7000@17000 myself,master - 0 0 0 connected 0-5`;
const VARS = 'vars currentEpoch 6 lastVoteEpoch 5';

function refusal(text: string): string {
  try {
    parseNodesFile(text);
  } catch (error) {
    if (error instanceof NodesFileError) return error.message;
    throw error;
  }
  return '';
}

test('slots that their owners claim no more stand behind what Redis reads', () => {
  const text = `${MINE}\n${VARS} unclaimed 7,9-11\n`;
  const file = parseNodesFile(text);
  expect(file.unclaimed).toEqual([
    { start: 7, end: 7 },
    { start: 9, end: 11 },
  ]);
  expect(formatNodesFile(file)).toBe(text);
  expect(refusal(`${MINE}\n${VARS} unclaimed 7,9-\n`)).toBe('line 2: 9- are no slots');
});

describe('files of real nodes', () => {
  test.each([
    ['with a slot that goes', MIGRATING],
    ['with slots that come', IMPORTING],
    ['with a failed node', FAILED],
  ])('%s come out as they were', (_, text) => {
    expect(formatNodesFile(parseNodesFile(text))).toBe(text);
  });

  test('are understood', () => {
    const { nodes, currentEpoch } = parseNodesFile(IMPORTING);
    expect(currentEpoch).toBe(6);
    expect(nodes.find(({ moves }) => moves.length > 0)).toMatchObject({
      ip: '127.0.0.1',
      port: 23701,
      busPort: 23901,
      hostname: 'host-1.example.org',
      slots: [{ start: 5001, end: 10000 }],
      moves: [
        { slot: 7, direction: 'importing', node: ID },
        { slot: 8, direction: 'importing', node: ID },
      ],
    });
    expect(nodes[0]).toMatchObject({ master: ID, hostname: 'host-3.example.org', slots: [], moves: [] });
  });
});

test('an address without the port of the bus, one of IPv6, and what newer versions write are read', () => {
  const more = '4e6b330d154d3eed75746c7140f309e1895dedb3 ::1:7001 noaddr,master,fail? - 0 0 0 disconnected';
  const newer = '29e7e68f3f691c36e5aca80da277bfa4d0fb4d06 10.0.0.1:1@2,h,shard-id=ab slave - 0 0 0 connected';
  const { nodes } = parseNodesFile(`${MINE}\n${more}\n${newer}\n${VARS} later 7\n`);
  expect(nodes[1]).toMatchObject({ ip: '::1', port: 7001, busPort: 17001, flags: 64 | 4 | 1 });
  expect(nodes[2]).toMatchObject({ ip: '10.0.0.1', port: 1, busPort: 2, hostname: 'h' });
});

describe('damage is refused, with its place', () => {
  const other = '4e6b330d154d3eed75746c7140f309e1895dedb3 10.0.0.1:1@2 master - 0 0 0 connected';

  test.each([
    ['no nodes', `${VARS}\n`, 'line 2: no node is myself'],
    ['an end that is cut off', `${MINE}\n`, 'line 2: the file ends without currentEpoch and lastVoteEpoch'],
    [
      'a line that is cut off',
      `${MINE}\n${other.slice(0, 60)}\n${VARS}\n`,
      'line 2: 3 words where a node has at least 8',
    ],
    ['an ID', `${MINE}\n${other.slice(1)}\n${VARS}\n`, 'line 2: an ID of 40 hexadecimal digits was expected'],
    ['a node twice', `${MINE}\n${MINE}\n${VARS}\n`, `line 2: node ${ID} was described before`],
    ['two of us', `${MINE}\n${other.replace('master', 'myself')}\n${VARS}\n`, 'line 2: two nodes are myself'],
    ['no role of ours', `${MINE.replace(',master', '')}\n${VARS}\n`, 'line 1: myself is neither master nor slave'],
    [
      'slots of a replica',
      `${MINE}\n${other.replace('master', 'slave')} 7\n${VARS}\n`,
      'line 2: a replica has no slots',
    ],
    ['flags', `${MINE}\n${other.replace('master', 'mister')}\n${VARS}\n`, 'line 2: unknown flags mister'],
    ['a port', `${MINE}\n${other.replace(':1@', ':65536@')}\n${VARS}\n`, 'line 2: ports end at 65535'],
    [
      'an address',
      `${MINE}\n${other.replace(':1@2', '')}\n${VARS}\n`,
      'line 2: an address <ip>:<port>@<bus port> was expected',
    ],
    ['a slot of two', `${MINE}\n${other} 5\n${VARS}\n`, 'line 2: slot 5 has an owner already'],
    ['slots', `${MINE}\n${other} 6-16384\n${VARS}\n`, 'line 2: 6-16384 are no slots'],
    ['a move', `${MINE} [6->-abc]\n${VARS}\n`, 'line 1: [6->-abc] is no slot that is moved'],
    ['an epoch', `${MINE}\nvars currentEpoch -1 lastVoteEpoch 0\n`, 'line 2: -1 is no currentEpoch'],
    ['a variable', `${MINE}\nvars currentEpoch\n`, 'line 2: a variable without its value'],
  ])('%s', (_, text, reason) => {
    expect(refusal(text)).toBe(reason);
  });

  test('and nothing else is thrown, wherever a file is cut or changed', () => {
    for (let at = 0; at < MIGRATING.length; at += 31) {
      refusal(MIGRATING.slice(0, at));
      refusal(`${MIGRATING.slice(0, at)}~${MIGRATING.slice(at + 1)}`);
    }
  });
});
