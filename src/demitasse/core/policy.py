"""What the lab hands the gateway: a Policy that may save, and the Certificate that says what it keeps. Pure.

Knows thresholds and names; what turns a prompt into a score is opaque here (``Policy.scorer``, read by ``score``).
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from math import inf, isfinite
from typing import Any, Literal, TypeVar

import msgspec
from msgspec import Raw, Struct

_T = TypeVar("_T")

Action = Literal["cheap", "draft", "reference"]
"""cheap: the small model answers, streamed as it comes · draft: it answers, unseen, until its answer is judged ·
reference: the large one answers at once."""

CertificateState = Literal["certified", "promoted", "suspended", "revoked", "undone", "expired", "superseded"]
"""certified: proven, serves nothing yet · promoted: its policy serves · suspended: what it was proven on has changed ·
revoked: the watch saw quality below the floor · undone: a person took it back · expired: its time is over ·
superseded: another of the same route was promoted."""

FOLLOWING: dict[CertificateState, tuple[CertificateState, ...]] = {
    "certified": ("promoted", "undone", "expired"),
    "promoted": ("suspended", "revoked", "undone", "expired", "superseded"),
    "suspended": ("promoted", "revoked", "undone", "expired"),
    "undone": ("promoted", "expired"),
    "superseded": ("promoted", "expired"),
    "revoked": (),
    "expired": (),
}
"""What each state may become. A revoked or expired certificate never serves again: prove a new one."""


class Setting(Struct, frozen=True):
    """One step of a policy's path, all of it derived from one threshold: what each score leads to.

    Scores estimate P(the small model's answer is as good as the reference's), higher is safer. The path is nested: a
    later step serves the small model wherever an earlier one did.
    """

    direct: float = inf
    """From this score of the prompt on, the small model answers live: a router."""
    draft: float = inf
    """From this score of the prompt on (and below ``direct``), a draft is made and judged: a cascade."""
    second: float = -inf
    """Below this score of the draft, a second cheap answer is asked for, whose agreement raises or lowers it."""
    accept: float = inf
    """From this final score on, the draft stands."""


ALWAYS_REFERENCE = Setting()
ALWAYS_CHEAP = Setting(direct=-inf)


class Policy(Struct, frozen=True, omit_defaults=True):
    """When which model answers on one route. Learned, so kept in the store and never in the configuration."""

    route: str
    cheap: str
    """Our name of the small model: an alias of ``[models]`` or ``provider/model``."""
    reference: str
    setting: Setting
    second: str | None = None
    """Another cheap model; its agreement with the draft is a signal."""
    slices: tuple[tuple[str, Setting], ...] = ()
    """Settings of slices that differ; a slice that failed has ALWAYS_REFERENCE."""
    scorer: Raw = Raw(b"null")
    """Learned weights as JSON, for ``score.load``; null where no setting needs a score."""
    seed: int = 0

    def of(self, slice: str) -> Setting:
        """The setting for a slice, or the route's own."""
        for name, setting in self.slices:
            if name == slice:
                return setting
        return self.setting

    @property
    def id(self) -> str:
        """Names the content: the same policy has the same id everywhere."""
        return "pol_" + hashlib.blake2b(_encode(_policy_facts(self)), digest_size=6).hexdigest()


def choose(setting: Setting, score: float) -> Action:
    """What the score of a prompt leads to. A score that is no number leads to the reference."""
    if score >= setting.direct:
        return "cheap"
    return "draft" if score >= setting.draft else "reference"


class SliceFloor(Struct, frozen=True, omit_defaults=True):
    """What is known of one slice. Shares of what the reference alone scores."""

    name: str
    n: int
    quality: float | None
    floor: float | None
    saving: float | None
    certified: bool


class Baseline(Struct, frozen=True):
    """What a trivial policy would have done on the same calls: shares of always-reference's score and cost."""

    name: str
    quality: float
    saving: float


class NextLabels(Struct, frozen=True, omit_defaults=True):
    """What more evidence would buy: after so many further labels, about this saving."""

    labels: int
    saving: float
    usd: float | None = None
    days: float | None = None


class Certificate(Struct, frozen=True, omit_defaults=True):
    """*On this route quality is at least ``quality`` x always-reference, with confidence 1 - ``delta``, on traffic like this.*"""

    id: str
    policy: Policy
    quality: float
    """The share of the reference's score that was promised."""
    delta: float
    estimate: float
    floor: float
    """The bound: quality is at least this, with confidence 1 - ``delta``."""
    saving: float
    """Share of always-reference's cost, probes and checks included."""
    saving_low: float
    saving_high: float
    n_train: int
    n_certify: int
    since_us: int
    until_us: int
    """The window that its calls came from."""
    issued_us: int
    expires_us: int
    models: tuple[tuple[str, str], ...]
    """Our names and the upstreams' own names (versions) of the models that it was proven on."""
    prompt_hash: str = ""
    """Of the system prompts that its calls came with; "" where they differ."""
    code: str = ""
    """Version of Demitasse and of the features."""
    seed: int = 0
    method: str = "learn-then-test, WSR betting"
    slices: tuple[SliceFloor, ...] = ()
    baselines: tuple[Baseline, ...] = ()
    next_labels: tuple[NextLabels, ...] = ()
    signature: str = ""
    """Base64 HMAC-SHA256 or Ed25519 over the JSON without this field, by the key of the data folder."""


def encode_certificate(certificate: Certificate) -> bytes:
    """A certificate as JSON with sorted names. Infinite thresholds are the texts ``inf`` and ``-inf``: JSON has no number
    for them, and null would make always-cheap and always-reference the same."""
    facts = {name: getattr(certificate, name) for name in certificate.__struct_fields__}
    return _encode(facts | {"policy": _policy_facts(certificate.policy)})


def decode_certificate(text: bytes) -> Certificate:
    """What ``encode_certificate`` wrote. Raises msgspec.DecodeError: it is none."""
    found = _shallow(_read, text)
    facts = {name: getattr(found, name) for name in Certificate.__struct_fields__}
    return Certificate(**facts | {"policy": _policy(found.policy)})


def decode_policy(text: bytes) -> Policy:
    """A policy as it stands in a certificate's JSON. Raises msgspec.DecodeError: it is none."""
    return _policy(_shallow(_read_policy, text))


_Spelt = dict[str, float | Literal["inf", "-inf"]]


class _PolicyText(Policy, frozen=True):
    setting: _Spelt = {}  # type: ignore[assignment]
    slices: tuple[tuple[str, _Spelt], ...] = ()  # type: ignore[assignment]


class _CertificateText(Certificate, frozen=True):
    policy: _PolicyText


_encode = msgspec.json.Encoder(order="deterministic").encode
_read = msgspec.json.Decoder(_CertificateText).decode
_read_policy = msgspec.json.Decoder(_PolicyText).decode


def _shallow(read: Callable[[bytes], _T], text: bytes) -> _T:
    try:
        return read(text)
    except RecursionError:
        raise msgspec.DecodeError("it is nested too deeply") from None


def _policy(spelt: _PolicyText) -> Policy:
    facts = {name: getattr(spelt, name) for name in Policy.__struct_fields__}
    slices = tuple((name, _setting(setting)) for name, setting in spelt.slices)
    return Policy(**facts | {"setting": _setting(spelt.setting), "slices": slices, "scorer": spelt.scorer.copy()})


def _policy_facts(policy: Policy) -> dict[str, Any]:
    facts = {name: getattr(policy, name) for name in policy.__struct_fields__}
    slices = [(name, _spelt(setting)) for name, setting in policy.slices]
    return facts | {"setting": _spelt(policy.setting), "slices": slices}


def _spelt(setting: Setting) -> _Spelt:
    values = {name: getattr(setting, name) for name in setting.__struct_fields__}
    return {name: value if isfinite(value) else "inf" if value > 0 else "-inf" for name, value in values.items()}


def _setting(spelt: Any) -> Setting:
    if unknown := spelt.keys() - set(Setting.__struct_fields__):
        raise msgspec.ValidationError(f"a setting has no '{min(unknown)}'")
    return Setting(**{name: float(value) for name, value in spelt.items()})
