"""pytest's door into the harness."""

pytest_plugins = ("harness.plugin", "pytester")
