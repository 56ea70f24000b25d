"""redis-py's Sentinel mode carries a writer over a failover: argv is the master's process, and the ports of the Sentinels."""
import os
import signal
import sys
import time

import redis
from redis.sentinel import Sentinel

pid, ports = int(sys.argv[1]), [int(port) for port in sys.argv[2:]]
sentinel = Sentinel([("127.0.0.1", port) for port in ports], socket_timeout=1)
before = sentinel.discover_master("mymaster")
assert len(sentinel.discover_slaves("mymaster")) == 1
master = sentinel.master_for("mymaster", socket_timeout=1, decode_responses=True)
acknowledged = []


def write(least, seconds=60):
    """Writes until so many more were acknowledged."""
    wanted = len(acknowledged) + least
    deadline = time.time() + seconds
    number = acknowledged[-1] + 1 if acknowledged else 0
    while len(acknowledged) < wanted:
        assert time.time() < deadline, f"only {len(acknowledged)} writes of {wanted}"
        try:
            master.rpush("python", number)
            acknowledged.append(number)
        except redis.RedisError:
            time.sleep(0.05)
        number += 1


write(50)
time.sleep(0.5)
os.kill(pid, signal.SIGKILL)
write(50)
after = sentinel.discover_master("mymaster")
assert after != before, f"still {after}"
kept = [int(value) for value in master.lrange("python", 0, -1)]
lost = [number for number in acknowledged if number not in kept]
assert not lost, f"lost {lost}"
assert master.role()[0] == "master"
print(f"redis-py {redis.__version__} in Sentinel mode: {len(acknowledged)} writes, none lost, {before} then {after}")
