"""Which member of a closed set an answer names: labels of a task, or the words of a question's options.

Reads the answer as a whole, what it marks as its result, its first and last sentence, and then the members that occur in
it; a member that is denied ("not positive") is not named. Knows nothing of who is right.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from ...score.normal import plain, said_last


class ClosedSet:
    """The members, ready to be looked for: built once, asked often (6 µs for an answer that is a label)."""

    def __init__(self, members: Sequence[str]) -> None:
        self._whole = {plain(one): one for one in reversed(members)}
        loose: dict[str, str | None] = {}
        for one in members:
            form = _loose(plain(one))
            loose[form] = one if loose.get(form, one) == one else None
        self._loose = {form: one for form, one in loose.items() if form and one is not None}
        # the longest first: "very positive" names positive too, and only the longest speaks
        self._longest = 2 * max(map(len, members), default=0) + _DRESS
        forms = sorted(self._loose, key=len, reverse=True)
        self._any = re.compile(f"(?<= )(?:{'|'.join(map(re.escape, forms))})(?= )") if forms else None

    def named(self, text: str) -> str | None:
        """The one member that a text names; None where it names none, denies one, or names several."""
        found = self.equal(text)
        if found is not None:
            return found
        marked = said_last(text)
        if marked is not None:
            found = self.equal(marked) or self._only(marked)
            if found is not None:
                return found
        sentences = [s for s in _SENTENCES.split(text.strip()) if s.strip()]
        if len(sentences) > 1:
            first, last = self.equal(sentences[0]), self._only(sentences[-1])
            if first is not None or last is not None:
                return (first or last) if first is None or last is None or first == last else None
        return self._only(text)

    def equal(self, text: str) -> str | None:
        """The member that a text is, but for dress, case, and ``_`` for a space."""
        if len(text) > self._longest:
            return None
        form = plain(text)
        return self._whole.get(form) or self._loose.get(_loose(form))

    def _only(self, text: str) -> str | None:
        """The one member that is named; of several, the one that is said to be chosen."""
        if self._any is None:
            return None
        line = f" {_loose(plain(text[-_LOOKED_AT:]))} "
        named, chosen = set(), set()
        for m in self._any.finditer(line):
            near = max(0, m.start() - _NEAR)
            if _DENIED.search(line, near, m.start()) or _DENIED_AFTER.match(line, m.end()):
                continue
            named.add(m[0])
            if _CHOSEN.search(line, near, m.start()):
                chosen.add(m[0])
        found = named if len(named) == 1 else chosen
        return self._loose[next(iter(found))] if len(found) == 1 else None


def _loose(form: str) -> str:
    """Words alone: ``card_arrival`` and ``card arrival`` are one."""
    return " ".join(_NO_WORD.sub(" ", form).split()) if _NO_WORD.search(form) else form


_LOOKED_AT = 2_000
"""Characters from the end in which members are looked for: answers end with what they say."""
_DRESS = 60
"""Characters of Markdown and LaTeX that may be around a member."""
_NEAR = 60
"""Characters before a member in which it may be denied."""
_NO_WORD = re.compile(r"[^\w+#']|_")
_SENTENCES = re.compile(r"(?<=[.!?])\s+|\n+")
_DENIED = re.compile(
    r"(?: (?:not|no|never|neither|nor|than|without|cannot be|rule[sd]? out|ruling out|exclud(?:e|es|ed|ing)"
    r"|eliminat(?:e|es|ed|ing)|doubt|unsure|(?:not|[a-z]+n't) (?:think|believe|sure|certain|know))|n't)"
    r"(?: (?:be|is|it|it's|if|that|this|whether|very|really|clearly|quite|so|particularly|necessarily|purely|entirely|strictly"
    r"|simply|just|either|any))* $"
)
"""What stands before a member that is denied."""
_DENIED_AFTER = re.compile(
    r" (?:is|are|was|seems|would be) (?:also |clearly )?(?:not|wrong|incorrect|false) | (?:is|are|was)n't "
)
_CHOSEN = re.compile(
    r" (?:choose|chose|pick|picked|select|selected|go with|opt for|settle on|decide on|decide for|conclude) $"
)
