"""`netproof cnis`: what `--cni` takes."""

from __future__ import annotations

import argparse

from netproof.commands.console import print_table


def add(parser: argparse.ArgumentParser) -> None:
    parser.set_defaults(handler=run)


def run(arguments: argparse.Namespace) -> int:
    from netproof.clusters import recipes

    found = [recipes.load(recipes.CniVersion(name=name)) for name in recipes.names()]
    rows = [(recipe.name, recipe.version, recipe.driver, recipe.title) for recipe in found]
    print_table(("name", "version", "driver", "what"), rows)
    return 0
