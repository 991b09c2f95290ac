"""Who may knock: loopback is no identity. A web page must not spend its reader's money through the loopback port.

Knows the headers of one request; decides nothing about keys.
"""

from __future__ import annotations

from collections.abc import Mapping

from ..core.errors import Refused

_OWN_NAMES = frozenset({"localhost", "127.0.0.1", "[::1]", "::1"})


class Door:
    """Checks Host, Origin, Sec-Fetch-Site and the content type.

    Args:
        loopback: bound to loopback, so Host must name it (a foreign name that resolves here is DNS rebinding).
        cors: origins that the configuration lets in.
    """

    def __init__(self, *, loopback: bool, cors: tuple[str, ...] = ()) -> None:
        self._loopback = loopback
        self._cors = frozenset(origin.rstrip("/").lower() for origin in cors)
        self._good_hosts: set[bytes] = set()

    def check(self, method: str, headers: Mapping[bytes, bytes], *, page: bool = False) -> str | None:
        """Refused 403 or 415 for what comes from elsewhere; returns the origin to echo when CORS lets it in.

        ``page``: a path of the dashboard, where forms post and links may be followed from anywhere.
        """
        host = headers.get(b"host", b"")
        if self._loopback and host not in self._good_hosts:
            self._check_host(host)
        origin = headers.get(b"origin")
        allowed: str | None = None
        if origin is not None:
            name = origin.decode("latin-1").lower()
            if name in self._cors:
                allowed = name
            elif not _same(name, host):
                raise _foreign("Origin", name)
        site = headers.get(b"sec-fetch-site")
        if (
            site is not None
            and allowed is None
            and site not in (b"same-origin", b"none")
            and not (page and method == "GET")
        ):
            raise _foreign("Sec-Fetch-Site", site.decode("latin-1"))
        if method == "POST" and not page:
            kind = headers.get(b"content-type", b"")
            if not kind.lower().startswith(b"application/json"):
                raise Refused(
                    f"content-type is '{kind.decode('latin-1')[:60]}'; send the body as 'content-type: application/json'",
                    status=415,
                    code="unsupported_media_type",
                )
        return allowed

    def _check_host(self, host: bytes) -> None:
        name = host.decode("latin-1").lower()
        bare = name.rsplit(":", 1)[0] if not name.endswith("]") and name != "::1" else name
        if bare not in _OWN_NAMES:
            raise _foreign("Host", name)
        if len(self._good_hosts) < 64:
            self._good_hosts.add(host)


def _same(origin: str, host: bytes) -> bool:
    return host != b"" and origin.partition("://")[2] == host.decode("latin-1").lower()


def _foreign(header: str, value: str) -> Refused:
    return Refused(
        f"this request comes from elsewhere ({header}: {value[:80]}); a web page that may call is named by its origin in "
        "[server] cors",
        status=403,
        code="foreign_origin",
        type="permission_error",
    )
