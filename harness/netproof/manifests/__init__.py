"""The YAML border: files that know their lines, plain manifests, placeholders."""
