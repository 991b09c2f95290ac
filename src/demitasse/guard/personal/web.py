"""E-mail addresses, web addresses, IP and hardware addresses. Pure; each is looked for only where its own sign is in the text."""

from __future__ import annotations

import ipaddress
import re
from typing import Final

from .scan import Scan


def emails(scan: Scan) -> None:
    """A name, an at sign, labels and a top-level domain of letters (RFC 5321, without quoted names)."""
    for match in _EMAIL.finditer(scan.text):
        scan.add("EMAIL", match.start(), match.end(), 1.0)


def urls(scan: Scan) -> None:
    """With a scheme, with ``www.``, or a bare domain under one of the common top-level domains."""
    text = scan.text
    if "://" in text:
        for match in _URL.finditer(text):
            scan.add("URL", match.start(), _tail(text, match.start(), match.end()), 1.0)
    if not _DOT.search(text):
        return
    for match in _DOMAIN.finditer(text):
        at = match.start()
        if at and text[at - 1] in "@/":
            continue
        scan.add("URL", at, _tail(text, at, match.end()), 0.9 if match[0][:4].lower() == "www." else 0.6)


def colons(scan: Scan) -> None:
    """IPv6 (``ipaddress`` decides) and MAC addresses: six pairs of hexadecimal digits."""
    for match in _COLONS.finditer(scan.text):
        said = match[0].rstrip(".:") if not match[0].endswith("::") else match[0]
        if _MAC.fullmatch(said):
            scan.add("MAC", match.start(), match.start() + len(said), 1.0)
        elif len(said) >= 7 and not _CLOCK.fullmatch(said) and any(sign.isdecimal() for sign in said):
            try:
                ipaddress.IPv6Address(said)
            except ValueError:
                continue
            scan.add("IP", match.start(), match.start() + len(said), 1.0)


def dashed_mac(scan: Scan) -> None:
    """As Windows and switches write them: ``00-1B-63-84-45-E6``, ``001b.6384.45e6``."""
    for match in _DASHED_MAC.finditer(scan.text):
        scan.add("MAC", match.start(), match.end(), 0.9)


def _tail(text: str, start: int, end: int) -> int:
    """Where a web address ends: punctuation after it is the sentence's, and so is a bracket that it did not open."""
    while end > start:
        last = text[end - 1]
        if last in ".,;:!?'\"*_~|" or (last == ")" and text.count("(", start, end) < text.count(")", start, end)):
            end -= 1
        else:
            break
    return end


_EMAIL: Final = re.compile(
    r"(?<![\w.%+&-])\w[\w.%+&'-]{0,63}+@(?:[^\W_](?:[\w-]{0,61}[^\W_])?\.){1,8}(?:[^\W\d_]{2,24}|xn--[a-z0-9-]{2,59})(?![\w-])",
    re.IGNORECASE,
)
_URL: Final = re.compile(r"\b(?:https?|ftps?|sftp|wss?)://[^\s<>\"'`{}\[\]\\^]{1,2000}+", re.IGNORECASE)
_TOP: Final = r"(?:com|org|net|edu|gov|mil|info|biz|(?:co|ac|gov|org|com|net|edu)\.[a-z]{2})(?![\w-]|\.\w)"
_DOT: Final = re.compile(rf"\.{_TOP}|www\.", re.IGNORECASE)
_DOMAIN: Final = re.compile(
    rf"(?<![\w.@/-])(?:www(?:\.[a-z0-9-]{{1,63}}+){{1,7}}+|(?:[a-z0-9-]{{1,63}}+\.(?!{_TOP})){{0,5}}+[a-z0-9-]{{1,63}}+\.{_TOP})"
    r"(?::\d{1,5})?(?:/[^\s<>\"'`{}\[\]\\^]{0,2000}+)?+",
    re.IGNORECASE,
)
_COLONS: Final = re.compile(r"(?<![\w:.])(?:[0-9a-f]{1,4}(?=:))?(?::[0-9a-f.]{0,15}){2,8}+(?![\w:])", re.IGNORECASE)
_MAC: Final = re.compile(r"[0-9a-f]{2}(?::[0-9a-f]{2}){5}", re.IGNORECASE)
_CLOCK: Final = re.compile(r"\d{1,2}:\d\d:\d\d(?:\.\d*)?")
_DASHED_MAC: Final = re.compile(
    r"(?<![\w-])(?:[0-9a-f]{2}(?:-[0-9a-f]{2}){5}|[0-9a-f]{4}\.[0-9a-f]{4}\.[0-9a-f]{4})(?![\w-])", re.IGNORECASE
)
