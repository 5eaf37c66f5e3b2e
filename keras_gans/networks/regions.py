"""Regions of images, such as the objects of a scene: their boundaries, and what a map has in each."""

from keras import ops


def edge_map(ids):
    """Where regions meet: 1 for each pixel that has one of another region above, below, left or right of it.

    Both sides of a boundary are marked. The border of the image is no boundary.

    Args:
        ids: whole numbers (N, height, width), the same within a region.

    Returns:
        float32 (N, height, width, 1).

    Example:

    >>> ops.convert_to_numpy(edge_map(np.array([[[4, 4, 7, 7]]]))).ravel().tolist()
    [0.0, 1.0, 1.0, 0.0]
    """
    ids = ops.convert_to_tensor(ids)
    down = ops.cast(ids[:, 1:] != ids[:, :-1], "float32")
    right = ops.cast(ids[:, :, 1:] != ids[:, :, :-1], "float32")
    marks = [ops.pad(down, ((0, 0), sides, (0, 0))) for sides in ((1, 0), (0, 1))]
    marks += [ops.pad(right, ((0, 0), (0, 0), sides)) for sides in ((1, 0), (0, 1))]
    return ops.amax(ops.stack(marks, axis=-1), axis=-1, keepdims=True)


def region_means(maps, regions):
    """The mean of a map in each region, and how many pixels each region has.

    Args:
        maps: (N, height, width, channels).
        regions: one-hot (N, height, width, count), the region of each pixel.

    Returns:
        float32 (N, count, channels), zeros for regions without a pixel, and (N, count).

    Example:

    >>> maps = np.reshape([1.0, 3.0, 5.0], (1, 1, 3, 1))
    >>> means, pixels = region_means(maps, np.array([[[[1, 0], [1, 0], [0, 1]]]]))
    >>> ops.convert_to_numpy(means).ravel().tolist(), ops.convert_to_numpy(pixels).ravel().tolist()
    ([2.0, 5.0], [2.0, 1.0])
    """
    maps, regions = ops.cast(maps, "float32"), ops.cast(regions, "float32")
    pixels = ops.sum(regions, axis=(1, 2))
    sums = ops.einsum("nhwr,nhwc->nrc", regions, maps)
    return sums / ops.maximum(pixels, 1.0)[..., None], pixels


def painted(values, regions):
    """A map that has in each pixel what its region has.

    Args:
        values: (N, count, channels), of each region.
        regions: one-hot (N, height, width, count).

    Returns:
        float32 (N, height, width, channels).

    Example:

    >>> regions = np.array([[[[1, 0], [1, 0], [0, 1]]]])
    >>> ops.convert_to_numpy(painted(np.array([[[2.0], [5.0]]]), regions)).ravel().tolist()
    [2.0, 2.0, 5.0]
    """
    return ops.einsum("nhwr,nrc->nhwc", ops.cast(regions, "float32"), ops.cast(values, "float32"))
