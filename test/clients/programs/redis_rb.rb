# ruby-redis: commands, pipelines, transactions, scripts, channels.
require 'redis'

def check(got, wanted)
  raise "#{got.inspect} is not #{wanted.inspect}" unless got == wanted
end

redis = Redis.new(port: ARGV[0].to_i)
check redis.set('k', "\xff\0", px: 60_000), 'OK'
check redis.get('k').bytes, [255, 0]
redis.mapped_hmset('h', 'a' => 1, 'b' => 2)
check redis.hgetall('h'), { 'a' => '1', 'b' => '2' }
check redis.zadd('z', 1.5, 'a'), true
check redis.zscore('z', 'a'), 1.5
check(redis.pipelined { |p| 2.times { p.incr('n') } }, [1, 2])
check(redis.multi { |m| m.incr('n'); m.get('n') }, [3, '3'])
check redis.eval("return redis.call('get', KEYS[1])", ['n']), '3'
heard = []
thread = Thread.new do
  Redis.new(port: ARGV[0].to_i).subscribe('news') do |on|
    on.message { |_, message| heard << message; Thread.current.kill }
  end
end
sleep 0.01 until redis.publish('news', 'hello') > 0
thread.join(5)
check heard, ['hello']
check redis.scan_each.to_a.sort, %w[h k n z]
