"""The configuration file: found, read, checked, explained; what is wrong is named with its place and its remedy."""

import asyncio
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import asdict

from demitasse import config
from demitasse.config import Config, KeyHome, SettingsError, load
from demitasse.core import hardware
from demitasse.core.errors import ConfigError
from demitasse.core.limits import Budget

EXAMPLE = """
[server]
port = 4141

[models.small]
provider = "local"
source   = "smollm2-135m"

[models.large]
provider = "openai"
model    = "gpt-5.1"
key_env  = "OPENAI_API_KEY"
price    = { input_usd_per_mtok = 1.25, output_usd_per_mtok = 10.0, cache_read_usd_per_mtok = 0.125 }

[routes.auto]
reference = "large"
ladder    = ["small", "large"]
quality   = 0.95

[cache]
exact = true
coalesce = true
semantic = false

[budgets.default]
usd_per_day = 5
"""


def read(tmp_path: Path, text: str, **more) -> Config:
    file = tmp_path / "demitasse.toml"
    file.write_text(text)
    return load(file, {}, tmp_path, **more)


def wrong(tmp_path: Path, text: str, **more) -> list[str]:
    """What is said about a wrong file, a line for each problem."""
    with pytest.raises(SettingsError) as caught:
        read(tmp_path, text, **more)
    return [f"{p.place}: {p.message}" if p.place else p.message for p in caught.value.problems]


def test_nothing_is_needed_to_begin(tmp_path):
    got = load(None, {}, tmp_path)
    assert got.path is None
    assert got.server.port == 4141
    assert config.budgets(got) == (Budget("default", limit_nanos=5_000_000_000, origin="default"),)


def test_the_example_reads_as_it_is_written(tmp_path):
    got = read(tmp_path, EXAMPLE)
    assert got.models["large"].price.input_usd_per_mtok == Decimal("1.25")
    assert got.models["small"].source == "smollm2-135m"
    assert got.routes["auto"].ladder == ("small", "large")
    assert got.routes["auto"].quality == 0.95
    assert config.budgets(got)[0].origin == "file"


def test_money_is_exact_to_the_last_nano(tmp_path):
    got = read(tmp_path, "[budgets.x]\nusd_per_month = 0.100000001\nteam = 'search'\nhard = false\nsoft = [0.5, 1]")
    x = Budget("x", "team", "search", "month", 100_000_001, hard=False, soft=(0.5, 1.0), origin="file")
    assert set(config.budgets(got)) == {x, Budget("default", limit_nanos=5_000_000_000, origin="default")}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[routes.auto]\nreference='large'\nladder=['smal']\n[models.small]\nprovider='local'\nsource='x'\n[models.large]\nprovider='openai'", "routes.auto.ladder: no model 'smal'; did you mean 'small'?"),
        ("[sever]\nport = 1", "sever: no such setting; did you mean 'server'?"),
        ("[server]\nprot = 1", "server.prot: no such setting; did you mean 'port'?"),
        ("[server]\nport = '80'", "server.port: expected a whole number from 0 to 65535, got '80'; write 80 without quotes"),
        ("[server]\nport = 99999", "server.port: expected a whole number from 0 to 65535, got 99999"),
        ("[server]\nport = true", "server.port: expected a whole number from 0 to 65535, got true"),
        ("[server]\nport = 1.5", "server.port: expected a whole number from 0 to 65535, got 1.5"),
        ("[cache]\nexact = 'false'", "cache.exact: expected true or false, got 'false'; write false without quotes"),
        ("[gateway]\non_hangup = 'cancle'", "gateway.on_hangup: expected one of 'cancel', 'drain', got 'cancle'; did you mean 'cancel'?"),
        ("[cache]\nsemantic = { max_eror = 0.1 }", "cache.semantic.max_eror: no such setting; did you mean 'max_error'?"),
        ("[cache]\nttl_s = inf", "cache.ttl_s: expected a number above 0, got Infinity"),
        ("cache = 1", "cache: expected a table, got 1"),
        ("[routes.a]\nladder = 'openai/y'", "routes.a.ladder: expected a list of texts, got 'openai/y'; write [\"openai/y\"]"),
        ("[routes.a]\nquality = 0.9", "routes.a: asks no model; name at least its reference"),
        ("[routes.a]\nreference = 'b'\n[routes.b]\nreference = 'openai/y'", "routes.a.reference: 'b' is a route; name a model"),
        ("[routes.a]\nreference = 'b'", "routes.a.reference: no model 'b'; add a table [models.b], or name one as provider/model"),
        ("[routes.a]\nladder = ['openai/y', 'openai/y']", "routes.a.ladder: 'openai/y' stands in it twice"),
        ("[routes.a]\nreference = 'openai/y'\nladder = ['openai/y', 'openai/z']", "routes.a.ladder: 'openai/y' is the reference; put it last, or leave it out"),
        ("[models.a]\nmodel = 'x'", "models.a: 'provider' is missing"),
        ("[models.a]\nprovider = 'local'", 'models.a.source: missing; name a model from the catalogue, e.g. source = "smollm2-135m"'),
        ("[models.a]\nprovider = 'local'\nsource='x'\nkey_env='K'", "models.a.key_env: a local model has none; leave it out, or name another provider"),
        ("[models.a]\nprovider = 'openai'\nslots = 2", 'models.a.slots: only a local model has it; leave it out, or set provider = "local"'),
        ("[models.a]\nprovider = 'openai'\nbase_url = 'localhost:80'", "models.a.base_url: not an address; write it as https://host/path"),
        ("[models.a]\nprovider = 'openai'\nbase_url = 'https://me:pw@host/'", "models.a.base_url: an address in this file may not hold a user name or password; use key_env"),
        ("[models.a]\nprovider = 'openai'\nprice = { output_usd_per_mtok = 1 }", "models.a.price: 'input_usd_per_mtok' is missing"),
        ("[models.a]\nprovider = 'openai'\nprice = { input_usd_per_mtok = -1 }", "models.a.price.input_usd_per_mtok: expected an amount in dollars (0 or more), got -1"),
        ("[budgets.a]\nhard = true", "budgets.a: no limit; set one of usd_per_day, usd_per_month, usd_ever"),
        ("[budgets.a]\nusd_per_day = 1\nusd_ever = 2", "budgets.a: usd_per_day and usd_ever are two limits; give each a budget of its own"),
        ("[budgets.a]\nusd_per_day = 1\nkey = 'k'\nteam = 't'", "budgets.a: key and team exclude each other; set one of them"),
        ("[budgets.a]\nusd_per_day = 1\ntag = 'x'", "budgets.a.tag: 'x' is no tag; write it as name=value"),
        ("[budgets.a]\nusd_per_day = 1\nsoft = [80]", "budgets.a.soft: 80.0 is no share of the limit; write e.g. 0.8 for 80 %"),
        ("[budgets]\nlimits = 3", "budgets.limits: no such setting; name a budget with a table, e.g. [budgets.default]"),
        ("[keep]\nbodies = true", "keep: kept bodies are encrypted; set master_key_env, master_key_file or master_key_command"),
        ("[server]\ntls_cert = 'a.pem'", "server.tls_key: missing; TLS needs both the certificate and its key"),
        ("[server]\ncors = ['*']", "server.cors: '*' is not an origin; write it as https://app.example"),
    ],
)  # fmt: skip
def test_a_wrong_setting_is_named_with_its_place_and_its_remedy(tmp_path, text, said):
    assert wrong(tmp_path, text) == [said]


def test_listening_beyond_loopback_needs_tls_or_a_proxy_that_has_it(tmp_path):
    assert "behind_proxy" in wrong(tmp_path, "[server]\nhost = '0.0.0.0'")[0]
    assert read(tmp_path, "[server]\nhost = '0.0.0.0'\nbehind_proxy = true").server.behind_proxy
    for host in ("localhost", "127.0.0.5", "::1"):
        assert read(tmp_path, f"[server]\nhost = '{host}'")
    assert wrong(tmp_path, "", overrides={"server.host": "10.0.0.1"})


def test_everything_that_is_wrong_is_reported_at_once_with_its_line(tmp_path):
    text = "[server]\nport = 'x'\n[routes.a]\nladder = ['smal', 'openai/y']\nqality = 1\n[models.small]\nprovider = 'local'\n"
    with pytest.raises(ConfigError) as caught:
        read(tmp_path, text)
    assert str(caught.value) == (
        f"{tmp_path}/demitasse.toml has 4 wrong settings:\n"
        "  line 2: server.port: expected a whole number from 0 to 65535, got 'x'\n"
        "  line 5: routes.a.qality: no such setting; did you mean 'quality'?\n"
        '  line 6: models.small.source: missing; name a model from the catalogue, e.g. source = "smollm2-135m"\n'
        "  line 4: routes.a.ladder: no model 'smal'; did you mean 'small'?"
    )


def test_one_mistake_is_not_blamed_twice(tmp_path):
    assert len(wrong(tmp_path, "[models.a]\nprovider = 3\n[routes.r]\nreference = 'a'")) == 1
    assert len(wrong(tmp_path, "[budgets.a]\nusd_per_day = 'five'")) == 1
    assert len(wrong(tmp_path, "[routes.r]\nladder = 3")) == 1


PIECES = st.sampled_from(
    ["server", "models", "routes", "budgets", "cache", "keep", "a", "b", "port", "provider", "price", "key"]
)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.decimals() | st.text("ab.= \n", max_size=9) | st.dates() | PIECES,
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(PIECES | st.text("ab.= \n", max_size=5), inner, max_size=4)
    ),
    max_leaves=12,
)


@given(st.dictionaries(PIECES, VALUES, max_size=5))
def test_no_file_however_odd_gets_another_answer_than_a_configuration_or_its_mistakes(document):
    try:
        load(None, {}, Path("/nowhere"), overrides=document)
    except SettingsError as error:
        said = [p.message for p in error.problems]
    else:
        return
    assert all(said)


def test_a_file_may_begin_with_a_byte_order_mark(tmp_path):
    (tmp_path / "demitasse.toml").write_bytes(b"\xef\xbb\xbf[server]\r\nport = 7\r\n")
    assert load(None, {}, tmp_path).server.port == 7


def test_flags_win_over_the_file_and_decimals_in_them_are_exact(tmp_path):
    got = read(tmp_path, EXAMPLE, overrides={"server.port": 1, "budgets.default.usd_per_day": 0.1, "cache.ttl_s": 1.5})
    assert (got.server.port, got.cache.ttl_s, config.budgets(got)[0].limit_nanos) == (1, 1.5, 100_000_000)


def test_broken_toml_names_the_line(tmp_path):
    with pytest.raises(SettingsError, match=r"demitasse.toml:2: not valid TOML: "):
        read(tmp_path, "[server]\nport = \n")


@pytest.mark.parametrize(
    "line",
    ["key = 'sk-proj-abcdefghijklmnop'", "api_key = 'whatever'", "key_env = 'sk-ant-api03-abcdefghijk'", "token = 'x'", "region = 'AKIAIOSFODNN7EXAMPLE'", "model = 'Bearer abcdefghijklmnop'"],
)  # fmt: skip
def test_a_secret_in_the_file_is_refused_and_never_repeated(tmp_path, line):
    with pytest.raises(SettingsError) as caught:
        read(tmp_path, f"[models.a]\nprovider = 'openai'\n{line}\n")
    assert "key_env" in str(caught.value)
    assert line.split("'")[1] not in str(caught.value) or line.startswith("token")


def test_ordinary_names_are_no_secrets(tmp_path):
    assert read(
        tmp_path,
        "[models.a]\nprovider='openai'\nmodel='skylark-large-2026-preview'\n[budgets.b]\nusd_ever=1\nkey='ci-bot'",
    )


def test_providers_are_checked_where_they_are_known(tmp_path):
    text = "[models.a]\nprovider = 'opnai'\n[routes.r]\nreference = 'antropic/claude'"
    assert wrong(tmp_path, text, providers={"openai": "https://o", "anthropic": "https://a", "local": "local"}) == [
        "models.a.provider: no provider 'opnai'; did you mean 'openai'?",
        "routes.r.reference: no provider 'antropic'; did you mean 'anthropic'?",
    ]


def test_a_provider_without_an_address_of_its_own_needs_one(tmp_path):
    said = "models.a.base_url: missing; 'generic' is wherever you say, e.g. https://host/v1"
    assert wrong(tmp_path, "[models.a]\nprovider = 'generic'") == [said]
    assert (
        read(tmp_path, "[models.a]\nprovider = 'generic'\nbase_url = 'http://gpu.lan:8000/v1'").models["a"].model == "a"
    )


def test_what_follows_from_other_settings_is_filled_in(tmp_path):
    text = "[models.'gpt-5.1']\nprovider='openai'\n[models.s]\nprovider='local'\nsource='m/x.gguf'\n[routes.r]\nladder=['s','gpt-5.1']"
    got = read(tmp_path, text + "\n[server]\ntls_cert='c.pem'\ntls_key='/k.pem'")
    assert got.models["gpt-5.1"].model == "gpt-5.1"
    assert got.models["s"].source == str(tmp_path / "m/x.gguf")
    assert got.routes["r"].reference == "gpt-5.1"
    assert (got.server.tls_cert, got.server.tls_key) == (str(tmp_path / "c.pem"), "/k.pem")


def test_the_file_is_named_by_flag_then_environment_then_found(tmp_path):
    for name, port in (("demitasse.toml", 1), ("env.toml", 2), ("flag.toml", 3)):
        (tmp_path / name).write_text(f"[server]\nport = {port}")
    env = {"DEMITASSE_CONFIG": "env.toml"}
    assert (load("flag.toml", env, tmp_path).server.port, load("flag.toml", env, tmp_path).found) == (3, False)
    assert (load(None, env, tmp_path).server.port, load(None, env, tmp_path).found) == (2, False)
    assert (load(None, {}, tmp_path).server.port, load(None, {}, tmp_path).found) == (1, True)
    with pytest.raises(ConfigError, match="no such file; check --config or DEMITASSE_CONFIG"):
        load("nowhere.toml", {}, tmp_path)


def test_everything_kept_lies_where_it_was_told_or_where_the_platform_keeps_data(tmp_path):
    home = {"HOME": "/home/u"}
    assert config.data_dir("d", home, tmp_path) == tmp_path / "d"
    assert config.data_dir(None, home | {"DEMITASSE_HOME": "/data"}, tmp_path) == Path("/data")
    assert config.data_dir(None, home, tmp_path, "linux") == Path("/home/u/.local/share/demitasse")
    assert config.data_dir(None, home | {"XDG_DATA_HOME": "/x"}, tmp_path, "linux") == Path("/x/demitasse")
    assert config.data_dir(None, home | {"XDG_DATA_HOME": "rel"}, tmp_path, "linux") == Path(
        "/home/u/.local/share/demitasse"
    )
    assert config.data_dir(None, home, tmp_path, "darwin") == Path("/home/u/Library/Application Support/demitasse")
    assert config.data_dir(None, {"LOCALAPPDATA": "/l"}, tmp_path, "win32") == Path("/l/demitasse")


HOMES = (
    KeyHome("openai", "OPENAI_API_KEY", ("api.openai.com",)),
    KeyHome("anthropic", "ANTHROPIC_API_KEY", ("api.anthropic.com",)),
)


@pytest.mark.parametrize(
    ("model", "foreign"),
    [
        ("provider='openai'\nkey_env='OPENAI_API_KEY'", False),
        ("provider='openai'\nkey_env='OPENAI_API_KEY'\nbase_url='https://api.openai.com/v1'", False),
        ("provider='openai'\nkey_env='OPENAI_API_KEY'\nbase_url='http://api.openai.com/v1'", True),
        ("provider='openai'\nkey_env='OPENAI_API_KEY'\nbase_url='https://api.openai.com.evil.example/v1'", True),
        ("provider='openai'\nkey_env='OPENAI_API_KEY'\nbase_url='http://127.0.0.1:9/v1'", False),
        ("provider='anthropic'\nkey_env='OPENAI_API_KEY'", True),
        ("provider='openai'\nkey_env='MY_OWN_KEY'\nbase_url='https://my.example'", False),
        ("provider='openai'\nkey_env='AWS_SECRET_ACCESS_KEY'\nbase_url='https://evil.example'", True),
        ("provider='openai'\nbase_url='https://evil.example'", False),
    ],
)  # fmt: skip
def test_a_file_that_was_merely_found_sends_no_standard_key_to_a_foreign_host(tmp_path, model, foreign):
    (tmp_path / "demitasse.toml").write_text("[models.m]\n" + model)
    found = load(None, {}, tmp_path)
    uses = config.foreign_key_uses(found, HOMES)
    assert bool(uses) is foreign
    assert config.foreign_key_uses(found, HOMES, {use.hash for use in uses}) == []
    assert config.foreign_key_uses(load("demitasse.toml", {}, tmp_path), HOMES) == []


def test_an_approval_holds_for_that_server_only(tmp_path):
    def uses(url):
        (tmp_path / "demitasse.toml").write_text(
            f"[models.m]\nprovider='openai'\nkey_env='OPENAI_API_KEY'\nbase_url='{url}'"
        )
        return config.foreign_key_uses(load(None, {}, tmp_path), HOMES)

    one, other = uses("https://a.example/v1")[0], uses("https://b.example/v1")[0]
    assert one.hash != other.hash
    assert str(one) == (
        "models.m: this file was merely found here and would send OPENAI_API_KEY to a.example; name the file with --config if you mean it"
    )


async def test_a_valid_change_is_taken_up_and_an_invalid_one_changes_nothing(tmp_path):
    file = tmp_path / "demitasse.toml"
    file.write_text("[server]\nport = 1")
    texts = ["[server]\nport = 22", None, "[server]\nport = 'x'", "[server]\nport = 333", ""]
    got: list[int | str] = []

    async def sleep(_s):
        if not texts:
            raise asyncio.CancelledError
        text = texts.pop(0)
        file.unlink() if text is None else file.write_text(text)

    async def changed(new: Config) -> None:
        got.append(new.server.port)

    with pytest.raises(asyncio.CancelledError):
        await config.watch(
            file, lambda: load(file, {}, tmp_path), changed, lambda error: got.append(str(error)), sleep=sleep
        )
    assert [got[0], got[2], got[3]] == [22, 333, 4141]
    assert "server.port: expected a whole number" in str(got[1])
    assert len(got) == 4


def test_each_setting_says_what_it_is_and_who_set_it(tmp_path):
    rows = {r.setting: r for r in config.describe(read(tmp_path, EXAMPLE, overrides={"server.port": 8080}))}
    assert rows["server.port"][1:] == ("8080", "command")
    assert rows["server.host"][1:] == ('"127.0.0.1"', "default")
    assert rows["routes.auto.ladder"][1:] == ('["small", "large"]', "file")
    assert rows["budgets.default.usd_per_day"][1:] == ("5", "file")
    assert rows["models.large.price"].value.startswith("{ input_usd_per_mtok = 1.25, output_usd_per_mtok = 10")


def test_the_hardware_section_takes_what_a_machine_has():
    assert set(config.Hardware.__struct_fields__) == set(hardware.Hardware.__struct_fields__) - {"origin"}
    hardware.hardware(**asdict(config.Hardware(capex_usd=1000.0)))


def test_every_setting_is_documented():
    assert [row.setting for row in config.documented() if not row.meaning.endswith(".")] == []


def test_the_reference_page_is_up_to_date():
    page = Path(__file__).parent.parent / "docs" / "reference" / "settings.md"
    assert page.read_text() == config.reference(), "write it: python -m demitasse.config > docs/reference/settings.md"


def test_configuration_is_read_without_heavy_imports():
    import subprocess
    import sys

    code = "import sys, demitasse.config; print([m for m in ('genai_prices', 'pydantic', 'rich', 'click') if m in sys.modules])"
    assert (
        subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip() == "[]"
    )


def test_a_judge_of_grey_claims_is_named_where_something_asks_it(tmp_path: Path) -> None:
    model = '[models.small]\nprovider = "openai"\n'
    (alone,) = wrong(tmp_path, model + '[guard]\ngrounding_judge = "small"\n')
    assert "nothing would ask it" in alone
    fine = model + '[guard]\ngrounding_judge = "small"\n[guards.docs]\nchecks = ["grounding"]\n'
    assert read(tmp_path, fine).guard.grounding_judge == "small"
