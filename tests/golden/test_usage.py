"""Meter readings of every dialect, and what they mean in disjoint buckets. A new case is a new file in ``usage/``."""

from pathlib import Path

import msgspec
import pytest

from demitasse.core.call import BUCKETS, Usage
from demitasse.wire.usage import merge_usage, read_usage

CASES = sorted((Path(__file__).parent / "usage").glob("*.json"))


@pytest.mark.parametrize("path", CASES, ids=lambda p: p.stem)
def test_a_meter_reading_means_these_buckets(path: Path) -> None:
    case = msgspec.json.decode(path.read_bytes())
    reading = read_usage(msgspec.json.encode(case["usage"]), case["dialect"])
    assert reading.usage == (Usage(**case["buckets"]) if case["buckets"] is not None else None), case["why"]
    assert reading.consistent is case["consistent"]
    assert bool(reading.why) is not reading.consistent
    assert reading.cost_nanos == case["cost_nanos"]


@pytest.mark.parametrize("path", [p for p in CASES if b'"consistent": true' in p.read_bytes()], ids=lambda p: p.stem)
def test_the_buckets_add_up_to_the_providers_total(path: Path) -> None:
    case = msgspec.json.decode(path.read_bytes())
    usage, told = read_usage(msgspec.json.encode(case["usage"]), case["dialect"]).usage, case["usage"]
    assert usage is not None
    assert all(getattr(usage, bucket) >= 0 for bucket in BUCKETS)
    total = told.get("total_tokens", told.get("totalTokenCount"))
    if total is not None:
        assert usage.total_in + usage.total_out == total
    else:
        written = told["cache_creation_input_tokens"] or 0
        assert usage.total_in == told["input_tokens"] + (told["cache_read_input_tokens"] or 0) + written


def test_cache_reads_of_a_streamed_anthropic_answer_survive_its_second_usage() -> None:
    start = b'{"input_tokens":50,"cache_read_input_tokens":100000,"cache_creation_input_tokens":0,"output_tokens":1}'
    delta = b'{"output_tokens":503,"input_tokens":null}'
    usage = read_usage(merge_usage(start, delta), "anthropic").usage
    assert usage == Usage(uncached_in=50, cache_read=100_000, text_out=503)


@pytest.mark.parametrize("raw", [None, b"null"])
def test_no_usage_is_unknown_and_not_zero(raw: bytes | None) -> None:
    reading = read_usage(raw)
    assert reading.usage is None
    assert reading.consistent
