"""Errors of ours, and errors of every shape that upstreams send."""

import json

import pytest

from demitasse.wire.errors import error_body, read_fault


def test_our_errors_have_all_four_members() -> None:
    assert json.loads(error_body("no", "invalid_request_error", param="n")) == {
        "error": {"message": "no", "type": "invalid_request_error", "param": "n", "code": None}
    }


@pytest.mark.parametrize(
    ("body", "message", "code"),
    [
        (
            b'{"error":{"message":"Too long","type":"invalid_request_error","param":"messages","code":"context_length_exceeded"}}',
            "Too long",
            "context_length_exceeded",
        ),
        (b'{"error":{"message":"busy","code":429}}', "busy", "429"),
        (b'[{"error":{"code":400,"message":"bad","status":"INVALID_ARGUMENT"}}]', "bad", "400"),
        (b'{"error":"model not found"}', "model not found", None),
        (b'{"object":"error","message":"no such model","type":"NotFoundError","code":404}', "no such model", "404"),
        (b'{"detail":"Not Found"}', "Not Found", None),
        (b'{"detail":[{"loc":["body","n"],"msg":"too many","type":"x"}]}', "body.n: too many", None),
        (b'{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}', "Overloaded", None),
        (b'"just text"', "just text", None),
        (b"upstream connect error", "upstream connect error", None),
        (b"", "an empty answer", None),
        (
            b"<html><head><title>502 Bad Gateway</title></head><body><h1>nginx</h1></body></html>",
            "502 Bad Gateway",
            None,
        ),
        (b"<div>Sorry&nbsp;<script>x()</script><b>down</b></div>", "Sorry down", None),
        (b"\xff\xfe\x00 broken", "\ufffd\ufffd broken", None),
        (b"[" * 100_000, None, None),
    ],
)
def test_an_upstreams_words_are_found(body: bytes, message: str | None, code: str | None) -> None:
    fault = read_fault(body)
    if message is not None:
        assert (fault.message, fault.code) == (message, code)
    assert 0 < len(fault.message) <= 400


def test_an_error_in_our_shape_is_passed_on_with_its_extras() -> None:
    fault = read_fault(b'{"error":{"message":"m","metadata":{"provider":"x"}}}')
    assert json.loads(fault.body or b"") == {
        "error": {"message": "m", "type": "upstream_error", "param": None, "code": None, "metadata": {"provider": "x"}}
    }


def test_a_page_is_cut_short() -> None:
    assert len(read_fault(b"<p>" + b"word " * 100_000).message) <= 400
