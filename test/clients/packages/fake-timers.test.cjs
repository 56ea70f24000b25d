/** cinnabar/jest under Jest itself: a server for the tests of a file, its seed, and Jest's fake timers. */
const { useCinnabar } = require('../../../dist/jest.cjs');

const redis = useCinnabar({ seed: { 'user:1': 'Ada' } });

afterEach(() => jest.useRealTimers());

test('each test begins with the seed', async () => {
  expect(await redis.session().call('SET', 'user:1', 'Bob', 'GET')).toBe('Ada');
});

test('also the one after', async () => {
  expect(await redis.session().call('GET', 'user:1')).toBe('Ada');
});

test('under fake timers it answers, and keys live by the faked date', async () => {
  jest.useFakeTimers();
  const session = redis.session();
  await session.call('SET', 'brief', 'v', 'EX', 60);
  jest.advanceTimersByTime(59_999);
  expect(await session.call('PTTL', 'brief')).toBe(1);
  jest.advanceTimersByTime(2);
  expect(await session.call('GET', 'brief')).toBeNull();
});

test('it tells the faked time', async () => {
  jest.useFakeTimers({ now: new Date('2001-02-03T04:05:06Z') });
  expect(await redis.session().call('TIME')).toEqual(['981173106', '0']);
});

test('a fault that a test leaves on is off in the next', async () => {
  redis.server.faults.error('get', 'ERR left behind');
  await expect(redis.session().call('GET', 'user:1')).rejects.toThrow('left behind');
});

test('as it is here', async () => {
  expect(await redis.session().call('GET', 'user:1')).toBe('Ada');
});
