"""Static files by content: each has an address that holds its hash, so that a browser may keep it for good."""

from __future__ import annotations

import gzip
import hashlib
from functools import cache
from pathlib import Path
from typing import Final

from msgspec import Struct
from starlette.requests import Request
from starlette.responses import Response

STATIC: Final = Path(__file__).parent / "static"
TYPES: Final = {
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".json": "application/json",
    ".svg": "image/svg+xml",
}


class Asset(Struct, frozen=True):
    """A file as it is sent: always gzipped in memory, plain only for the rare client that cannot take it."""

    path: Path
    packed: bytes
    sha256: str
    type: str


def url(name: str) -> str:
    """``/static/app.css?v=1f2e…``; raises KeyError for a file that is not there."""
    return f"/static/{name}?v={load(name).sha256[:12]}"


@cache
def load(name: str) -> Asset:
    """A file below ``static``, read once. Raises KeyError for anything else."""
    path = STATIC / name
    if path.suffix not in TYPES or not path.resolve().is_relative_to(STATIC.resolve()) or not path.is_file():
        raise KeyError(name)
    content = path.read_bytes()
    packed = gzip.compress(content, 6, mtime=0)
    return Asset(path, packed, hashlib.sha256(content).hexdigest(), TYPES[path.suffix])


def serve(request: Request) -> Response:
    """One file, for good when asked for by its hash, else to be asked about again. Runs in a worker thread."""
    try:
        asset = load(request.path_params["name"])
    except KeyError:
        return Response("no such file\n", 404, media_type="text/plain")
    tag = f'"{asset.sha256[:16]}"'
    current = request.query_params.get("v") == asset.sha256[:12]
    headers = {
        "etag": tag,
        "vary": "accept-encoding",
        "cache-control": "public, max-age=31536000, immutable" if current else "no-cache",
    }
    if tag in request.headers.get("if-none-match", ""):
        return Response(status_code=304, headers=headers)
    if "gzip" in request.headers.get("accept-encoding", ""):
        return Response(asset.packed, headers={**headers, "content-encoding": "gzip"}, media_type=asset.type)
    return Response(gzip.decompress(asset.packed), headers=headers, media_type=asset.type)
