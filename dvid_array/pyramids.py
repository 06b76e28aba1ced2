"""The same volume at other scales, as arrays.

Owns the step from one scale to another. Must not know requests; what a scale is, `scales` knows.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from dvid_array.attributes import Attributes
from dvid_array.client.volume import Volume
from dvid_array.scales import level_name, level_names

if TYPE_CHECKING:
    from dvid_array.array import DvidArray, NodeLike


class Scaled(Attributes):
    """Scales of an array: a label volume has several of its own, an image is one of several."""

    _node: NodeLike

    @property
    def scales(self) -> tuple[int, ...]:
        """The scales this instance holds: 0 alone, or those the server keeps of a label volume.
        Coarser scales of an image are instances of their own: see `at_scale` and `pyramid`."""
        return tuple(range(self._volume.instance.max_scale + 1))

    def at_scale(self, scale: int) -> DvidArray:
        """The same volume at another scale, whose voxels are 2^scale as long; of a window, the
        voxels that hold any of it.

        Of labels that costs no request. Of an image it is the instance ``name_<scale>``, which is
        opened: two requests.

        Raises
        ------
        ValueError
            For a scale that `scales` does not have.
        DvidNotFoundError
            Where an image has no such instance.
        """
        return self._same_place(self._whole_at(scale), scale - self.scale)

    def pyramid(self) -> list[DvidArray]:
        """The volume at every scale, finest first. Of labels no request; of an image one for what
        its repo lists (once), and one or two to open what was found."""
        if self._volume.instance.kind.has_scales:
            return [self.at_scale(scale) for scale in self.scales]
        names = level_names(self.instance, self._node.instances)
        coarser = self._node.open_many(names[1:])
        levels = [self._level(array, steps) for steps, array in enumerate(coarser, 1)]
        places = enumerate([self._whole_at(0), *levels])
        return [self._same_place(array, steps) for steps, array in places]

    def _whole_at(self, scale: int) -> DvidArray:
        if scale in self.scales:
            return self._with(self._volume.at_scale(scale))
        if self._volume.instance.kind.has_scales or scale < 0:
            raise ValueError(f"{self.instance!r} has the scales {self.scales}, not {scale}")
        return self._level(self._node.open(level_name(self.instance, scale)), scale)

    def _level(self, opened: DvidArray, steps: int) -> DvidArray:
        """A coarser instance of this image, seen through the same regions of interest, with the
        same settings."""
        ours = self._volume
        regions = tuple(region.halved(steps) for region in ours.regions)
        return opened._with(replace(opened._volume, transport=ours.transport, regions=regions))

    def _with(self, volume: Volume) -> DvidArray:
        """The array of another volume of this node."""
        raise NotImplementedError

    def _same_place(self, other: DvidArray, steps: int) -> DvidArray:
        """What this shows, of an array that is `steps` halvings away."""
        return other
