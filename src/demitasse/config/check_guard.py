"""Rules of the guard's settings: types and profiles that must exist, classes that must say where. Knows no file."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator

from ..guard.kinds import NAMED, TYPES
from .read import Problem, meant
from .tree import Config, GuardSettings


def check_guard(config: Config, no_model: Callable[[str], str]) -> Iterator[Problem]:
    """Every rule that is broken. ``no_model``: why a name is no model; empty when it is one."""
    yield from _profile("guard", config.guard, no_model)
    for name, profile in config.guards.items():
        yield from _profile(f"guards.{name}", profile, no_model)
    profiles = {"guard": config.guard, **{f"guards.{name}": profile for name, profile in config.guards.items()}}
    if not any("grounding" in profile.checks for profile in profiles.values()):
        for place, profile in profiles.items():
            if profile.grounding_judge:
                yield Problem(
                    f"{place}.grounding_judge", 'nothing would ask it; add "grounding" to a profile\'s checks'
                )
    for name, route in config.routes.items():
        yield from _known(f"routes.{name}.guard", "profile of [guards]", route.guard, config.guards)
    for name, tenant in config.tenants.items():
        yield from _known(f"tenants.{name}.guard", "profile of [guards]", tenant.guard, config.guards)
        yield from _known(f"tenants.{name}.data_class", "class of [classes]", tenant.data_class, config.classes)
    for name, data in config.classes.items():
        place = f"classes.{name}"
        for type in data.types:
            yield from _known(f"{place}.types", "type of personal data", type, TYPES)
        named = sorted(NAMED & set(data.types))
        if named and not any(profile.names for profile in (config.guard, *config.guards.values())):
            yield Problem(f"{place}.types", f"nothing finds {' or '.join(named)} yet; set guard.names = true")
        if data.stays == "regions" and not data.regions:
            yield Problem(f"{place}.regions", 'missing; name the regions it may go to, e.g. regions = ["eu-*"]')
        if data.stays == "local" and data.regions:
            yield Problem(f"{place}.regions", 'it stays local, so no region is asked; or set stays = "regions"')


def _profile(place: str, profile: GuardSettings, no_model: Callable[[str], str]) -> Iterator[Problem]:
    for type in profile.personal:
        if type != "default":
            yield from _known(f"{place}.personal.{type}", "type of personal data", type, TYPES)
        if type in NAMED and profile.personal[type] not in ("allow", "detect") and not profile.names:
            yield Problem(
                f"{place}.personal.{type}", f"nothing finds it yet; set {place}.names = true, which takes longer"
            )
    if profile.moderation and (wrong := no_model(profile.moderation)):
        yield Problem(f"{place}.moderation", wrong)
    if "moderation" in profile.checks and not profile.moderation:
        yield Problem(f"{place}.moderation", "missing; name the model that is to moderate answers")
    if profile.grounding_judge and (wrong := no_model(profile.grounding_judge)):
        yield Problem(f"{place}.grounding_judge", wrong)
    if profile.moderated == "refuse" and not profile.moderation:
        yield Problem(f"{place}.moderation", "missing; name the model that finds what is to be refused")


def _known(place: str, what: str, name: str, known: Collection[str]) -> Iterator[Problem]:
    names = list(known)
    if name and name not in names:
        yield Problem(place, f"no {what} '{name}'{meant(name, names) or _listed(names)}")


def _listed(names: list[str]) -> str:
    return "; there are " + ", ".join(names) if names else "; there is none"
