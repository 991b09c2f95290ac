"""E-mail addresses, web addresses, IP and hardware addresses. Pure; each is looked for only where its own sign is in the text."""

from __future__ import annotations

import ipaddress
import re
from typing import Final

from .scan import Scan, words


def emails(scan: Scan) -> None:
    """A name, an at sign, labels and a top-level domain of letters (RFC 5321, without quoted names)."""
    text, after = scan.text, 0
    for sign in _AT.finditer(text):
        at = sign.start()
        name = _NAME.search(text, max(after, at - 64), at + 1)
        after = max(after, at + 1)
        domain = _LABELS.match(text, after) if name else None
        if name and domain and not _PICTURE.search(domain[0]):
            scan.add("EMAIL", name.start(), domain.end(), 1.0)
            after = domain.end()


def urls(scan: Scan) -> None:
    """With a scheme, with ``www.``, or a bare domain under one of the common top-level domains."""
    text = scan.text
    if "://" in text:
        at, done = text.find("://"), 0
        while at >= 0:
            scheme = _SCHEME.search(text, max(done, at - 13), at)
            match = _URL.match(text, scheme.start()) if scheme else None
            if match:
                done = match.end()
                scan.add("URL", match.start(), _tail(text, match.start(), done), 1.0)
            at = text.find("://", max(done, at + 3))
    before = done = 0
    for dot in _DOT.finditer(text):  # a domain begins where the run of its characters does
        at = dot.start()
        top = dot[1]
        if at < done or (
            top
            and top.lower() not in _TOPS
            and (text[dot.end(1) : dot.end(1) + 1] != "/" or top.lower() not in _WITH_A_PATH)
        ):
            continue
        while at > before and _in_domain(text[at - 1]):
            at -= 1
        before = dot.end()
        if at and (
            _in_domain(text[at - 1]) or text[at - 1] in "@/"
        ):  # in the run that was looked at before, or an e-mail's
            continue
        match = _DOMAIN.match(text, at)
        if match:
            done = before = match.end()
            scan.add("URL", at, _tail(text, at, done), 0.9 if match[0][:4].lower() == "www." else 0.6)


def _in_domain(char: str) -> bool:
    return char.isalnum() or char in "-._"


def colons(scan: Scan) -> None:
    """IPv6 (``ipaddress`` decides) and MAC addresses: six pairs of hexadecimal digits."""
    text, done = scan.text, 0
    for colon in _COLON.finditer(text):
        start = colon.start()
        if start < done:
            continue
        before = _HEX.search(text, max(0, start - 4), start)
        match = _COLONS.match(text, before.start() if before else start)
        if not match:
            continue
        done = match.end()
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
    text, done = scan.text, 0
    for parted, size in ((_DASHES, 2), (_DOTS, 4)):
        for sign in parted.finditer(text):
            start = sign.start() - size
            match = _DASHED_MAC.match(text, start) if start >= done else None
            if match:
                done = match.end()
                scan.add("MAC", start, done, 0.9)
        done = 0


def _tail(text: str, start: int, end: int) -> int:
    """Where a web address ends: punctuation after it is the sentence's, and so is a bracket that it did not open."""
    while end > start:
        last = text[end - 1]
        if last in ".,;:!?'\"*_~|" or (last == ")" and text.count("(", start, end) < text.count(")", start, end)):
            end -= 1
        else:
            break
    return end


_AT: Final = re.compile(r"@(?=[^\W_])(?<=[\w.%+&'-]@)")
_NAME: Final = re.compile(r"(?<![\w.%+&-])\w[\w.%+&'-]{0,63}+@\Z")
_LABELS: Final = re.compile(
    r"(?:[^\W_](?:[\w-]{0,61}[^\W_])?\.){1,8}(?:[^\W\d_]{2,24}|xn--[a-z0-9-]{2,59})(?![^\W_]|-|_+[^\W_])",
    re.IGNORECASE,
)
_PICTURE: Final = re.compile(r"^\d+x\.|\.(?:png|jpe?g|gif|svg|webp|css|html|json|txt|pdf)\Z", re.IGNORECASE)
"""``logo@2x.png`` is a file."""
_SCHEMES: Final = (
    r"(?:https?|ftps?|sftp|wss?|(?:ssh|git|svn|smb|ldaps?|rtsp|rtmp|mongodb(?:\+srv)?|postgres(?:ql)?|mysql|mariadb"
    r"|rediss?|amqps?|mqtts?)(?!://localhost))"
)
_SCHEME: Final = re.compile(rf"\b{_SCHEMES}(?=\Z|://)", re.IGNORECASE)
_URL: Final = re.compile(rf"\b{_SCHEMES}://[^\s<>\"'`{{}}\[\]\\^]{{1,2000}}+", re.IGNORECASE)
_EVERYWHERE: Final = words(
    "com org net edu gov mil info biz de fr es nl eu ch se dk fi cz ru uk jp cn ie"
    " (?<!com\\.)(?<!org\\.)(?<!net\\.)example"
)
_WITH_A_PATH: Final = words(
    "ly me be gl io co app dev ai gg tv to sh it at in us ca au no hu ro gr tr kr mx ar cl za nz sg hk tw il ua pl pt br xyz"
    " online shop site store blog cloud"
)
"""Common top-level domains; and those that are words or names of code too, so that a path has to follow."""
_TOP: Final = (
    rf"(?:{'|'.join(sorted(_EVERYWHERE))}|(?:co|ac|gov|org|com|net|edu)\.[a-z]{{2}}"
    rf"|(?:{'|'.join(sorted(_WITH_A_PATH))})(?=/[\w-]))(?![\w-]|\.\w)"
)
_TOPS: Final = frozenset(top.rpartition(")")[2] for top in _EVERYWHERE) | {"co", "ac"}
_DOT: Final = re.compile(r"\.(?=([a-z]{2,7})(?![\w-]))|www\.", re.IGNORECASE)
_DOMAIN: Final = re.compile(
    rf"(?<![\w.@/-])(?:www(?:\.[a-z0-9-]{{1,63}}+){{1,7}}+|(?:[a-z0-9-]{{1,63}}+\.(?!{_TOP})){{0,5}}+[a-z0-9-]{{1,63}}+\.{_TOP})"
    r"(?::\d{1,5})?(?:/[^\s<>\"'`{}\[\]\\^]{0,2000}+)?+",
    re.IGNORECASE,
)
_COLON: Final = re.compile(r":(?=[0-9A-Fa-f]{0,4}:)")
_HEX: Final = re.compile(r"[0-9A-Fa-f]{1,4}\Z")
_COLONS: Final = re.compile(r"(?<![\w:.])(?:[0-9a-f]{1,4}(?=:))?(?::[0-9a-f.]{0,15}){2,8}+(?![\w:])", re.IGNORECASE)
_MAC: Final = re.compile(r"[0-9a-f]{2}(?::[0-9a-f]{2}){5}", re.IGNORECASE)
_CLOCK: Final = re.compile(r"\d{1,2}:\d\d:\d\d(?:\.\d*)?")
_DASHES: Final = re.compile(r"-(?=[0-9A-Fa-f]{2}-[0-9A-Fa-f]{2}-)")
_DOTS: Final = re.compile(r"\.(?=[0-9A-Fa-f]{4}\.)")
_DASHED_MAC: Final = re.compile(
    r"(?<![\w-])(?:[0-9a-f]{2}(?:-[0-9a-f]{2}){5}|[0-9a-f]{4}\.[0-9a-f]{4}\.[0-9a-f]{4})(?![\w-])", re.IGNORECASE
)
