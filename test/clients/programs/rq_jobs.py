"""python3-rq: a job that is queued, worked off, and has its result; one that fails is kept among the failed."""
import sys

import redis
from rq import Queue, SimpleWorker

connection = redis.Redis(port=int(sys.argv[1]))
queue = Queue(connection=connection)
good = queue.enqueue("operator.mul", 6, 7)
bad = queue.enqueue("operator.truediv", 1, 0)
SimpleWorker([queue], connection=connection).work(burst=True, logging_level="CRITICAL")
good.refresh()
assert good.result == 42, good.result
assert queue.failed_job_registry.get_job_ids() == [bad.id]
