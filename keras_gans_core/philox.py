"""The counter-based generator Philox 4x32-10 and normal numbers from it, in NumPy.

The numbers are those of TensorFlow's stateless normal distribution with `alg="philox"`, so that a seed gives the same
image on every backend and in an exported model. Sine and logarithm may differ in the last bit between libraries.

Reference: Salmon et al., 2011, "Parallel random numbers: as easy as 1, 2, 3", https://doi.org/10.1145/2063384.2063405
"""

import numpy as np

_MULTIPLIERS = np.array([0xD2511F53, 0xCD9E8D57], "uint64")
_KEY_STEPS = np.array([0x9E3779B9, 0xBB67AE85], "uint32")
_SCRAMBLE_KEY = np.array([0x3EC8F720, 0x02461E29], "uint32")  # TensorFlow's, for turning a seed into a key


def philox(counters, key):
    """Ten rounds over 128-bit counters, (N, 4) uint32, with one 64-bit key, (2,) uint32; returns (N, 4) uint32."""
    c0, c1, c2, c3 = (counters[:, i].astype("uint32") for i in range(4))
    key = key.astype("uint32")
    for _ in range(10):
        low = _MULTIPLIERS[0] * c0.astype("uint64")
        high = _MULTIPLIERS[1] * c2.astype("uint64")
        c0, c1, c2, c3 = (
            (high >> np.uint64(32)).astype("uint32") ^ c1 ^ key[0],
            high.astype("uint32"),
            (low >> np.uint64(32)).astype("uint32") ^ c3 ^ key[1],
            low.astype("uint32"),
        )
        key = key + _KEY_STEPS
    return np.stack([c0, c1, c2, c3], axis=1)


def normal(size, seed):
    """`size` standard normal numbers, float32, for one seed, a 64-bit integer.

    >>> [round(float(x), 4) for x in normal(2, seed=0)] == [round(float(x), 4) for x in normal(5, seed=0)[:2]]
    True
    """
    words = np.array([seed & 0xFFFFFFFF, (seed >> 32) & 0xFFFFFFFF, 0, 0], "uint32")
    mixed = philox(words[None], _SCRAMBLE_KEY)[0]
    counters = np.zeros((-(-size // 4), 4), "uint32")
    start = int(mixed[2]) << 64 | int(mixed[3]) << 96
    for i in range(len(counters)):
        value = start + i
        counters[i] = [value >> shift & 0xFFFFFFFF for shift in (0, 32, 64, 96)]
    words = philox(counters, mixed[:2]).reshape(-1, 2)
    # The 23 low bits are the mantissa of a number in [1, 2), minus one; then the Box-Muller transform.
    uniform = ((words & np.uint32(0x7FFFFF)) | np.uint32(0x3F800000)).view("float32") - np.float32(1)
    radius = np.sqrt(np.float32(-2) * np.log(np.maximum(uniform[:, 0], np.float32(1e-7))))
    angle = np.float32(2 * np.pi) * uniform[:, 1]
    return np.stack([np.sin(angle) * radius, np.cos(angle) * radius], axis=1).reshape(-1)[:size].astype("float32")


def normal_of(seeds, size):
    """Standard normal numbers, float32 (N, size), row i from seed i alone."""
    return np.stack([normal(size, int(seed)) for seed in seeds])
