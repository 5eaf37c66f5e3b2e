"""How a model's prior turns noise into latents, found by trying: it lets tools for latents work on the noise."""

import numpy as np
from keras import ops

SAMPLES = 256  # rows of noise that a prior is tried on
TOLERANCE = 1e-6  # latents that differ by less count as equal


def latents_of(model, noise):
    """The latents for an array of noise, float64 (N, latent_dim)."""
    return ops.convert_to_numpy(model.prior(ops.convert_to_tensor(noise, "float32"))).astype("float64")


def affine_kernel(model):
    """K of a prior noise K + b, such as GLO's, float64 (latent_dim, latent_dim); None for any other prior.

    Example:

    >>> affine_kernel(kg.DCGAN(image_shape=(8, 8, 1), latent_dim=2)).tolist()    # the noise itself
    [[1.0, 0.0], [0.0, 1.0]]
    """
    noise = model.noise(SAMPLES, seed=0)
    origin = latents_of(model, np.zeros((1, model.latent_dim)))
    kernel = latents_of(model, np.eye(model.latent_dim)) - origin
    moved = latents_of(model, noise) - origin
    # A wide tolerance: products on GPUs are accurate to three digits. Priors that are not affine miss it by far.
    return kernel if np.abs(noise @ kernel - moved).max() <= 0.01 * np.abs(moved).max() else None


def elementwise_places(model):
    """The places where a number of the noise determines the latent at the same place and no other latent.

    All of them must do it by one rising function. In a uniform prior these are all places. In InfoGAN's prior they are
    all but those that an argmax turns into categories. There are none if the function differs between rows, for
    instance where noise is scaled to norm 1.

    Returns:
        int64 (count,), ascending.

    Example:

    >>> gan = kg.InfoGAN(image_shape=(8, 8, 1), noise_dim=2, categories=(3,), continuous=1)
    >>> elementwise_places(gan).tolist()
    [0, 1, 5]
    """
    origin = latents_of(model, np.zeros((1, model.latent_dim)))
    changed = np.abs(latents_of(model, np.eye(model.latent_dim)) - origin) > TOLERANCE
    places = np.flatnonzero(np.diag(changed) & (changed.sum(axis=1) == 1))
    noise = model.noise(SAMPLES, seed=0)
    latents = latents_of(model, noise)[:, places].ravel()
    rising = latents[np.argsort(noise[:, places].ravel())]  # in order only if each latent depends on its own number
    return places if (np.diff(rising) > -TOLERANCE).all() else places[:0]
