"""The HTTP seam's tests here run with both clients on both event loops."""

from http_both import client, kind, pytest_asyncio_loop_factories  # noqa: F401
