"""``python -m annul``: the same as the ``annul`` command."""

from annul.cli import main

main()
