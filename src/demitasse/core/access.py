"""Who may do what: the scopes, the roles that bundle them, and one table of every path with the scope that it needs.

Pure. Knows names of paths, and nothing of what they answer. Whoever adds a page, a form or an address adds its row here:
what has no row is for the scope ``admin`` alone, and a test holds the table against all that is there.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Final

SCOPES: Final[dict[str, str]] = {
    "call": "use the models, read one's own calls, say how good answers were",
    "read": "see figures: what was called, paid and saved, by whom, and every page without words of a call",
    "content": "read the words of calls, where they are kept, and vote on answers",
    "operate": "set budgets, pause and resume keys, switch savings, promote and undo, clear caches, mark alerts as done",
    "audit": "make evidence packs",
    "admin": "all of it, and keys: create, revoke, erase",
}

ROLES: Final[dict[str, tuple[str, ...]]] = {
    "admin": ("admin",),
    "operator": ("read", "operate"),
    "developer": ("call",),
    "auditor": ("read", "audit"),
}
"""Bundles by name. An auditor verifies without reading a word and without calling; an operator steers without either."""

OPEN: Final = "open"
"""Needs no key."""
ANY: Final = "any"
"""Any key in force."""

PATHS: Final[dict[str, str]] = {
    # The API: gateway/http.
    "POST /v1/chat/completions": "call",
    "POST /v1/completions": "call",
    "POST /v1/embeddings": "call",
    "POST /chat/completions": "call",
    "POST /completions": "call",
    "POST /embeddings": "call",
    "GET /v1/models": ANY,
    "GET /v1/models/*": ANY,
    "GET /models": ANY,
    "GET /healthz": OPEN,
    "GET /readyz": OPEN,
    "GET /metrics": "read",
    "POST /demitasse/feedback": "call",
    "GET /demitasse/calls": ANY,  # the caller's own
    "GET /demitasse/calls/*": "read",
    "GET /demitasse/semantic": "read",
    "GET /demitasse/semantic/*": "content",
    "POST /demitasse/semantic/evict": "operate",
    "GET /demitasse/status": "read",
    "GET /demitasse/cache": "read",
    "POST /demitasse/cache/clear": "operate",
    # The pages: web/app.
    "GET /": "read",
    "GET /savings": "read",
    "GET /ledger": "read",
    "GET /ledger/*": "read",
    "GET /routes": "read",
    "GET /what-if": "read",
    "GET /budgets": "read",
    "GET /engines": "read",
    "GET /cache": "read",
    "GET /evaluations": "read",
    "GET /evaluations/*": "read",
    "GET /frontier": "read",
    "GET /models/made/*": "read",
    "GET /review": "read",
    "GET /settings": "read",
    "GET /watch": "read",
    "GET /governance": "read",
    "GET /governance/*": "read",
    "POST /governance/pack": "audit",
    "GET /waiting": "read",
    "POST /waiting/read": "operate+content",  # who may decide and may read words
    "POST /waiting/reject": "operate",
    "GET /components": "admin",  # a showcase, with buttons of all kinds
    "GET /parts/*": "read",
    "GET /login": OPEN,
    "POST /login": OPEN,
    "POST /logout": OPEN,
    "GET /static/*": OPEN,
    "GET /favicon.ico": OPEN,
    # The pages' forms: web/actions.
    "POST /budgets/set": "operate",
    "POST /budgets/remove": "operate",
    "POST /keys/create": "admin",
    "POST /keys/revoke": "admin",
    "POST /keys/resume": "operate",
    "POST /keys/pause": "operate",
    "POST /alerts/resolve": "operate",
    "POST /alerts/reopen": "operate",
    "POST /cache/clear": "operate",
    "POST /savings/switch": "operate",
    "POST /certificates/certify": "operate",
    "POST /certificates/promote": "operate",
    "POST /certificates/undo": "operate",
    "POST /review/vote": "content",
    "POST /watch/do": "operate",
    "POST /watch/undo": "operate",
    "POST /watch/accept": "operate",
    "POST /watch/unaccept": "operate",
}
"""Method and path → the scope needed, or scopes with ``+`` between them: all of them. ``*`` at the end stands for whatever
follows; an exact row goes before it."""

OWN: Final = frozenset({"GET /demitasse/calls/*", "GET /demitasse/semantic/*"})
"""Rows whose scope is for others' calls: of one's own, any key may ask."""


def row(method: str, path: str) -> str | None:
    """The table's row for a request; None where it has none. HEAD is as GET."""
    verb = "GET" if method == "HEAD" else method
    exact = f"{verb} {path}"
    if exact in PATHS:
        return exact
    while "/" in path:
        path = path.rpartition("/")[0]
        if (wide := f"{verb} {path}/*") in PATHS:
            return wide
    return None


def needed(method: str, path: str) -> str:
    """The scope that a request needs, ``open`` or ``any``; ``admin`` for what stands in no row."""
    found = row(method, path)
    return "admin" if found is None else PATHS[found]


def may(scopes: Collection[str], needs: str) -> bool:
    """Whether a key with these scopes may do what needs that one, or those."""
    return "admin" in scopes or needs in (OPEN, ANY) or all(one in scopes for one in needs.split("+"))


def role_of(scopes: Collection[str]) -> str:
    """The role whose bundle this is; empty where it is none."""
    return next((name for name, bundle in ROLES.items() if set(bundle) == set(scopes)), "")


def sentence(who: str, scopes: Collection[str], needs: str) -> str:
    """Why not, and what now."""
    wanted = needs.split("+")
    roles = [name for name, bundle in ROLES.items() if needs in bundle]
    also = f", which the role {' or '.join(roles)} has" if roles and needs != "admin" else ""
    said = f"the scope '{needs}'" if len(wanted) == 1 else "the scopes " + " and ".join(f"'{one}'" for one in wanted)
    return (
        f"key '{who}' may not do this: it needs {said}{also}, and the key has {', '.join(scopes) or 'none'}; "
        f"make one with: demitasse keys create NAME {' '.join(f'--scope {one}' for one in wanted)}"
    )
