"""What a session can do, through redis-py: argv is the port, the TLS port and the folder of certificates."""
import sys
import threading
import time

import redis

port, tls_port, folder = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
checks = 0


def same(got, wanted):
    global checks
    checks += 1
    if got != wanted:
        raise AssertionError(f"got {got!r}, wanted {wanted!r}")


def raises(kind, act):
    global checks
    checks += 1
    try:
        act()
    except kind as error:
        return str(error)
    raise AssertionError(f"no {kind.__name__}")


def transactions(r):
    with r.pipeline(transaction=True) as pipe:
        pipe.set("a", 1).incr("a").lpush("a", "x").get("a")
        replies = pipe.execute(raise_on_error=False)
    same(replies[:2] + replies[3:], [True, 2, b"2"])
    same(isinstance(replies[2], redis.ResponseError), True)
    with r.pipeline() as pipe:
        pipe.watch("a")
        r.set("a", 10)
        pipe.multi()
        pipe.incr("a")
        raises(redis.WatchError, pipe.execute)
    same(r.transaction(lambda pipe: pipe.multi() or pipe.incr("a"), "a"), [11])


def blocking(r):
    r.delete("list", "zset")
    got = []
    thread = threading.Thread(target=lambda: got.append(redis.Redis(port=port).blpop(["list", "other"], timeout=5)))
    thread.start()
    time.sleep(0.1)
    r.rpush("list", b"\x00\xff\r\n")
    thread.join()
    same(got, [(b"list", b"\x00\xff\r\n")])
    same(r.blpop("list", timeout=1), None)
    r.zadd("zset", {"one": 1})
    same(r.bzpopmin("zset", timeout=1), (b"zset", b"one", 1.0))
    same(r.blmove("list", "other", 0.01, "LEFT", "RIGHT"), None)


def messages(r):
    r.config_set("notify-keyspace-events", "KEA")
    p = r.pubsub(ignore_subscribe_messages=True)
    p.subscribe("channel")
    p.psubscribe("cha*", "__keyspace@0__:watched")
    p.get_message(timeout=1), p.get_message(timeout=1), p.get_message(timeout=1)
    same(r.publish("channel", "hello"), 2)
    r.set("watched", 1)
    seen = []
    while len(seen) < 3:
        message = p.get_message(timeout=2)
        if message:
            seen.append((message["type"], message["channel"], message["data"]))
    same(
        sorted(seen),
        [
            ("message", b"channel", b"hello"),
            ("pmessage", b"__keyspace@0__:watched", b"set"),
            ("pmessage", b"channel", b"hello"),
        ],
    )
    same(r.pubsub_numsub("channel"), [(b"channel", 1)])
    same(r.pubsub_numpat(), 2)
    p.unsubscribe()
    p.punsubscribe()
    p.close()


def users(r):
    same(r.acl_setuser("ada", enabled=True, passwords=["+secret"], keys=["a*"], commands=["+get", "+@connection"]), True)
    same("ada" in r.acl_users(), True)
    same(r.acl_getuser("ada")["keys"], ["~a*"])
    ada = redis.Redis(port=port, username="ada", password="secret")
    same(ada.ping(), True)
    ada.get("allowed")
    raises(redis.exceptions.NoPermissionError, lambda: ada.get("other"))
    raises(redis.exceptions.NoPermissionError, lambda: ada.set("a", 1))
    same(r.acl_log()[0]["username"], "ada")
    raises(redis.ResponseError, lambda: redis.Redis(port=port, username="ada", password="no").ping())
    same(r.acl_deluser("ada"), 1)


def introspection(r):
    r.client_setname("snake")
    mine = r.client_info()
    same(mine["name"], "snake")
    other = redis.Redis(port=port, client_name="other")
    other.ping()
    same({client["name"] for client in r.client_list()} >= {"snake", "other"}, True)
    victim = [client for client in r.client_list() if client["name"] == "other"][0]
    same(r.client_kill_filter(_id=victim["id"]), 1)
    r.config_set("slowlog-log-slower-than", 0)
    r.get("a")
    r.config_set("slowlog-log-slower-than", 10000)
    same(any(entry["command"] == b"GET a" for entry in r.slowlog_get(10)), True)
    with r.monitor() as monitor:
        redis.Redis(port=port).echo("seen")
        while True:
            line = monitor.next_command()
            if line["command"] == "ECHO seen":
                break
    same(r.info("commandstats")["cmdstat_echo"]["calls"] >= 1, True)
    same(r.client_pause(50, all=False), True)
    start = time.time()
    r.set("a", 1)
    same(time.time() - start > 0.03, True)


def encrypted():
    files = {"ssl_ca_certs": f"{folder}/ca.crt", "ssl_certfile": f"{folder}/client.crt", "ssl_keyfile": f"{folder}/client.key"}
    r = redis.Redis(port=tls_port, ssl=True, ssl_check_hostname=False, **files)
    value = b"v" * 1_000_000
    same(r.set("tls", value), True)
    same(r.get("tls"), value)
    with r.pipeline() as pipe:
        for i in range(1000):
            pipe.echo(str(i))
        same(pipe.execute(), [str(i).encode() for i in range(1000)])
    del files["ssl_certfile"], files["ssl_keyfile"]
    raises(redis.ConnectionError, lambda: redis.Redis(port=tls_port, ssl=True, ssl_check_hostname=False, **files).ping())


client = redis.Redis(port=port)
client.flushall()
for part in (transactions, blocking, messages, users, introspection):
    part(client)
encrypted()
print(f"redis-py {redis.__version__}: {checks} checks")
