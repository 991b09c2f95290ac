"""What the audit log costs: a ledger of N rows, signed, verified, exported; and a commitment for each call.

    python bench/audit.py [--rows 1000000] [--out FILE]

Writes JSON: CPU seconds, not wall time. Rows are answered calls without bodies, as a gateway writes them.
"""

from __future__ import annotations

import argparse
import asyncio
import io
import json
import platform
import shutil
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from demitasse.core.call import Call, Caller, Usage
from demitasse.core.entry import Attempt, Charge, Decision, Entry
from demitasse.store import checkpoints, export, exported, proofs
from demitasse.store.audit import verify
from demitasse.store.commitments import Commitments
from demitasse.store.examine import examine
from demitasse.store.ledger import SqliteLedger
from demitasse.store.receipts import receipt
from demitasse.store.signing import Signer

DAY_US = 86_400_000_000


def entry(n: int, rows: int) -> Entry:
    at_us = 1_795_000_000_000_000 + n * 30 * DAY_US // rows
    usage = Usage(uncached_in=200 + n % 900, text_out=50 + n % 300)
    attempt = Attempt(
        "large", "openai", "gpt-5.1", "ok", at_us, 800.0, 120.5, 200, usage=usage, cost_nanos=5_000 + n % 999
    )
    return Entry(
        id=f"c{at_us:014x}{n:012x}", at_us=at_us, key=f"key-{n % 20}", kind="chat", asked_model="auto", outcome="answered",
        route="auto", model="large", provider="openai", cache="miss", usage=usage, cost_nanos=attempt.cost_nanos,
        baseline_nanos=attempt.cost_nanos, charges=(Charge("default", "2026-11", attempt.cost_nanos or 0),),
        attempts=(attempt,), decision=Decision("reference", "large", candidates=("large",)), prompt_mac="m" * 51,
        reply_mac="r" * 51, duration_ms=812.5, overhead_us=450, session=f"{n % 5000:016x}",
    )  # fmt: skip


async def fill(data: Path, rows: int) -> None:
    ledger = SqliteLedger.open(data)
    for n in range(rows):
        ledger.post(entry(n, rows))
        if n % 2_000 == 0:
            await ledger.flush()
    await ledger.flush()
    ledger.close()


def cpu_s(work: Callable[[], Any]) -> tuple[float, Any]:
    begun = time.process_time()
    answer = work()
    return round(time.process_time() - begun, 3), answer


def measured(data: Path, rows: int) -> dict[str, Any]:
    asyncio.run(fill(data, rows))
    signer, found = Signer(data), {}
    found["first_checkpoint_s"], _ = cpu_s(lambda: checkpoints.make(data, signer, 1))
    ledger = SqliteLedger.open(data)
    ledger.post(entry(rows, rows))
    ledger.close()
    found["next_checkpoint_s"], last = cpu_s(lambda: checkpoints.make(data, signer, 2))
    found["chain_alone_s"], _ = cpu_s(lambda: verify(data))
    found["audit_verify_s"], report = cpu_s(lambda: examine(data))
    assert report.valid
    assert report.checkpoints == 2
    middle = entry(rows // 2, rows).id
    found["prove_s"], proof = cpu_s(lambda: proofs.prove(data, middle))
    raw = proofs.msgspec.json.encode(proof)
    found["proof_bytes"] = len(raw)
    found["verify_proof_s"], _ = cpu_s(lambda: proofs.verify(raw))
    file = data / "export.jsonl"
    with file.open("wb") as out:
        found["export_s"], _ = cpu_s(lambda: export.write(data, out, signer, 3))
    found["export_bytes"] = file.stat().st_size
    with file.open("rb") as opened:
        found["verify_export_s"], told = cpu_s(lambda: exported.verify(opened))
    assert told.valid
    found["ledger_bytes"] = (data / "ledger.sqlite3").stat().st_size
    found["rows"] = last.size
    return found


def of_a_call(data: Path) -> dict[str, float]:
    """Microseconds that a call's commitments take, by the bytes of question and answer each; and a receipt."""
    commitments, found = Commitments(data, b"s" * 32, clock=lambda: 1), {}
    for size in (400, 4_000, 40_000):
        call = Call("c1", "c1", 1, "chat", b"q" * size, {}, "m", caller=Caller(), person="somebody")
        reply = b"a" * size
        commitments.of(call, reply)
        spent, _ = cpu_s(lambda call=call, reply=reply: [commitments.of(call, reply) for _ in range(20_000)])
        found[f"commitments_{size}_bytes_us"] = round(spent / 20_000 * 1e6, 2)
    signer, made = Signer(data), entry(1, 10)
    spent, _ = cpu_s(lambda: [receipt(made, bytes(32), b"k" * 32, signer) for _ in range(2_000)])
    found["receipt_us"] = round(spent / 2_000 * 1e6, 2)
    new = [Call("c1", "c1", 1, "chat", b"q", {}, "m", caller=Caller(), person=f"p{n}") for n in range(2_000)]
    spent, _ = cpu_s(lambda: [commitments.of(call, b"a") for call in new])
    found["new_subject_us"] = round(spent / 2_000 * 1e6, 2)
    commitments.close()
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--out", default="")
    given = parser.parse_args()
    data = Path(tempfile.mkdtemp(prefix="audit-"))
    try:
        found = {"python": platform.python_version(), **of_a_call(data), **measured(data, given.rows)}
    finally:
        shutil.rmtree(data)
    text = json.dumps(found, indent=2)
    (Path(given.out).write_text(text + "\n") if given.out else io.StringIO().write(text))
    print(text)


if __name__ == "__main__":
    main()
