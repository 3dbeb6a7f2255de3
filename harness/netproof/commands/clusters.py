"""`netproof clusters`: those that runs made and kept or left behind."""

from __future__ import annotations

import argparse

from netproof.commands.console import print_table


def add(parser: argparse.ArgumentParser) -> None:
    verbs = parser.add_subparsers(required=True, metavar="VERB")
    verbs.add_parser("list", help="those that still exist").set_defaults(handler=show_all)
    reap_verb = verbs.add_parser("reap", help="remove what killed runs left behind")
    reap_verb.add_argument("--all", action="store_true", help="remove kept clusters too")
    reap_verb.set_defaults(handler=reap)
    delete_verb = verbs.add_parser("delete", help="remove kept clusters by name")
    delete_verb.add_argument("names", metavar="NAME", nargs="+")
    delete_verb.set_defaults(handler=delete)
    kubeconfig_verb = verbs.add_parser("kubeconfig", help="print the path of a cluster's kubeconfig")
    kubeconfig_verb.add_argument("name", metavar="NAME")
    kubeconfig_verb.set_defaults(handler=kubeconfig)


def show_all(arguments: argparse.Namespace) -> int:
    from netproof.drivers import clusters

    found = clusters.list_clusters()
    if not found:
        print("no clusters")
        return 0
    rows = [(cluster.name, cluster.cni, cluster.version, cluster.created, cluster.state) for cluster in found]
    print_table(("name", "cni", "version", "created", "state"), rows)
    return 0


def reap(arguments: argparse.Namespace) -> int:
    from netproof.drivers import clusters

    removed = clusters.reap(all=arguments.all)
    print("\n".join(f"removed {name}" for name in removed) or "nothing to remove")
    return 0


def delete(arguments: argparse.Namespace) -> int:
    """Raises InputError for a name that no cluster of ours has."""
    from netproof.drivers import clusters

    for name in arguments.names:
        clusters.delete(name)
        print(f"removed {name}")
    return 0


def kubeconfig(arguments: argparse.Namespace) -> int:
    """Raises InputError for a name that no cluster of ours has."""
    from netproof.drivers import clusters

    print(clusters.find_kubeconfig(arguments.name))
    return 0
