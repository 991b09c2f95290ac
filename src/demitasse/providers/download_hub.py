"""A model's file from the hub by HTTPS: looked up first, held to the revision found, resumed by byte range.

Where `huggingface_hub` is installed, its login and endpoint are used; the bytes come the same way without it. A token goes to the
hub's own host and is left out when that redirects elsewhere. No code from a repository is ever run.
"""

from __future__ import annotations

import os
import re
import time
from collections.abc import Mapping
from email.message import Message
from importlib.util import find_spec
from typing import IO, Any, Final
from urllib.error import HTTPError, URLError
from urllib.parse import quote, urljoin, urlsplit
from urllib.request import HTTPRedirectHandler, Request, build_opener

from msgspec import Struct

from ..core.quiet import quiet
from .catalogue import HubSource
from .target import Progress, PullError, Target, check_room, copy

_ENDPOINT: Final = "https://huggingface.co"
_TIMEOUT_S: Final = 30.0
_TRIES: Final = 5
_PAUSE_S: Final = 1.0


class Found(Struct, frozen=True):
    """A file as the hub knows it: held to a commit, with the hash of its content."""

    url: str
    origin: str
    sha256: str
    size_bytes: int
    token: str | None

    def __repr__(self) -> str:
        return f"Found({self.origin!r})"


class Login(Struct, frozen=True):
    """Which hub, and who asks."""

    __repr__ = quiet

    endpoint: str = _ENDPOINT
    token: str | None = None


def login(env: Mapping[str, str]) -> Login:
    """From ``HF_ENDPOINT`` and ``HF_TOKEN``, or what `huggingface_hub` knows when it is installed."""
    endpoint, token = env.get("HF_ENDPOINT") or _ENDPOINT, env.get("HF_TOKEN")
    if token is None and find_spec("huggingface_hub") is not None:
        import huggingface_hub  # noqa: PLC0415 - optional and heavy

        token = huggingface_hub.get_token()
    return Login(endpoint.rstrip("/"), token or None)


def look_up(source: HubSource, who: Login | None = None) -> Found:
    """Asks the hub for commit, hash and size. Raises PullError."""
    who = who or login(os.environ)
    url = _url(source, who, source.revision)
    for _ in range(_TRIES):
        status, headers = _head(url, who, source)
        digest, commit = _unquoted(headers.get("x-linked-etag")), headers.get("x-repo-commit") or ""
        if re.fullmatch(r"[0-9a-f]{64}", digest) and re.fullmatch(r"[0-9a-f]{40}", commit):
            return Found(
                url=_url(source, who, commit),
                origin=f"hf:{source.owner}/{source.repo}@{commit}/{source.file}",
                sha256=digest,
                size_bytes=int(headers.get("x-linked-size") or headers.get("content-length") or 0),
                token=who.token,
            )
        following = urljoin(url, headers.get("location") or url)
        if not 300 <= status < 400 or urlsplit(following).netloc != urlsplit(url).netloc:
            break
        url = following  # the repository was renamed
    raise PullError(f"the hub does not say which content {source} has, so it could not be checked; it was not fetched")


def fetch(found: Found, target: Target, progress: Progress) -> None:
    """Writes ``target.part``, going on where it ends. A broken connection is taken up again. Raises PullError."""
    check_room(target.path.parent, found.size_bytes - target.part_bytes)
    idle_tries = 0
    while (have := target.part_bytes) < found.size_bytes:
        progress(have, found.size_bytes)
        reason = "it ended early"
        try:
            _go_on(found, target, have, progress)
        except (URLError, OSError) as error:
            if isinstance(error, HTTPError) and error.code < 500:
                raise PullError(f"{found.origin} cannot be fetched: {_meaning(error.code)}") from error
            reason = str(error)
        if (came := target.part_bytes) >= found.size_bytes:
            return
        idle_tries = 0 if came > have else idle_tries + 1
        if idle_tries >= _TRIES:
            raise PullError(
                f"{found.origin} broke off at {came:,} of {found.size_bytes:,} bytes ({reason}); pull again to go on"
            )
        time.sleep(_PAUSE_S)


def _go_on(found: Found, target: Target, have: int, progress: Progress) -> None:
    headers = {"range": f"bytes={have}-"} if have else {}
    with _opener(follow=True).open(_request(found.url, found.token, headers), timeout=_TIMEOUT_S) as answer:
        if have and answer.status != 206:
            have = 0  # it sends all of it again
        with target.part.open("r+b" if have else "wb") as out:
            out.seek(have)
            _copy(answer, out, have, found.size_bytes, progress)


def _copy(answer: IO[bytes], out: IO[bytes], have: int, total: int, progress: Progress) -> None:
    copy(answer, out, lambda done: progress(have + done, total), at_most=total - have)


def _head(url: str, who: Login, source: HubSource) -> tuple[int, Message]:
    try:
        with _opener(follow=False).open(_request(url, who.token, {}, method="HEAD"), timeout=_TIMEOUT_S) as answer:
            return answer.status, answer.headers
    except HTTPError as error:
        if 300 <= error.code < 400:
            return error.code, error.headers
        raise PullError(f"{source} cannot be fetched: {_meaning(error.code)}") from error
    except (URLError, OSError) as error:
        reason = getattr(error, "reason", error)
        raise PullError(
            f"the hub at {who.endpoint} cannot be reached ({reason}); try again, or give a .gguf path"
        ) from error


def _meaning(status: int) -> str:
    match status:
        case 401 | 403:
            return "it needs a login: accept its licence on the hub and set HF_TOKEN"
        case 404:
            return "there is no such repository, revision or file (or it is private: set HF_TOKEN)"
        case _:
            return f"the hub answered {status}"


def _url(source: HubSource, who: Login, revision: str) -> str:
    return f"{who.endpoint}/{source.owner}/{source.repo}/resolve/{quote(revision, safe='')}/{quote(source.file)}"


def _unquoted(etag: str | None) -> str:
    return (etag or "").removeprefix("W/").strip('"')


def _request(url: str, token: str | None, headers: dict[str, str], method: str = "GET") -> Request:
    request = Request(url, headers={"user-agent": "demitasse", "accept-encoding": "identity", **headers}, method=method)  # noqa: S310 - the endpoint's own scheme
    if token is not None:
        request.add_unredirected_header("authorization", f"Bearer {token}")
    return request


def _opener(*, follow: bool) -> Any:
    return build_opener(_Redirects() if follow else _NoRedirects())


class _NoRedirects(HTTPRedirectHandler):
    def redirect_request(self, *_: Any) -> None:
        return None


class _Redirects(HTTPRedirectHandler):
    """Follows, but never from HTTPS to anything else; the token is an unredirected header, so it stays behind."""

    def redirect_request(self, req: Request, fp: Any, code: int, msg: str, headers: Any, newurl: str) -> Request | None:
        if req.type == "https" and urlsplit(newurl).scheme != "https":
            raise URLError(f"the hub redirects to {urlsplit(newurl).scheme}, which is not followed")
        return super().redirect_request(req, fp, code, msg, headers, newurl)
