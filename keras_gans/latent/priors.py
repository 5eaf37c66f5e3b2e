"""What a model's prior makes of its noise, measured: tools that know the latents alone work on the noise by it."""

import numpy as np
from keras import ops

SAMPLES = 256  # rows of noise by which a prior is judged
TOLERANCE = 1e-6  # latents that differ by less are the same


def latents_of(model, noise):
    """`model.prior` of an array, as an array float64 (N, latent_dim)."""
    return ops.convert_to_numpy(model.prior(ops.convert_to_tensor(noise, "float32"))).astype("float64")


def affine_kernel(model):
    """K of a prior noise K + b, such as GLO's, float64 (latent_dim, latent_dim); None of any other prior.

    Example:

    >>> affine_kernel(kg.DCGAN(image_shape=(8, 8, 1), latent_dim=2)).tolist()    # the noise itself
    [[1.0, 0.0], [0.0, 1.0]]
    """
    noise = model.noise(SAMPLES, seed=0)
    origin = latents_of(model, np.zeros((1, model.latent_dim)))
    kernel = latents_of(model, np.eye(model.latent_dim)) - origin
    moved = latents_of(model, noise) - origin
    # The tolerance is wide for GPUs, whose products have three digits; curved priors miss it by far.
    return kernel if np.abs(noise @ kernel - moved).max() <= 0.01 * np.abs(moved).max() else None


def elementwise_places(model):
    """The places in the noise of the numbers that each make the latent at the same place, and it alone, all by one
    rising function.

    Of a uniform prior these are all; of InfoGAN's all but those that an argmax makes categories of. None are found
    where the function differs, as where the noise is scaled to norm 1.

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
    rising = latents[np.argsort(noise[:, places].ravel())]  # in order, only if no other number has a part in a latent
    return places if (np.diff(rising) > -TOLERANCE).all() else places[:0]
