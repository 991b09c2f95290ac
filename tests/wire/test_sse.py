"""Event streams: whatever the pieces, the payloads are the same."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from demitasse.wire.sse import DONE, PING, SSE, TooLongError, frame

STREAM = (
    b"\xef\xbb\xbf: hello\r\n\r\n"
    b'data: {"a":"\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80"}\r\n\r\n'
    b"event: x\nid: 7\nretry: 3\ndata:{1}\n\n"
    b"data: one\ndata: two\n\n"
    b": comment\r\rdata: cr\r\r"
    b"data\n\n"
    b"dataset: no\n\n"
    b"data: [DONE]\n\ndata: after\n\n"
)
PAYLOADS = [b'{"a":"\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80"}', b"{1}", b"one\ntwo", b"cr"]


def parse(pieces: list[bytes]) -> tuple[list[bytes], SSE]:
    sse = SSE()
    return [payload for piece in pieces for payload in sse.feed(piece)], sse


def test_crlf_lf_cr_comments_and_multi_line_data_are_understood() -> None:
    payloads, sse = parse([STREAM])
    assert payloads == PAYLOADS
    assert sse.done


@given(st.lists(st.integers(0, len(STREAM)), max_size=12))
def test_a_stream_means_the_same_however_it_is_cut(cuts: list[int]) -> None:
    edges = [0, *sorted(cuts), len(STREAM)]
    payloads, sse = parse([STREAM[a:b] for a, b in pairwise(edges)])
    assert payloads == PAYLOADS
    assert sse.done


def test_byte_by_byte_is_the_same_too() -> None:
    payloads, _ = parse([STREAM[i : i + 1] for i in range(len(STREAM))])
    assert payloads == PAYLOADS


@given(st.lists(st.binary(min_size=1, max_size=40).filter(lambda b: not set(b) & set(b"\r\n") and b != b"[DONE]")))
def test_frames_come_back_as_they_went(payloads: list[bytes]) -> None:
    back, sse = parse([b"".join(map(frame, payloads)) + DONE])
    assert back == payloads
    assert sse.done


def test_pings_are_no_payload() -> None:
    payloads, sse = parse([PING, frame(b"{}"), PING + PING, PING[:3], PING[3:]])
    assert payloads == [b"{}"]
    assert not sse.done


def test_what_follows_done_is_ignored() -> None:
    payloads, _ = parse([frame(b"1") + DONE + frame(b"2"), frame(b"3")])
    assert payloads == [b"1"]


def test_an_event_without_its_blank_line_counts_when_the_stream_ends_in_order() -> None:
    sse = SSE()
    assert sse.feed(b"data: 1\n\ndata: [DONE]") == [b"1"]
    assert not sse.done
    assert sse.end() == []
    assert sse.done


@pytest.mark.parametrize("piece", [b"data: " + b"x" * 10, b"data: x\n", b"y" * 10])
def test_an_event_without_an_end_is_refused_at_the_limit(piece: bytes) -> None:
    sse = SSE(limit=1000)
    with pytest.raises(TooLongError):
        [sse.feed(piece) for _ in range(600)]


def test_many_small_events_never_reach_the_limit_together() -> None:
    sse = SSE(limit=1000)
    assert sum(len(sse.feed(b": spam\n\n" + frame(b"x" * 500))) for _ in range(50)) == 50
