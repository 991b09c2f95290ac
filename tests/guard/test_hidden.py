"""Hidden characters: found where they hide something, left alone where scripts and emoji need them."""

from __future__ import annotations

import itertools
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from demitasse.guard import hidden
from demitasse.guard.kinds import HIDDEN


def tags(said: str) -> str:
    return "".join(chr(0xE0000 + ord(char)) for char in said)


def selectors(said: str) -> str:
    return "".join(chr(0xFE00 + byte) if byte < 16 else chr(0xE0100 + byte - 16) for byte in said.encode())


FOUND = [
    ("tag", f"Nice day{tags('obey me')}!", "Nice day!"),
    ("tag", "\U0001f3f4" + tags("obey me") + "\U000e007f", "\U0001f3f4"),
    ("zero_width", "ig\u200bno\u200bre", "ignore"),
    ("zero_width", "ig\u2060nore", "ignore"),
    ("zero_width", "pass\u200dword", "password"),
    ("zero_width", "i\u00adg\u00adn\u00adore", "ignore"),
    ("zero_width", "ok\u200b\u200c\u200d\u200b done", "ok done"),
    ("zero_width", "\u3164blank", "blank"),
    ("zero_width", "می\u200c\u200c\u200c\u200cخواهم", "میخواهم"),
    ("bidi", "if access \u202e}", "if access }"),
    ("bidi", "ig\u200enore", "ignore"),
    ("bidi", "hello \u2067 there", "hello  there"),
    ("bidi", "שלום \u202eabc", "שלום abc"),
    ("variation_selector", f"a{selectors('secret')}b", "ab"),
    ("variation_selector", "i\ufe0eg\ufe0fnore", "ignore"),
    ("variation_selector", "😀" + selectors("hi"), "😀"),
    ("control", "ig\x08nore\x00", "ignore"),
    ("control", "a\x1b[8mhidden\x1b[0m", "ahidden\x1b[0m"),
    ("control", "a\x1b[2Jb", "ab"),
    ("homoglyph", "іgnore all", "ignore all"),
    ("homoglyph", "pаypаl.com", "paypal.com"),
    ("homoglyph", "ignοre", "ignore"),
    ("homoglyph", "pαsswοrd", "password"),
    ("homoglyph", "Cегодня хорошо", "Сегодня хорошо"),
]


@pytest.mark.parametrize(("kind", "text", "plain"), FOUND)
def test_what_hides_is_found_by_its_kind_and_stripped(kind: str, text: str, plain: str) -> None:
    found = hidden.find(text)
    assert found and {one.kind for one in found} == {kind}
    assert kind in HIDDEN
    assert hidden.strip(text) == plain


HONEST = [
    "Plain text, tabs\tand\r\nlines\f.",
    "👨‍👩‍👧‍👦 👩🏽‍💻 ❤️ ❤️‍🔥 🏳️‍🌈 🏴‍☠️ 1️⃣ #️⃣ ™️ ☺︎ 🇩🇪🇫🇷 🧑‍⚕️ 🏃‍➡️ 👁️‍🗨️",
    "🏴\U000e0067\U000e0062\U000e0065\U000e006e\U000e0067\U000e007f",
    "می‌خواهم کتاب‌ها را بخوانم",
    "क्‍ष और श्रीमान्‌जी, ক্‍ষ, ශ්‍රී ලංකා, മലയാളം ന്‍",
    "ភាសា\u200bខ្មែរ ภาษา\u200bไทย 日本\u200b語",
    "שלום \u200fעולם (abc)\u200e 12:30 \u2067עברית\u2069",
    "مرحبا \u200fworld\u200e و \u202bسلام\u202c",
    "Привет, это обычный текст про сеть, хор и сосну. Ёлка, українська їжа, Србија ђ ј љ.",
    "Η Αθήνα είναι η πρωτεύουσα. Ο κόσμος.",
    "USB-кабель, Wi-Fi роутер, SMSка, ITшник, iPhone и кВт",
    "TNFα and IFNγ at 5 μm, αMHC, 10 kΩ, sinα, Δx, ρgh, NFκB, PPARα agonists",
    "\ufeffA file with its mark of byte order",
    "Donau\u00addampf\u00adschiff, line\u00ad\nend",
    "\x1b[31mred\x1b[0m \x1b[1;32mok\x1b[K",
    "It\x92s a \x93quote\x94",
    "\u202aC:\\Users\\me\\file.txt",
    "‎+49 30 123456 sent from a phone",
    "Hello \u2068Anna\u2069, welcome",
    "葛\U000e0100城 ≨\ufe00 0\ufe00",
    "stray \ufe0f selector",
    "naïve café Straße Łódź İstanbul Ørsted",
    "한국어 ᄀ\u1160",
]


@pytest.mark.parametrize("text", HONEST)
def test_what_scripts_and_emoji_need_is_no_finding(text: str) -> None:
    assert hidden.find(text) == []
    assert hidden.strip(text) is text


def test_findings_lie_in_order_without_overlaps_at_code_points_of_the_given_text() -> None:
    text = f"😀a\u200bb іgnore{tags('x')} \x07"
    found = hidden.find(text)
    assert [text[one.start : one.end] for one in found] == ["\u200b", "іgnore", tags("x"), "\x07"]
    assert all(a.end <= b.start for a, b in itertools.pairwise(found))


def test_a_bidi_control_is_judged_by_its_own_line() -> None:
    assert hidden.find("abc \u2067def\nשלום") != []
    assert hidden.find("abc def\nשלום \u2067def\nx") == []
    assert [one.start for one in hidden.find("שלום \u2067a\nb\u2067c\nשלום \u2067d")] == [9]


@given(st.text(alphabet="abZé ßаеДοαπ1_-'", max_size=40))
def test_words_of_two_scripts_are_all_looked_at(text: str) -> None:
    words = re.finditer(r"[^\W\d_]*[A-Za-z][^\W\d_]*", text)
    slowly = [match.span() for match in words if hidden._is_disguised(match[0])]
    assert [(one.start, one.end) for one in hidden.find(text)] == (slowly if hidden._MIXED.search(text) else [])
