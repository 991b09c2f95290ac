"""The reading side of the evidence: labels and certificates, for commands, pages and the lab; safe beside a gateway.

Labels lie in the chain's events; their table only says where. Writes nothing and knows nothing of calls under way.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import msgspec
from msgspec import Struct

from ..core.evidence import Label
from ..core.policy import Certificate, CertificateState, decode_certificate
from .books import Reading


class _Labelled(Struct):
    label: Label


_decode = msgspec.json.Decoder(_Labelled).decode
_PICK = "SELECT labels.seq, leaf FROM labels JOIN events USING (seq)"


class SqliteEvidence(Reading):
    """Reads the evidence in the directory ``data``; see ``core.evidence.EvidenceBooks`` for the contract.

    Each thread that asks gets its own connection. Every method may raise StoreError.
    """

    def labels(
        self, *, route: str | None = None, since_us: int = 0, until_us: int | None = None, source: str | None = None
    ) -> list[Label]:
        """Labels of calls in [since_us, until_us), oldest call first; of one source's words on a call the last."""
        where, values = _matching(route=route, source=source)
        where.append("labels.at_us >= ?")
        values.append(since_us)
        if until_us is not None:
            where.append("labels.at_us < ?")
            values.append(until_us)
        rows = self._rows(f"{_PICK} WHERE {' AND '.join(where)} ORDER BY labels.at_us, labels.seq", values)
        return [read_label(leaf) for _, leaf in rows]

    def latest(self, last: int, *, route: str | None = None, source: str | None = None) -> list[Label]:
        """The labels that came last, newest first."""
        where, values = _matching(route=route, source=source)
        only = f" WHERE {' AND '.join(where)}" if where else ""
        rows = self._rows(f"{_PICK}{only} ORDER BY labels.seq DESC LIMIT ?", [*values, last])
        return [read_label(leaf) for _, leaf in rows]

    def newer(self, seq: int, *, route: str | None = None, since_us: int = 0) -> list[tuple[int, Label]]:
        """Labels of calls since ``since_us`` in the order in which they came, each with its place in the chain, after the
        place ``seq``.

        For whoever follows along: a label may be about a call that is older than another's.
        """
        where, values = _matching(route=route)
        where += ["labels.seq > ?", "labels.at_us >= ?"]
        values += [seq, since_us]
        rows = self._rows(f"{_PICK} WHERE {' AND '.join(where)} ORDER BY labels.seq", values)
        return [(at, read_label(leaf)) for at, leaf in rows]

    def last_place(self) -> int:
        """The place of the label that came last; 0 where there is none."""
        return int(self._rows("SELECT coalesce(max(seq), 0) FROM labels", [])[0][0])

    def of(self, ids: Iterable[str], *, source: str | None = None) -> list[Label]:
        """All labels of these calls."""
        found: list[Label] = []
        wanted = list(ids)
        for at in range(0, len(wanted), 500):
            part = wanted[at : at + 500]
            where, values = _matching(source=source)
            where.append(f"labels.id IN ({','.join('?' * len(part))})")
            sql = f"{_PICK} WHERE {' AND '.join(where)} ORDER BY labels.seq"
            found += [read_label(leaf) for _, leaf in self._rows(sql, [*values, *part])]
        return found

    def certificates(self, *, route: str | None = None) -> list[tuple[Certificate, CertificateState, int, str]]:
        """Newest first: certificate, state, since when (UTC microseconds), and why."""
        where, values = _matching("certificates", route=route)
        only = f" WHERE {where[0]}" if where else ""
        rows = self._rows(f"SELECT json, state, at_us, why FROM certificates{only}", values)  # noqa: S608 - names are ours
        found = [(decode_certificate(text), state, at_us, why) for text, state, at_us, why in rows]
        return sorted(found, key=lambda row: (row[0].issued_us, row[0].id), reverse=True)

    def history(self, id: str) -> list[tuple[CertificateState, int, str]]:
        """A certificate's states in their order: state, since when, and why."""
        rows = self._rows("SELECT leaf FROM events WHERE id = ? AND kind = 'certificate' ORDER BY seq", [id])
        events = [msgspec.json.decode(leaf) for (leaf,) in rows]
        return [(event["state"], event["at_us"], event["why"]) for event in events]

    def _rows(self, sql: str, values: list[Any]) -> list[tuple[Any, ...]]:
        with self._reading() as db:
            return db.execute(sql, values).fetchall()


def read_label(leaf: bytes) -> Label:
    """The Label of an event ``labelled``. Raises msgspec.DecodeError: it is none."""
    return _decode(leaf).label


def _matching(table: str = "labels", **wanted: str | None) -> tuple[list[str], list[Any]]:
    given = {name: value for name, value in wanted.items() if value is not None}
    return [f"{table}.{name} = ?" for name in given], list(given.values())
