"""Which client serves whom: the small one unless the environment puts an upstream behind a proxy."""

import os
import subprocess
import sys

import pytest
from http_both import JSON

from demitasse.core.errors import ConfigError
from demitasse.providers.http import ConnectFailed, Origin, Settings, choose
from demitasse.providers.http_small import SmallClient
from demitasse.providers.proxies import Proxies
from demitasse.testing.scripted import Scripted, answering, ok


def test_without_a_proxy_it_is_the_small_client():
    assert isinstance(choose(Settings(), {"NO_PROXY": "*", "HTTP_PROXY": ""}), SmallClient)


def test_aiohttp_is_not_imported_unless_it_is_needed():
    code = (
        "import sys; from demitasse.providers.http import *; choose(Settings(), {'HTTP_PROXY': 'http://p:1'});"
        "assert not {'aiohttp', 'yarl'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, env=os.environ)


async def test_an_upstream_behind_a_proxy_is_asked_through_it():
    async with Scripted(answering(ok(b"via proxy"))) as proxy, Scripted(answering(ok(b"direct"))) as up:
        client = choose(Settings(), {"http_proxy": proxy.url, "NO_PROXY": "inside.test"})
        answer = await client.post(Origin.parse("http://upstream.test:81/v1"), b"/chat", JSON, b"x")
        assert await answer.read() == b"via proxy"
        assert proxy.requests[0].target == b"http://upstream.test:81/v1/chat"
        assert (await (await client.post(Origin.parse(up.url), b"/", JSON, b"x")).read()) == b"direct"
        assert await (await client.get(Origin.parse(up.url), b"/", JSON)).read() == b"direct"
        await client.close()
    assert len(proxy.requests) == 1


async def test_the_proxys_password_is_for_the_proxy():
    async with Scripted(answering(ok())) as proxy:
        url = proxy.url.replace("http://", "http://me:secret@")
        client = choose(Settings(), {"HTTP_PROXY": url})
        await (await client.post(Origin.parse("http://upstream.test"), b"/", JSON, b"x")).read()
        await client.close()
        assert proxy.requests[0].headers[b"proxy-authorization"] == b"Basic bWU6c2VjcmV0"


async def test_https_goes_through_a_tunnel_and_a_proxy_that_refuses_it_was_never_billed():
    async with Scripted(answering(b"HTTP/1.1 403 Forbidden\r\ncontent-length: 0\r\n\r\n")) as proxy:
        client = choose(Settings(), {"https_proxy": proxy.url})
        with pytest.raises(ConnectFailed, match=r"upstream\.test:443.*proxy.*403") as caught:
            await client.post(Origin.parse("https://upstream.test/v1"), b"/chat", JSON, b"secret body")
        assert not caught.value.sent
        await client.close()
        assert (proxy.requests[0].method, proxy.requests[0].target) == (b"CONNECT", b"upstream.test:443")
        assert b"authorization" not in {name.lower() for name in proxy.requests[0].headers}


async def test_a_proxy_that_is_not_there_is_named():
    client = choose(Settings(), {"HTTP_PROXY": "http://127.0.0.1:9"})
    with pytest.raises(ConnectFailed, match="through the proxy"):
        await client.post(Origin.parse("http://upstream.test"), b"/", JSON, b"x")
    await client.close()


@pytest.mark.parametrize(
    ("env", "url", "proxy"),
    [
        ({"http_proxy": "p:1"}, "http://a.test", "http://p:1"),
        ({"http_proxy": "http://p:1"}, "https://a.test", None),
        ({"HTTPS_PROXY": "http://p:1"}, "https://a.test", "http://p:1"),
        ({"https_proxy": "http://low:1", "HTTPS_PROXY": "http://up:1"}, "https://a.test", "http://low:1"),
        ({"ALL_PROXY": "http://p:1"}, "https://a.test", "http://p:1"),
        ({"ALL_PROXY": "http://all:1", "HTTPS_PROXY": "http://own:1"}, "https://a.test", "http://own:1"),
        ({"ALL_PROXY": "http://p:1"}, "http://127.0.0.1:8000", None),
        ({"ALL_PROXY": "http://p:1"}, "http://[::1]:8000", None),
        ({"ALL_PROXY": "http://p:1"}, "http://localhost:8000", None),
        ({"ALL_PROXY": "http://p:1", "NO_PROXY": "*"}, "http://a.test", None),
        ({"ALL_PROXY": "http://p:1", "no_proxy": "x, a.test"}, "http://a.test", None),
        ({"ALL_PROXY": "http://p:1", "no_proxy": "a.test"}, "http://sub.a.test", None),
        ({"ALL_PROXY": "http://p:1", "no_proxy": ".a.test"}, "http://sub.a.test", None),
        ({"ALL_PROXY": "http://p:1", "no_proxy": "*.a.test"}, "http://sub.a.test", None),
        ({"ALL_PROXY": "http://p:1", "no_proxy": "a.test"}, "http://nota.test", "http://p:1"),
        ({"ALL_PROXY": "http://p:1", "no_proxy": "a.test:81"}, "http://a.test:81", None),
        ({"ALL_PROXY": "http://p:1", "no_proxy": "a.test:81"}, "http://a.test:82", "http://p:1"),
        ({"ALL_PROXY": "http://p:1", "no_proxy": "10.0.0.0/8"}, "http://10.1.2.3", None),
        ({"ALL_PROXY": "http://p:1", "no_proxy": "10.0.0.0/8"}, "http://11.1.2.3", "http://p:1"),
        ({"ALL_PROXY": "http://p:1", "no_proxy": "10.0.0.0/8"}, "http://a.test", "http://p:1"),
    ],
)
def test_proxies_are_those_of_the_environment(env, url, proxy):
    assert Proxies(env).of(Origin.parse(url)) == proxy


def test_a_proxy_of_another_kind_is_refused_with_a_remedy():
    with pytest.raises(ConfigError, match=r"ALL_PROXY.*socks5.*NO_PROXY"):
        choose(Settings(), {"ALL_PROXY": "socks5://p:1"})
