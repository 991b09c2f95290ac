"""TLS: whom both clients trust, and that nothing is sent to anyone else."""

import datetime as dt
import ipaddress
import ssl

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from http_both import JSON

from demitasse.core.errors import ConfigError
from demitasse.providers.http import BrokenOff, ConnectFailed, Origin, TimedOut, Timeouts, tls_context
from demitasse.testing.scripted import Scripted, answering, chunked, ok

NOW = dt.datetime.now(dt.UTC)
DAY = dt.timedelta(days=1)


class Authority:
    """A CA of our own, with its certificate in a file."""

    def __init__(self, folder):
        self.folder = folder
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "a CA for tests")])
        self.certificate = self._sign(
            self.name, self.key, NOW + DAY, x509.BasicConstraints(ca=True, path_length=None), ca=True
        )
        self.file = folder / "ca.pem"
        self.file.write_bytes(self.certificate.public_bytes(serialization.Encoding.PEM))

    def server(self, *names, until=NOW + DAY):
        """A server's side of TLS, for these host names and addresses."""
        key = ec.generate_private_key(ec.SECP256R1())
        kinds = [x509.IPAddress(ipaddress.ip_address(n)) if n[0].isdigit() else x509.DNSName(n) for n in names]
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, names[0])])
        certificate = self._sign(subject, key, until, x509.SubjectAlternativeName(kinds), ca=False)
        file = self.folder / f"{names[0]}.pem"
        file.write_bytes(
            certificate.public_bytes(serialization.Encoding.PEM)
            + key.private_bytes(
                serialization.Encoding.PEM,
                serialization.PrivateFormat.PKCS8,
                serialization.NoEncryption(),
            )
        )
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(file)
        return context

    def _sign(self, subject, key, until, extension, *, ca):
        usage = dict.fromkeys(
            (
                "content_commitment",
                "key_encipherment",
                "data_encipherment",
                "key_agreement",
                "crl_sign",
                "encipher_only",
                "decipher_only",
            ),
            False,
        )
        return (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self.name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(NOW - 2 * DAY)
            .not_valid_after(until)
            .add_extension(extension, critical=ca)
            .add_extension(x509.KeyUsage(digital_signature=True, key_cert_sign=ca, **usage), critical=True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(self.key.public_key()), critical=False)
            .sign(self.key, hashes.SHA256())
        )


@pytest.fixture(scope="module")
def authority(tmp_path_factory):
    return Authority(tmp_path_factory.mktemp("ca"))


@pytest.fixture(autouse=True)
def _fresh_contexts():
    yield
    tls_context.cache_clear()


def at(up, authority=None, host="localhost"):
    return Origin.parse(f"https://{host}:{up.port}/v1", ca_file=str(authority.file) if authority else None)


async def test_a_ca_of_ones_own_is_trusted_when_named(client, authority):
    async with Scripted(answering(ok(b"a"), chunked(b"b", b"c")), tls=authority.server("localhost")) as up:
        origin = at(up, authority)
        assert await (await client.post(origin, b"/", JSON, b"x")).read() == b"a"
        assert await (await client.post(origin, b"/", JSON, b"x")).read() == b"bc"
        assert up.connections == 1


async def test_ssl_cert_file_is_obeyed(client, authority, monkeypatch):
    monkeypatch.setenv("SSL_CERT_FILE", str(authority.file))
    async with Scripted(answering(ok(b"a")), tls=authority.server("localhost")) as up:
        assert await (await client.post(at(up), b"/", JSON, b"x")).read() == b"a"


async def test_an_address_is_verified_too(client, authority):
    async with Scripted(answering(ok(b"a")), tls=authority.server("127.0.0.1")) as up:
        assert await (await client.post(at(up, authority, "127.0.0.1"), b"/", JSON, b"x")).read() == b"a"


async def test_an_unknown_ca_gets_nothing(client, authority):
    async with Scripted(answering(ok()), tls=authority.server("localhost")) as up:
        with pytest.raises(ConnectFailed, match=r"localhost:\d+: its certificate was not accepted.*SSL_CERT_FILE"):
            await client.post(at(up), b"/", JSON, b"x")
        assert up.requests == []


@pytest.mark.parametrize(("name", "host"), [("other.test", "localhost"), ("localhost", "127.0.0.1")])
async def test_a_certificate_for_another_host_gets_nothing(client, authority, name, host):
    async with Scripted(answering(ok()), tls=authority.server(name)) as up:
        with pytest.raises(ConnectFailed, match="check the host's name in base_url"):
            await client.post(at(up, authority, host), b"/", JSON, b"x")
        assert up.requests == []


async def test_an_expired_certificate_gets_nothing(client, authority):
    async with Scripted(answering(ok()), tls=authority.server("localhost", until=NOW - DAY)) as up:
        with pytest.raises(ConnectFailed, match="expired"):
            await client.post(at(up, authority), b"/", JSON, b"x")
        assert up.requests == []


async def test_a_port_that_speaks_plain_http_is_told(client, authority):
    async def script(peer):
        await peer.reader.read(1)
        await peer.send(b"HTTP/1.1 400 Bad Request\r\n\r\n")

    async with Scripted(script) as up:
        with pytest.raises(ConnectFailed, match="does it speak https"):
            await client.post(at(up, authority), b"/", JSON, b"x")


async def test_a_handshake_that_never_ends_times_out(client, authority):
    async def script(peer):
        await peer.until_closed()

    async with Scripted(script) as up:
        with pytest.raises(TimedOut, match=r"no connection within 0\.1 s") as caught:
            await client.post(at(up, authority), b"/", JSON, b"x", Timeouts(connect_s=0.1))
        assert (caught.value.phase, caught.value.sent) == ("connect", False)


async def test_the_name_is_sent_in_the_handshake(client, authority):
    asked = []
    context = authority.server("localhost")
    context.sni_callback = lambda _socket, name, _context: asked.append(name)
    async with Scripted(answering(ok()), tls=context) as up:
        await (await client.post(at(up, authority), b"/", JSON, b"x")).read()
    assert asked == ["localhost"]


async def test_a_connection_lost_within_an_answer_is_broken_off(client, authority):
    async def script(peer):
        await peer.request()
        await peer.send_apart(chunked(b"abc")[:-5])
        peer.reset()

    async with Scripted(script, tls=authority.server("localhost")) as up:
        answer = await client.post(at(up, authority), b"/", JSON, b"x")
        with pytest.raises(BrokenOff):
            await answer.read()


async def test_large_bodies_go_both_ways(client, authority):
    async def script(peer):
        while True:
            request = await peer.request()
            await peer.send(ok(request.body))

    body = bytes(range(256)) * 16_000
    async with Scripted(script, tls=authority.server("localhost")) as up:
        for _ in range(2):
            assert await (await client.post(at(up, authority), b"/", JSON, body)).read() == body
        assert up.connections == 1


def test_a_ca_file_that_cannot_be_used_is_named(tmp_path):
    (tmp_path / "ca.pem").write_text("not a certificate")
    for name in ("ca.pem", "missing.pem"):
        with pytest.raises(ConfigError, match=f"{name}.*PEM"):
            tls_context(str(tmp_path / name))
