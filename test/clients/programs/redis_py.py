"""python3-redis: commands, pipelines, transactions, scripts, channels, streams, a lock."""
import sys

import redis

client = redis.Redis(port=int(sys.argv[1]))
assert client.set("k", b"\xff\x00", px=60000)
assert client.get("k") == b"\xff\x00"
client.hset("h", mapping={"a": 1, "b": 2})
assert client.hgetall("h") == {b"a": b"1", b"b": b"2"}
assert client.zadd("z", {"a": 1.5}) == 1 and client.zscore("z", "a") == 1.5
with client.pipeline(transaction=True) as pipe:
    assert pipe.incr("n").incr("n").execute() == [1, 2]


def double(pipe):
    n = int(pipe.get("n"))
    pipe.multi()
    pipe.set("n", 2 * n)


client.transaction(double, "n")
assert client.get("n") == b"4"
assert client.register_script("return redis.call('get', KEYS[1])")(keys=["n"]) == b"4"
channels = client.pubsub(ignore_subscribe_messages=True)
channels.psubscribe("news.*")
channels.get_message(timeout=5)
client.publish("news.one", "hello")
assert channels.get_message(timeout=5)["data"] == b"hello"
client.xgroup_create("stream", "group", mkstream=True)
client.xadd("stream", {"f": "v"}, id="1-1")
assert client.xreadgroup("group", "me", {"stream": ">"}) == [[b"stream", [(b"1-1", {b"f": b"v"})]]]
with client.lock("lock", timeout=5) as lock:
    assert not client.lock("lock").acquire(blocking=False)
assert sorted(client.scan_iter(count=2)) == [b"h", b"k", b"n", b"stream", b"z"]
