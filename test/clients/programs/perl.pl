# libredis-perl: commands, bytes, a transaction, channels.
use strict;
use warnings;
use Redis;

my $redis = Redis->new(server => "127.0.0.1:$ARGV[0]", encoding => undef);
sub check { my ($got, $wanted) = @_; die "$got is not $wanted" unless $got eq $wanted }
check($redis->set('k', "\xff\0"), 'OK');
check($redis->get('k'), "\xff\0");
$redis->hmset('h', a => 1, b => 2);
my %h = $redis->hgetall('h');
check($h{b}, 2);
$redis->multi;
$redis->incr('n') for 1 .. 2;
check(join(',', $redis->exec), '1,2');
check($redis->eval("return redis.call('get', KEYS[1])", 1, 'n'), 2);
my $subscriber = Redis->new(server => "127.0.0.1:$ARGV[0]");
my $heard = '';
$subscriber->subscribe('news', sub { $heard = $_[0] });
$redis->publish('news', 'hello');
$subscriber->wait_for_messages(5);
check($heard, 'hello');
