"""A policy as a person writes it or a certificate holds it: TOML or JSON in, a Policy out. Knows no store and no route table.

    route = "auto"              which calls; all of them must name it
    serve = "small"             always this model …
    certificate = "crt_…"       … or what a certificate's policy does, learned scores and all
    direct = 0.9                … or a certificate's policy with other settings: direct, draft, second, accept

A JSON file may also be a whole policy, or a certificate as ``demitasse certificates show ID --json`` prints one.
"""

from __future__ import annotations

import difflib
import tomllib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import msgspec
from msgspec import structs

from ..core.errors import ConfigError
from ..core.policy import (
    ALWAYS_CHEAP,
    ALWAYS_REFERENCE,
    Certificate,
    Policy,
    Setting,
    decode_certificate,
    decode_policy,
)

SETTINGS = Setting.__struct_fields__
FIELDS = ("route", "serve", "reference", "certificate", *SETTINGS)


def read_policy(path: Path, certificates: Iterable[Certificate], references: Mapping[str, str]) -> Policy:
    """The policy in a file.

    Args:
        certificates: those that a file may name.
        references: of each known route, our name of its reference model.

    Raises:
        ConfigError: what is wrong, where, and what to write instead.
    """
    try:
        text = path.read_bytes()
    except OSError as error:
        raise ConfigError(f"{path}: {(error.strerror or str(error)).lower()}; name a policy file") from error
    try:
        if path.suffix == ".json":
            found = msgspec.json.decode(text)
            if isinstance(found, dict) and "cheap" in found:
                return decode_policy(text)
            if isinstance(found, dict) and "policy" in found:
                return decode_certificate(text).policy
        else:
            found = tomllib.loads(text.decode("utf-8"))
    except (msgspec.DecodeError, tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: {error}") from error
    if not isinstance(found, dict):
        raise ConfigError(f'{path}: a policy is a table of settings, such as: route = "auto"')
    return policy_of(found, certificates, references, where=str(path))


def policy_of(
    found: Mapping[str, Any], certificates: Iterable[Certificate], references: Mapping[str, str], *, where: str
) -> Policy:
    """The policy that a table of settings means; see the module's docstring. Raises ConfigError, beginning with ``where``."""
    for name, value in found.items():
        if name not in FIELDS:
            near = difflib.get_close_matches(name, FIELDS, 1)
            hint = f"did you mean '{near[0]}'?" if near else f"there are: {', '.join(FIELDS)}"
            raise ConfigError(f"{where}: {name}: no such setting; {hint}")
        number = name in SETTINGS
        if not isinstance(value, (int, float) if number else str) or isinstance(value, bool):
            raise ConfigError(f"{where}: {name}: {'a number' if number else 'a text in quotes'} is wanted")
    given = {name: float(found[name]) for name in SETTINGS if name in found}
    if "certificate" in found:
        if "serve" in found:
            raise ConfigError(f"{where}: certificate and serve contradict each other; keep one")
        return _of_certificate(found, given, certificates, where)
    if given:
        raise ConfigError(
            f'{where}: {next(iter(given))}: needs the scores of a certificate; name one: certificate = "crt_…"'
        )
    route = str(found.get("route", ""))
    if not route or (route not in references and "reference" not in found):
        known = ", ".join(sorted(references)) or "none; write one in demitasse.toml: [routes.NAME]"
        raise ConfigError(f"{where}: route: {f'no route {route!r}' if route else 'missing'}; there are: {known}")
    if "serve" not in found:
        raise ConfigError(f"{where}: serve: missing; name the model that should answer, or a certificate")
    reference = str(found.get("reference", references.get(route, "")))
    serve = str(found["serve"])
    return Policy(
        route=route,
        cheap=serve,
        reference=reference,
        setting=ALWAYS_REFERENCE if serve in (reference, "reference") else ALWAYS_CHEAP,
    )


def _of_certificate(
    found: Mapping[str, Any], given: dict[str, float], certificates: Iterable[Certificate], where: str
) -> Policy:
    known = {certificate.id: certificate for certificate in certificates}
    certificate = known.get(found["certificate"])
    if certificate is None:
        there = ", ".join(known) or "none yet; make one with: demitasse certify ROUTE"
        raise ConfigError(f"{where}: certificate: no '{found['certificate']}'; there are: {there}")
    policy = certificate.policy
    if found.get("route", policy.route) != policy.route:
        raise ConfigError(f"{where}: route: the certificate is for route '{policy.route}'")
    if not given:
        return policy
    return structs.replace(policy, setting=structs.replace(policy.setting, **given), slices=())
