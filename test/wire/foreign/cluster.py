"""redis-py's Cluster mode carries a reader and writer over a reshard and a failover: argv is the ports of the nodes."""
import logging
import subprocess
import sys
import time

import redis
from redis.cluster import ClusterNode, RedisCluster
from redis.exceptions import RedisClusterException

# What the library logs of nodes that are gone is expected here, and so is what its half-made nodes say when they are freed.
logging.disable(logging.CRITICAL)
sys.unraisablehook = lambda _: None
ports = [int(port) for port in sys.argv[1:]]


def connect():
    nodes = [ClusterNode("127.0.0.1", port) for port in ports]
    return RedisCluster(startup_nodes=nodes, socket_timeout=2, decode_responses=True)


client = connect()
keys = [f"python:{i}" for i in range(60)]


def write(round, seconds=60):
    """Writes every key until it is acknowledged, and reads it back."""
    global client
    deadline = time.time() + seconds
    for key in keys:
        while True:
            assert time.time() < deadline, f"{key} is not taken"
            try:
                client = client or connect()
                client.set(key, f"{key} {round}")
                assert client.get(key) == f"{key} {round}"
                break
            except RedisClusterException:
                # redis-py 4.3 can't look for the nodes again once one of them is gone: it copies what holds a lock.
                client = None
                time.sleep(0.1)
            except (redis.RedisError, OSError):
                time.sleep(0.1)


write(1)
masters = client.get_primaries()
nodes = {node.port: redis.Redis(port=node.port) for node in masters}
source, target = [redis.Redis(port=node.port, decode_responses=True) for node in masters[:2]]
moving = subprocess.Popen(
    ["redis-cli", "--cluster", "reshard", f"127.0.0.1:{masters[0].port}", "--cluster-yes", "--cluster-slots", "200"]
    + ["--cluster-from", source.execute_command("CLUSTER MYID"), "--cluster-to", target.execute_command("CLUSTER MYID")],
    stdout=subprocess.DEVNULL,
)
round = 2
while moving.poll() is None:
    write(round)
    round += 1
assert moving.returncode == 0
for key in keys:
    assert client.get(key).startswith(f"{key} ")
try:
    target.execute_command("SHUTDOWN NOSAVE")
except redis.ConnectionError:
    pass
write(round, seconds=90)
assert masters[1].port not in [node.port for node in client.get_primaries()]
print(f"redis-py {redis.__version__}: Cluster carried it over a reshard and a failover")
