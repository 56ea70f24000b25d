"""celery: a worker in a thread, with Redis as broker and for results; a chord counts in it, too."""
import sys

from celery import Celery, chord
from celery.contrib.testing.worker import start_worker

url = f"redis://127.0.0.1:{sys.argv[1]}/0"
app = Celery("jobs", broker=url, backend=url)


@app.task
def add(a, b):
    return a + b


@app.task
def total(numbers):
    return sum(numbers)


with start_worker(app, perform_ping_check=False, pool="solo", loglevel="CRITICAL"):
    assert add.delay(2, 3).get(timeout=20) == 5
    assert chord([add.s(i, i) for i in range(4)])(total.s()).get(timeout=20) == 12
