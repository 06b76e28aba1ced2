"""Where the development server answers otherwise than a real DVID on purpose, and why.

Each entry is a pattern over `<scenario>: <METHOD> <path>?<query>` of recorded exchanges. A pattern
that no differing exchange matches any more is an error: the list stays true.
"""

DIFFERENCES: dict[str, str] = {
    r"versions: GET /api/node/\{root\}/note": (
        "DVID answers 400 to a note without the field `note`, and empties the note all the same; "
        "here a refused request changes nothing."
    ),
}
