"""What lints need to know of a CNI, from its folder in `clusters/`: what it enforces, and where it differs."""

from __future__ import annotations

from netproof.clusters import recipes, reviews
from netproof.clusters.recipes import CniVersion
from netproof.errors import InputError, suggest
from netproof.lint import FEATURES, CniProfile, KnownDifference
from netproof.wording import link_docs


def read_profiles(word: str) -> tuple[CniProfile, ...]:
    """Of `--cni NAME,…`. Raises InputError."""
    return tuple(read_profile(wanted) for wanted in recipes.parse_cni(word))


def read_profile(wanted: CniVersion) -> CniProfile:
    """Raises InputError, also for a known difference with a feature that no lint finds."""
    recipe = recipes.load(wanted)
    known = reviews.load_all(recipes.known_differences(recipe), "cni", recipe.version.removeprefix("v"))
    for entry in known.entries:
        for feature in entry.lint:
            if feature not in FEATURES:
                message = f"{entry.id}: no feature is called {feature!r}; {suggest(feature, FEATURES)}"
                raise InputError(message, file=known.file_of(entry.id), key="lint")
    return CniProfile(
        name=wanted.name,
        version=recipe.version,
        enforces=recipe.enforces,
        hint=recipe.hint,
        dialects=tuple(recipe.dialects),
        known=tuple(
            KnownDifference(
                id=entry.id, features=tuple(entry.lint), sentence=entry.sentence.strip(), link=link_docs(entry.link)
            )
            for entry in known.entries
            if entry.lint
        ),
    )
