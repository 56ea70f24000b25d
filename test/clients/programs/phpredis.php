<?php
// php-redis: commands, pipelines, transactions, scripts, scans, streams.
function check(mixed $got, mixed $wanted): void {
    if ($got !== $wanted) throw new Exception(json_encode($got) . ' is not ' . json_encode($wanted));
}
$redis = new Redis();
$redis->connect('127.0.0.1', (int) $argv[1]);
check($redis->set('k', "\xff\0", ['px' => 60000]), true);
check($redis->get('k'), "\xff\0");
$redis->hMSet('h', ['a' => 1, 'b' => 2]);
check($redis->hGetAll('h'), ['a' => '1', 'b' => '2']);
check($redis->zAdd('z', 1.5, 'a'), 1);
check($redis->zRange('z', 0, -1, true), ['a' => 1.5]);
check($redis->multi(Redis::PIPELINE)->incr('n')->incr('n')->exec(), [1, 2]);
check($redis->multi()->incr('n')->get('n')->exec(), [3, '3']);
check($redis->eval("return redis.call('get', KEYS[1])", ['n'], 1), '3');
$redis->setOption(Redis::OPT_SCAN, Redis::SCAN_RETRY);
$keys = [];
$cursor = null;
while ($some = $redis->scan($cursor)) $keys = array_merge($keys, $some);
sort($keys);
check($keys, ['h', 'k', 'n', 'z']);
check($redis->xAdd('stream', '1-1', ['f' => 'v']), '1-1');
check($redis->xRange('stream', '-', '+'), ['1-1' => ['f' => 'v']]);
