/** DEBUG PROTOCOL: a sample of each type of reply, for authors of clients. */
import type { Call } from '../../engine/call.ts';

const SAMPLES: Readonly<Record<string, (c: Call) => void>> = {
  string: ({ reply }) => reply.bulkText('Hello World'),
  integer: ({ reply }) => reply.int(12345),
  // biome-ignore lint/suspicious/noApproximativeNumericConstant: the sample is this number, not pi
  double: ({ reply }) => reply.double(3.141),
  null: ({ reply }) => reply.null(),
  array({ reply }) {
    reply.array(3);
    for (let i = 0; i < 3; i++) reply.int(i);
  },
  set({ reply }) {
    reply.set(3);
    for (let i = 0; i < 3; i++) reply.int(i);
  },
  map({ reply }) {
    reply.map(3);
    for (let i = 0; i < 3; i++) {
      reply.int(i);
      reply.bool(i === 1);
    }
  },
  attrib({ reply }) {
    if (reply.resp === 3) {
      reply.attribute(1);
      reply.bulkText('key-popularity');
      reply.array(2);
      reply.bulkText('key:123');
      reply.int(90);
    }
    reply.bulkText('Some real reply following the attribute');
  },
  push({ reply }) {
    if (reply.resp < 3) {
      reply.error('ERR RESP2 is not supported by this command');
      return;
    }
    reply.push(2);
    reply.bulkText('server-cpu-usage');
    reply.int(42);
    reply.bulkText('Some real reply following the push reply');
  },
  verbatim: ({ reply }) => reply.verbatim('This is a verbatim\nstring'),
  true: ({ reply }) => reply.bool(true),
  false: ({ reply }) => reply.bool(false),
  bignum: ({ reply }) => reply.bigNumber('1234567999999999999999999999999999999'),
};

export function replySample(c: Call, name: string): void {
  if (Object.hasOwn(SAMPLES, name)) SAMPLES[name](c);
  else
    c.reply.error(
      'ERR Wrong protocol type name. Please use one of the following: string|integer|double|bignum|null|array|set|map|attrib|push|verbatim|true|false',
    );
}
