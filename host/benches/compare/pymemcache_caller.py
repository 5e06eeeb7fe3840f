"""One caller with pymemcache: prints operations a second, operations in all, processor seconds, and p50, p99 and
p99.9 of gets in seconds."""

import sys
import time

from pymemcache.client.base import Client

prefix = sys.argv[1]
port, count, value_bytes, gets_percent = map(int, sys.argv[2:6])
warm_up, length = map(float, sys.argv[6:8])

client = Client(("127.0.0.1", port), no_delay=True)
keys = [f"{prefix}:{number:032}".encode() for number in range(count)]
value = b"v" * value_bytes
now = time.perf_counter
assert len(client.get(keys[0])) == value_bytes

latencies = []
every = measured = key = gets_due = 0
cpu = time.process_time()
begun = now()
first = begun + warm_up
last = first + length
while begun < last:
    key = (key + 17) % count
    gets_due += gets_percent
    is_get = gets_due >= 100
    if is_get:
        gets_due -= 100
        client.get(keys[key])
    else:
        client.set(keys[key], value)
    ended = now()
    every += 1
    if begun >= first:
        measured += 1
        if is_get:
            latencies.append(ended - begun)
    begun = ended
cpu = time.process_time() - cpu
latencies.sort()


def quantile(part):
    return latencies[min(int(len(latencies) * part), len(latencies) - 1)] if latencies else 0.0


print(measured / (begun - first), every, cpu, quantile(0.5), quantile(0.99), quantile(0.999))
