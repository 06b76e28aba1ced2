"""Where the development server answers otherwise than a real DVID on purpose, and why."""

DIFFERENCES: dict[str, str] = {
    r"versions: GET /api/node/\{root\}/note": (
        "DVID answers 400 to a note without the field `note`, and empties the note all the same; "
        "here a refused request changes nothing."
    ),
    r"server: GET /api/server/compiled-types": (
        "The development server has the six image types, labelmap and roi only."
    ),
    r"label_post_faults: POST /api/node/\{root\}/seg/info": (
        "An instance's configuration cannot be changed here: raising MaxDownresLevel so makes a "
        "real DVID panic later."
    ),
    r"bounded_bodies: GET /api/node/\{root\}/low/sparsevol/91\?maxx=-20&miny=-5": (
        "DVID divides a negative bound towards zero and so looks at a block beyond it, whose "
        "negative length it takes off the run before; here runs end at the bound."
    ),
}
"""Pattern over `<scenario>: <METHOD> <path>?<query>` of recorded exchanges -> reason. A pattern
that no differing exchange matches any more fails the replay: the list stays true."""

UNRECORDED: tuple[str, ...] = (
    "BlockSize, VoxelSize, MinPoint and MaxPoint must have three numbers, blocks must be positive, "
    "and `resolution` takes three: DVID takes any number and panics later, when it uses them.",
    "POST `blocks` takes whole blocks of any image type; DVID counts one byte a voxel, and stores "
    "cut blocks of wider types.",
    "`newversion` and `branch` refuse an id that exists; DVID lets two versions share it.",
    "A tag must have a name; DVID makes a version without an id.",
    "Compression `snappy` is refused, and `jpeg` where Pillow is missing.",
    "2D pictures of 64-bit voxels are PNG only.",
    "Request bodies are limited (413), documents to 16 MiB; DVID reads whatever comes.",
    "Hosts other than loopback names are refused (400) while the server listens on loopback.",
    "A store that is full answers 500 and stores nothing of the post; DVID may store some blocks.",
    "Posted label blocks must have the instance's block size and be whole; DVID checks little, and "
    "fails later, when it reads them.",
    "`label` and `labels` at negative coordinates that are no multiple of the block: where a block "
    "has several labels DVID reads bits of other voxels, and this server answers 0.",
    "A labelmap that says it is stored as LZ4 or plain refuses posted blocks as in DVID, but reads "
    "right; DVID's block frames are broken then.",
    "The label index follows within the post, in the same transaction; DVID's lags behind a POST "
    "`raw`.",
    "A mapping that was made on another branch only makes DVID lose the counts of posts; here they "
    "are kept.",
    "Posted supervoxels of a body that had lost all their voxels are counted again; DVID leaves "
    "them out.",
    "A body that was cleaved off without supervoxels leaves no trace in `existing-labels`.",
    "Of the index itself (`index`, `indices`) only `metadata-only=true` is there; POST `mappings`, "
    "`sparsevols-coarse`, `supervoxel-splits`, "
    "`set-nextlabel` and `mutations` are left out.",
    "`help`, `storage`, `server/config`, `server/token`, `user-latencies`, `sync`, `tags`, `arb`, "
    "DAG merges, the blob store and authentication are left out.",
    "A region's `partition` is left out, and masks are limited to 3 GiB.",
    "Gzip data that holds far more than the box is counted only so far in the refusal.",
)
"""Differences that no recorded exchange shows."""
