"""``python -m dvid_array.cli``: the command line where its script is not on the path."""

from dvid_array.cli import main

main()
