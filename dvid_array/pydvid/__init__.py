"""The names of pydvid, on the public objects of this package.

Code written for pydvid runs with its import line changed::

    from dvid_array.pydvid import voxels, general

Owns names and their old meaning, nothing else: every voxel goes through `DvidArray`.
"""
