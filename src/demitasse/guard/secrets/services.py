"""Keys that are known by their shape: a vendor's prefix and what must follow it. A table, and one function over it.

Prefixes and lengths are as the vendors document them and as GitHub's list of secret scanning patterns names them
(docs.github.com, "Supported secret scanning patterns", read 21 Nov 2026). A pattern asks for fewer characters than keys have
today where a vendor has changed the length before.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from . import Tries

_W = r"[A-Za-z0-9_-]"
_A = r"[A-Za-z0-9]"
_HEX = r"[0-9a-f]"
_UP = r"[A-Z2-7]"


class Shape(NamedTuple):
    """``mark``: stands in every such key. ``back``: how many characters before the mark the key begins, at most."""

    mark: str
    pattern: re.Pattern[str]
    kind: str = "api_key"
    back: int = 0


def _keys(*rows: tuple[str, str]) -> Iterator[Shape]:
    for mark, rest in rows:
        # What follows is of a known length: a longer run of the same letters is something else, and no key ends in a dash.
        yield Shape(mark, re.compile(re.escape(mark) + rest))


SHAPES: Final[tuple[Shape, ...]] = (
    *_keys(
        ("dmt_", r"[a-z2-7]{8}_[a-z2-7]{20,60}"),  # our own
        # clouds
        ("AKIA", _UP + r"{16}(?![A-Z0-9])|[A-Z0-9]{9,12}EXAMPLE"),
        ("ASIA", _UP + r"{16}(?![A-Z0-9])|[A-Z0-9]{9,12}EXAMPLE"),
        ("ABSK", r"[A-Za-z0-9+/]{100,140}={0,2}"),
        ("AIza", _W + r"{35}"),
        ("GOCSPX-", _W + r"{20,40}"),
        ("LTAI", _A + r"{12,20}(?![A-Za-z0-9])"),
        ("AKID", _A + r"{28,36}(?![A-Za-z0-9])"),
        ("dop_v1_", _HEX + r"{64}"),
        ("doo_v1_", _HEX + r"{64}"),
        ("dor_v1_", _HEX + r"{64}"),
        ("HRKU-", _W + r"{30,70}"),
        ("fo1_", _W + r"{40,60}"),
        ("sbp_", _HEX + r"{40}"),
        ("nfp_", _A + r"{36,42}"),
        ("pscale_", r"(?:pw|tkn|oauth)_[\w.-]{32,64}"),
        ("tskey-", r"[a-z]{3,9}-" + _A + r"{6,32}(?:-" + _A + r"{8,64})?"),
        # code and packages
        ("ghp_", _A + r"{30,255}"),
        ("gho_", _A + r"{30,255}"),
        ("ghu_", _A + r"{30,255}"),
        ("ghs_", _A + r"{30,255}"),
        ("ghr_", _A + r"{30,255}"),
        ("github_pat_", r"\w{22,255}"),
        ("glpat-", r"[\w.-]{20,120}"),
        ("gldt-", _W + r"{20,60}"),
        ("glrt-", _W + r"{20,60}"),
        ("glptt-", _HEX + r"{40}"),
        ("glcbt-", _W + r"{20,80}"),
        ("npm_", _A + r"{36}"),
        ("pypi-", r"AgE[\w-]{50,250}"),
        ("rubygems_", _HEX + r"{48}"),
        ("dckr_pat_", _W + r"{20,60}"),
        ("dckr_oat_", _W + r"{20,60}"),
        ("ATATT3x", r"[\w=.-]{50,250}"),
        ("lin_api_", _A + r"{32,64}"),
        ("figd_", _W + r"{36,60}"),
        ("ntn_", _A + r"{40,60}"),
        ("PMAK-", _HEX + r"{24}-" + _HEX + r"{34}"),
        ("dp.pt.", _A + r"{40,44}"),
        ("hvs.", _W + r"{24,200}"),
        ("hvb.", _W + r"{24,300}"),
        ("pul-", _HEX + r"{40}"),
        ("AGE-SECRET-KEY-1", r"[QPZRY9X8GF2TVDW0S3JN54KHCE6MUA7L]{58}"),
        # language models
        ("sk-", r"(?=[A-Za-z_-]{0,80}[0-9])(?:proj-|svcacct-|admin-|ant-[a-z0-9]{2,8}-|or-v1-|lf-)?[A-Za-z0-9_-]{20,220}"),
        ("hf_", r"[A-Za-z0-9]{30,40}(?![A-Za-z0-9])"),
        ("api_org_", _A + r"{34}"),
        ("gsk_", _A + r"{40,60}"),
        ("xai-", _A + r"{60,100}"),
        ("pplx-", _A + r"{32,64}"),
        ("r8_", _A + r"{37,40}(?![A-Za-z0-9])"),
        ("nvapi-", _W + r"{50,80}"),
        ("tgp_v1_", _W + r"{30,60}"),
        ("lsv2_", r"(?:pt|sk)_" + _HEX + r"{32}_" + _HEX + r"{10}"),
        ("pcsk_", r"\w{40,90}"),
        ("dapi", _HEX + r"{32}(?:-\d)?(?![0-9a-z])"),
        # payment, mail, chat
        ("sk_live_", _A + r"{16,250}"),
        ("sk_test_", _A + r"{16,250}"),
        ("rk_live_", _A + r"{16,250}"),
        ("rk_test_", _A + r"{16,250}"),
        ("whsec_", r"[A-Za-z0-9+/]{24,64}"),
        ("sq0atp-", _W + r"{22}"),
        ("sq0csp-", _W + r"{43}"),
        ("shpat_", r"[0-9a-fA-F]{32}"),
        ("shpca_", r"[0-9a-fA-F]{32}"),
        ("shppa_", r"[0-9a-fA-F]{32}"),
        ("shpss_", r"[0-9a-fA-F]{32}"),
        ("SG.", _W + r"{16,32}\." + _W + r"{16,64}"),
        ("xkeysib-", _HEX + r"{64}-" + _A + r"{16}"),
        ("xoxb-", _W + r"{10,250}"),
        ("xoxp-", _W + r"{10,250}"),
        ("xoxa-", _W + r"{10,250}"),
        ("xoxr-", _W + r"{10,250}"),
        ("xoxs-", _W + r"{10,250}"),
        ("xoxe.", r"xox[bp]-\d-[A-Za-z0-9]{20,250}"),
        ("xapp-", r"\d-[A-Za-z0-9]{6,16}-\d{8,16}-[0-9a-z]{20,80}"),
        ("hooks.slack.com/services/", r"T\w{6,14}/B\w{6,14}/\w{16,32}"),
        ("discord.com/api/webhooks/", r"\d{15,22}/[\w-]{40,90}"),
        ("EAAA", _W + r"{56,70}"),
        # monitoring
        ("glc_", r"[A-Za-z0-9+/]{32,200}={0,2}"),
        ("glsa_", _A + r"{32}_" + _HEX + r"{8}"),
        ("NRAK-", r"[A-Z0-9]{27}"),
        ("sntrys_", r"[\w+/=.-]{40,250}"),
        ("sntryu_", _HEX + r"{64}"),
    ),
    # a mark that stands within the key
    Shape(":AA", re.compile(r"(?<!\d)\d{8,10}:AA[A-Za-z0-9_-]{32,34}(?![A-Za-z0-9_-])"), back=10),  # Telegram's bots
    Shape("Q~", re.compile(r"(?<![A-Za-z0-9_~.-])[A-Za-z0-9_~.]{3}\dQ~[A-Za-z0-9_~.-]{31,34}"), back=4),  # Entra's clients
    Shape("-us", re.compile(r"(?<![0-9a-f])[0-9a-f]{32}-us\d{1,2}(?!\w)"), back=32),  # Mailchimp
    # tokens
    Shape("eyJ", re.compile(r"eyJ[\w-]{8,4000}\.eyJ[\w-]{4,8000}(?:\.[\w-]{0,4000})?"), "token"),
    Shape("ya29.", re.compile(r"ya29\.[\w-]{20,400}"), "token"),
    # keys in PEM and its like
    Shape(
        "-----BEGIN ",
        re.compile(
            r"-----BEGIN (?:[A-Z0-9]{2,20} ){0,3}PRIVATE KEY(?: BLOCK)?-----"
            r"(?:[^-]{0,16000}(?:-----END (?:[A-Z0-9]{2,20} ){0,3}PRIVATE KEY(?: BLOCK)?-----)?)"
        ),
        "private_key",
    ),
    Shape(
        "PuTTY-User-Key-File-",
        re.compile(r"PuTTY-User-Key-File-\d:[^\0]{20,6000}?Private-MAC: ?[0-9a-f]{40,64}"),
        "private_key",
    ),
)  # fmt: skip


def services(text: str, low: str, tries: Tries) -> Iterator[tuple[str, int, int]]:
    """Kind, start and end of what has the shape of a service's key."""
    for sign, shapes in _BY_SIGN:
        if sign in text and (there := [shape for shape in shapes if shape[0] in text]):
            yield from _shaped(text, there, tries)
    if "bearer " in low or "authorization" in low:
        yield from _bearers(text, low, tries)


_SIGNS: Final = ("_", "-", ".", "")
_BY_SIGN: Final = tuple(
    (sign, tuple(s for s in SHAPES if next(one for one in _SIGNS if one in s.mark) == sign)) for sign in _SIGNS
)
"""Most texts have no underscore, and so none of the marks that do."""


def _shaped(text: str, shapes: Iterable[Shape], tries: Tries) -> Iterator[tuple[str, int, int]]:
    for mark, pattern, kind, back in shapes:
        reach = 0
        for at in tries.at(text, mark):
            if at < reach or not (back or _begins(text, at)):
                continue  # within what was found, or within a word
            found = pattern.match(text, at) if not back else pattern.search(text, max(0, at - back), at + 80)
            if found is None or is_slot(found.group()):
                continue
            end = found.end()
            if kind == "api_key":
                while text[end - 1] in "-_.":
                    end -= 1
            reach = end
            yield kind, found.start(), end


def _begins(text: str, at: int) -> bool:
    """No key begins within a word."""
    return at == 0 or not (text[at - 1].isalnum() or (text[at - 1] == "-" and at > 1 and text[at - 2].isalnum()))


_SLOT = re.compile(r"(.)\1{9,}|[xX*.]{8,}|your|YOUR|1234567890abcdef1234567890abcdef|\.\.\.")


def is_slot(key: str) -> bool:
    """Whether it only shows where a key goes: ``ghp_xxxxxxxx…``, ``sk-your-key-here``."""
    return _SLOT.search(key) is not None and "-----" not in key


_BEARER = re.compile(r"bearer\s{1,4}(?P<token>(?=[a-z._~+/-]{0,120}\d)[A-Za-z0-9._~+/-]{16,2000}={0,2})", re.IGNORECASE)
_BASIC = re.compile(
    r"authorization[\"']?\s{0,3}[:=]\s{0,3}[\"']?basic\s{1,4}(?P<token>[A-Za-z0-9+/]{8,400}={0,2})", re.IGNORECASE
)


def _bearers(text: str, low: str, tries: Tries) -> Iterator[tuple[str, int, int]]:
    for mark, pattern in (("bearer ", _BEARER), ("authorization", _BASIC)):
        if mark not in low:
            continue
        for at in tries.at(low, mark):
            found = pattern.match(text, at)
            if found is not None and not is_slot(found["token"]):
                yield "token", found.start("token"), found.end("token")
