"""The job of the Python original, for the benchmark: FastAPI in front of LevelDB.

The routes that the workloads use, and no more: nothing is counted, nothing expires, and what a request
does not need is left out, so it is faster than the original. One process, since LevelDB has one
owner. Bodies are stored as they come. Arguments: port, directory.
"""

import sys

import plyvel
import uvicorn
from fastapi import FastAPI, Request, Response
from fastapi.responses import JSONResponse

PORT, DIRECTORY = int(sys.argv[1]), sys.argv[2]
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


uvicorn.run(
    app,
    host="127.0.0.1",
    port=PORT,
    loop="uvloop",
    http="httptools",
    ws="none",
    lifespan="off",
    access_log=False,
    log_level="warning",
    timeout_keep_alive=3600,
)
