"""What can go wrong, as one tree. Each error is a sentence: what, where, what now.

DemitasseError
├── ConfigError            a setting is wrong; the message names place and remedy
├── StoreError             the ledger cannot keep its promise (disk full, locked, damaged): calls are refused
├── Refused                we say no before any money is spent; becomes an HTTP error in the client's dialect
└── UpstreamError          a model could not answer; carries what the attempt cost and whether another may be tried
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .entry import Attempt


class DemitasseError(Exception):
    """Root of all errors that Demitasse raises on purpose; ``str(error)`` is fit for a user's eyes."""


class ConfigError(DemitasseError):
    """A setting that cannot be used, e.g. ``routes.auto.ladder: no model 'smal'; did you mean 'small'?``."""


class StoreError(DemitasseError):
    """The store cannot commit. While this lasts no call is answered, because none may go uncounted."""


class Refused(DemitasseError):
    """A call that is turned away before any model is asked.

    Args:
        message: one sentence for the caller: what, why, what now.
        status: HTTP status.
        code: machine-readable reason, one of those in ``docs/reference/errors.md``.
        type: the family, as OpenAI's SDK names it (``invalid_request_error``, ``insufficient_quota``, …).
        param: the offending parameter's name, if one is to blame.
        retry_after_s: seconds until the same call could pass, if known.
        final: true when trying again at once cannot help (sent as ``x-should-retry: false``).
    """

    def __init__(
        self,
        message: str,
        *,
        status: int = 400,
        code: str | None = None,
        type: str = "invalid_request_error",
        param: str | None = None,
        retry_after_s: float | None = None,
        final: bool = True,
        headers: tuple[tuple[str, str], ...] = (),
    ) -> None:
        super().__init__(message)
        self.message = message
        self.status = status
        self.code = code
        self.type = type
        self.param = param
        self.retry_after_s = retry_after_s
        self.final = final
        self.headers = headers


class UpstreamError(DemitasseError):
    """A model did not answer, or broke off.

    Attributes:
        status: the HTTP status to show the client (an upstream's own 4xx/429 is kept, everything else is 502/504).
        body: the upstream's error object as JSON bytes (``{"error": {…}}``) when it sent a usable one, else None.
        retryable: whether the same or another model may be asked instead (connect errors, 408, 409, 429, 5xx).
        billable: whether the upstream may have charged for it (the request was sent and no error status came back).
        after_content: whether content had already been passed on, so that nothing may be tried instead.
        retry_after_s: what the upstream asked for, if it did.
        attempt: the physical call for the books, once known.
    """

    def __init__(
        self,
        message: str,
        *,
        status: int = 502,
        code: str = "upstream_error",
        type: str = "upstream_error",
        body: bytes | None = None,
        retryable: bool = True,
        billable: bool = False,
        after_content: bool = False,
        retry_after_s: float | None = None,
        attempt: Attempt | None = None,
        **facts: Any,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.status = status
        self.code = code
        self.type = type
        self.body = body
        self.retryable = retryable
        self.billable = billable
        self.after_content = after_content
        self.retry_after_s = retry_after_s
        self.attempt = attempt
        self.facts = facts
