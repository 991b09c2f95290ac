"""What is taken out of the rows to learn from before anything does: passages of test rows, and rows that look poisoned. Pure.

Nobody is asked and nothing is repaired: a row that is in doubt teaches nothing, and the manifest counts it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

from msgspec import structs

from ..tasks.contamination import overlap, text_of
from .lesson import lessons_of
from .poison import Risk, suspects
from .split import Split


def cleaned(found: Split, *, tell: Callable[[str], None] = lambda _line: None, risk: Risk | None = None) -> Split:
    """The same split with less to learn from.

    Args:
        tell: hears what was found, one line each.
        risk: that a question gives orders, in 0..1 (``guard.injection.score``); None: phrases alone are looked for.
    """
    before = overlap(found.test, (text_of(sample) for sample in found.train.samples))
    shared = set(overlap(found.train, (text_of(sample) for sample in found.test.samples)).ids)
    why = dict.fromkeys(shared, "passage of a test row")
    system = (found.train.system, found.train.template)
    for one in suspects(lessons_of(found.train), common=[text for text in system if text], risk=risk):
        tell(f"{len(one.ids)} rows are not learned from ({one.why}): {one.sign}")
        for id in one.ids:
            why.setdefault(id, one.why)
    dropped = Counter(why[sample.id] for sample in found.train.samples if sample.id in why)
    return structs.replace(
        found,
        train=structs.replace(found.train, samples=tuple(s for s in found.train.samples if s.id not in why)),
        dropped={**found.dropped, **dropped},
        contaminated=before.share,
    )
