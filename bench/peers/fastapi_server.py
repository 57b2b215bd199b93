"""The job of the Python original, for the benchmark: FastAPI in front of LevelDB.

The routes that the workloads use, and no more: nothing is counted, nothing expires, and what a request
does not need is left out, so it is faster than the original. One process, since LevelDB has one
owner. Bodies are stored as they come.

Arguments: port, directory, and "tuned" or "plain": uvicorn at its best, or as `pip install uvicorn` has
it. The plain one logs each request, to nowhere.
"""

import os
import sys

import plyvel
import uvicorn
from fastapi import FastAPI, Request, Response
from fastapi.responses import JSONResponse

PORT, DIRECTORY, IS_TUNED = int(sys.argv[1]), sys.argv[2], sys.argv[3] == "tuned"
MIB = 1024 * 1024

# Blocks of all hot entries stay in memory, unpacked; a larger write buffer means fewer compactions.
database = plyvel.DB(
    DIRECTORY,
    create_if_missing=True,
    compression=None,
    lru_cache_size=256 * MIB,
    write_buffer_size=64 * MIB,
    bloom_filter_bits=10,
)
app = FastAPI(openapi_url=None)


# The handlers are coroutines, which are not sent to a thread: LevelDB is quicker than that.
@app.get("/pickle/{key:path}")
async def read(key: str) -> Response:
    body = database.get(key.encode())
    if body is None:
        return JSONResponse({"detail": "cache miss"}, status_code=404)
    return Response(body, media_type="application/octet-stream")


@app.post("/pickle/{key:path}")
async def write(key: str, request: Request) -> Response:
    database.put(key.encode(), await request.body())
    return JSONResponse({"key": key, "expire": "not set"})


os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
uvicorn.run(
    app,
    host="127.0.0.1",
    port=PORT,
    loop="uvloop" if IS_TUNED else "asyncio",
    http="httptools" if IS_TUNED else "h11",
    access_log=not IS_TUNED,
    log_level="warning" if IS_TUNED else "info",
    timeout_keep_alive=3600,
)
