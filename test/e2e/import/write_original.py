"""Writes a database as the Python original does: through plyvel, with its keys and values.

    write_original.py <directory> <entries>
"""

import json
import pickle
import sys
import time

import plyvel


def value_of(nth: int, now: float) -> bytes:
    """Every tenth entry is a pickle; of the others every seventh never expires, every 50th has expired."""
    if nth % 10 == 0:
        return pickle.dumps({"nth": nth, "bytes": bytes(range(256))})
    expire: object = now + 86_400 + nth
    duration: object = "28ds"
    if nth % 7 == 0:
        expire = duration = None
    elif nth % 50 == 1:
        expire = now - 1 - nth
    text = f"<html><p>page {nth} é 데이터 \\ \"q\"</p></html>" * (1 + nth % 5)
    # As pydantic writes it: compact, members in this order, characters unescaped.
    entry = {"value": text, "expire": expire, "duration": duration}
    return json.dumps(entry, separators=(",", ":"), ensure_ascii=False).encode()


def main() -> None:
    directory, entries = sys.argv[1], int(sys.argv[2])
    now = time.time()
    database = plyvel.DB(directory, create_if_missing=True)
    for start in range(0, entries, 1000):
        with database.write_batch() as batch:
            for nth in range(start, min(start + 1000, entries)):
                batch.put(f"dataset/{nth:07d}/데이터".encode(), value_of(nth, now))
    # What can be stored there and not here.
    database.put(b"", b"the empty key")
    database.put(b"latin1/\xe9", b"no UTF-8")
    database.put(b"a/../b", b"dot segments")
    database.put(b"x" * 9000, b"a long key")
    database.close()
    print(json.dumps({"now": now}))


main()
