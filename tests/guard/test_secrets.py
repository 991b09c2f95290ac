"""Secrets: what is one, where it stands, what only looks like one, and that hostile text costs no more than its length."""

from __future__ import annotations

import base64
import itertools
import json
import uuid

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from demitasse.core.keys import RANDOM_BYTES, make
from demitasse.guard import secrets
from demitasse.guard.kinds import SECRETS
from demitasse.guard.secrets import Tries, find, lowered
from demitasse.guard.secrets.named import is_placeholder, looks_random
from demitasse.guard.secrets.services import SHAPES

A36 = "a1B2c3D4e5F6g7H8i9J0k1L2m3N4o5P6q7R8"
HEX = "0f1e2d3c4b5a69788796a5b4c3d2e1f0"
PEM = "-----BEGIN RSA PRIVATE KEY-----\nMIIEpAIBAAKCAQEA7v\nq1+/==\n-----END RSA PRIVATE KEY-----"
JWT = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.dozjgNryP4J3jVmNHl0w5N_XgL0n3I9PlFUP0THsR8U"

WHOLE = {
    "api_key": [
        make(bytes(range(RANDOM_BYTES)))[1],
        "AKIA" + "QWERTYUIOPASDFGH",
        "AIza" + A36[:35],
        "ghp_" + A36,
        "github_pat_" + A36,
        "glpat-" + A36[:20],
        "xoxb-" + "123456789012-123456789012-" + A36[:24],
        "https://hooks.slack.com/services/T12345678/B12345678/" + A36[:24],
        "sk_live_" + A36[:24],
        "rk_test_" + A36[:24],
        "sk-" + A36 + A36[:12],
        "sk-proj-" + A36 + "_" + A36 + "-" + A36,
        "sk-ant-api03-" + A36 + A36,
        "sk-or-v1-" + HEX + HEX,
        "hf_" + A36[:34],
        "gsk_" + A36 + A36[:16],
        "npm_" + A36,
        "pypi-AgEIcHlwaS5vcmc" + A36 + A36,
        "SG." + A36[:22] + "." + A36 + "1234567",
        "shpat_" + HEX,
        "dop_v1_" + HEX + HEX,
        "hvs." + A36,
        "123456789:AAF" + A36[:32],
        HEX + "-us14",
    ],
    "private_key": [PEM, PEM.replace("RSA ", ""), PEM.replace("RSA ", "OPENSSH "), PEM.replace("\n", "\\n")],
    "token": [JWT, "ya29." + A36 + A36],
    "connection_string": [
        "postgres://admin:s3cret@db.internal:5432/app",
        "postgresql+asyncpg://admin:pass@localhost/app?ssl=true",
        "mongodb+srv://u:p%40ss@cluster0.mongodb.net/?retryWrites=true",
        "mongodb://u:hunter2@a.example:27017,b.example:27017/db",
        "redis://:pw123@localhost:6379/0",
        "amqps://guest:guest@mq:5671/%2f",
        "jdbc:mysql://h:3306/db?user=root&password=secret123",
        "Server=tcp:x.db,1433;Database=a;User Id=sa;Password=Pa55w0rd!;",
        "DefaultEndpointsProtocol=https;AccountName=a;AccountKey=abcd0123/+==;EndpointSuffix=core.windows.net",
        "Endpoint=sb://a.servicebus.windows.net/;SharedAccessKeyName=Root;SharedAccessKey=abcd0123abcd=",
        "host=localhost port=5432 dbname=x user=me password=s3cr3t",
    ],
}  # fmt: skip
CASES = [(kind, value) for kind, values in WHOLE.items() for value in values]


def seen(text: str) -> list[tuple[str, str]]:
    return [(one.kind, text[one.start : one.end]) for one in find(text)[0]]


@pytest.mark.parametrize(("kind", "value"), CASES)
def test_a_secret_of_its_own_shape_is_found_whole_in_prose_code_and_json(kind: str, value: str) -> None:
    bare = value.removeprefix("https://")
    for text in (
        value,
        f"Use {value} from now on.",
        f"x = '{value}'\n",
        json.dumps({"a": [value], "b": "c"}, ensure_ascii=False),
    ):
        found = seen(text)
        assert [k for k, _ in found] == [kind]
        assert found[0][1].rstrip(";") in (
            text[text.index("-----BEGIN") :][: len(found[0][1])] if kind == "private_key" else bare
        )
        assert len(found[0][1]) >= len(bare) - 1


@pytest.mark.parametrize(
    ("text", "kind", "value"),
    [
        ('password: "hunter2"', "password", "hunter2"),
        ("password: hunter2", "password", "hunter2"),
        ("Password: Summer2024!", "password", "Summer2024!"),
        ('{"user": "ada", "password": "Tr0ub4dor&3"}', "password", "Tr0ub4dor&3"),
        ("DB_PASSWORD=letmein", "password", "letmein"),
        ("pwd=letmein1;", "password", "letmein1"),
        ("my password is hunter2, keep it", "password", "hunter2"),
        ("mysql --password=S3cr3t! -u root", "password", "S3cr3t!"),
        ("Passwort: Geheim99", "password", "Geheim99"),
        ("contraseña: Hola123", "password", "Hola123"),
        ("пароль: Qwerty12", "password", "Qwerty12"),
        ("密码：Qwerty12", "password", "Qwerty12"),
        ("client_secret = 'a8f5f167f44f4964e6c998dee827110c'", "password", "a8f5f167f44f4964e6c998dee827110c"),
        ("aws_secret_access_key = wJalrXUtnFEMI/K7MDENG/bPxRfiCYzzzzzzKEY", "password", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYzzzzzzKEY"),
        (f"api_key = '{HEX}'", "high_entropy", HEX),
        (f"X-API-Key: {A36}", "high_entropy", A36),
        (f"access token is {A36}", "high_entropy", A36),
        (f"Authorization: Bearer {A36}", "token", A36),
        ("Authorization: Basic " + base64.b64encode(b"ada:hunter2").decode(), "token", base64.b64encode(b"ada:hunter2").decode()),
        ("see https://bob:pa55@example.com/x", "url_credentials", "bob:pa55"),
        ("git clone https://oauth2:tok3n@git.corp/a.git", "url_credentials", "oauth2:tok3n"),
    ],
)  # fmt: skip
def test_a_value_that_a_name_calls_secret_is_found_without_its_name(text: str, kind: str, value: str) -> None:
    assert seen(text) == [(kind, value)]


@pytest.mark.parametrize(
    "text",
    [
        "password: ****", "password: ••••••", "password: <your-password>", 'password = "${DB_PASSWORD}"', "password: {{ password }}",
        "PASSWORD=$PASSWORD", "password: changeme", "password: password", 'password = "your_password_here"', "password: None",
        'api_key = os.environ["OPENAI_API_KEY"]', "api_key: YOUR_API_KEY_GOES_HERE_1234", "sk-xxxxxxxxxxxxxxxxxxxxxxxx",
        "ghp_xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx", "postgres://user:${PW}@host/db", "postgresql://USER:PASSWORD@HOST:5432/DB",
        "The password is required and must be strong.", "Your password is incorrect.", "I forgot my password: what now?",
        "Passwords are hashed with argon2id.", "password_length = 12", "max_tokens: 4096", 'next_page_token = "a1b2c3d4e5f6a7b8c9d0"',
        "def login(user, password=None): ...", "password = get_password()", "password: str", "password: SecretStr = Field(...)",
        "password = settings.PASSWORD", "login(password=password)", '"Password": "Enter your password"',
        "var passwordTextField: UITextField!", "the secret: be kind", "The token is sent with every request.", "token = tokens[i]",
        "commit 9fceb02d0ae598e95dc970b74767f19372d61af8", "sha256: " + HEX + HEX, "id: 550e8400-e29b-41d4-a716-446655440000",
        "token: 550e8400-e29b-41d4-a716-446655440000", "https://example.com:8080/a@b", "mailto:a@b.c", "ssh://git@github.com/a/b",
        "redis://localhost:6379/0", "task-killer-sk-learn", "risk-adjusted-returns-of-2024-portfolio", "key = value", "Bearer of bad news",
        "ssh-rsa AAAAB3NzaC1yc2EAAAADAQABAAABgQC7 ada@host", "-----BEGIN PUBLIC KEY-----\nMIIB\n-----END PUBLIC KEY-----",
        "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----", "eyJ is how base64 of '{\"' begins",
    ],
)  # fmt: skip
def test_what_only_looks_like_a_secret_is_none(text: str) -> None:
    assert seen(text) == []


@given(st.lists(st.uuids().map(str) | st.binary(min_size=20, max_size=32).map(bytes.hex), min_size=1, max_size=20))
@example([str(uuid.UUID(int=0))])
def test_ids_and_hashes_alone_are_no_secrets(ids: list[str]) -> None:
    assert seen("\n".join(f"- {one} ok" for one in ids)) == []


TEXT = st.text(st.characters(codec="utf-8"), max_size=200) | st.text("pas:=\"' key-_/@.0aA\n", max_size=200)


@given(st.lists(TEXT | st.sampled_from([value for _, value in CASES]), max_size=8).map("".join))
@settings(max_examples=300)
def test_spans_are_in_order_apart_and_within_the_text(text: str) -> None:
    found, _cut = find(text)
    assert all(one.kind in SECRETS and 0 <= one.start < one.end <= len(text) for one in found)
    assert all(a.end <= b.start for a, b in itertools.pairwise(found))


@given(TEXT, st.sampled_from([value for kind, value in CASES if kind in ("api_key", "token")]), TEXT)
@settings(max_examples=300)
def test_a_key_is_found_whatever_stands_around_it(before: str, value: str, after: str) -> None:
    text = f"{before} {value} {after}"
    bare = value.removeprefix("https://")
    at = len(before) + 1 + len(value) - len(bare)
    found, _ = find(text)
    assert any(one.start <= at and one.end >= at + len(bare) - 1 for one in found)


@given(st.text())
@example("İstanbul PASSWORD: hunter2İ")
@example("ſecret ẞ K")
def test_folding_keeps_every_place(text: str) -> None:
    low = lowered(text)
    assert len(low) == len(text)
    assert all(b == a.lower() for a, b in zip(text, low, strict=True) if a.isascii())


def test_one_character_alone_grows_when_it_is_folded() -> None:
    """Of all there are; a newer Unicode may bring another."""
    assert [c for c in map(chr, range(0x110000)) if len(c.lower()) != 1] == ["İ"]


def test_places_stay_true_beside_letters_that_grow_when_folded() -> None:
    assert seen("İİİ password: hunter2") == [("password", "hunter2")]


def test_a_key_within_a_named_value_is_told_as_what_it_is_and_once() -> None:
    assert seen(f'password = "ghp_{A36}"') == [("api_key", f"ghp_{A36}")]
    assert seen(f"redis://:ghp_{A36}@host:6379") == [("connection_string", f"redis://:ghp_{A36}@host:6379")]


def test_every_mark_of_the_table_stands_in_what_its_pattern_matches() -> None:
    for shape in SHAPES:
        assert shape.mark in shape.pattern.pattern.replace("\\", "")


@pytest.mark.parametrize(
    "unit", ["password=", "password: a1 ", "://", "a://b:c@", "key", "eyJ", "-us", ":AA", "sk-", "-----BEGIN ", "server=;pwd ", "host=a pwd ", "secret: "]
)  # fmt: skip
def test_hostile_text_hits_the_cap_and_says_so(unit: str, monkeypatch: pytest.MonkeyPatch) -> None:
    counts = []
    plain = Tries.__init__

    def counted(self: Tries, most: int) -> None:
        plain(self, most)
        counts.append(most)

    monkeypatch.setattr(Tries, "__init__", counted)
    text = unit * (20_000 // len(unit))
    found, cut = find(text)
    assert counts == [200 + len(text) // 16]
    assert len(found) <= secrets.MOST_FOUND
    assert cut or text.count(unit.strip(": =1a;")) <= counts[0] + 1


def test_a_flood_of_secrets_is_cut_and_told() -> None:
    found, cut = find("\n".join(f"password: hunter{n}" for n in range(secrets.MOST_FOUND + 5)))
    assert cut
    assert len(found) == secrets.MOST_FOUND


def test_ordinary_text_is_never_cut() -> None:
    assert find("The password is a secret token, and the key to it is a passphrase. " * 200)[1] is False


def test_random_looks_random_and_words_do_not() -> None:
    assert looks_random(HEX) and looks_random(A36)
    assert not any(
        map(
            looks_random,
            ("short1", "path/to/a/file/of/mine1", "aaaaaaaaaaaaaaaaa1", "a-long-name-of-letters", "x" * 40),
        )
    )


def test_placeholders_are_told_from_values() -> None:
    assert all(
        map(
            is_placeholder,
            ("****", "<key>", "${A}", "{{a}}", "xxxx", "your-key", "changeme", "%(pw)s", "[REDACTED]", "..."),
        )
    )
    assert not any(map(is_placeholder, ("hunter2", "s3cr3t", "x1", "xK9!", "a.b-c1")))
