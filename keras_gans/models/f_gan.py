"""f-GAN: Nowozin, Cseke and Tomioka, 2016, "f-GAN: training generative neural samplers using variational divergence
minimization", https://arxiv.org/abs/1606.00709

Objective, for a divergence with activation g and conjugate f*, and the discriminator's score V:
    value:         F = E[g(V(x))] - E[f*(g(V(G(z))))], a lower bound of D_f(p_data || p_G)
    discriminator: -F
    generator:     -E[g(V(G(z)))]          practical, section 3.2 (the default), or
                   -E[f*(g(V(G(z))))]      F itself, with `generator_objective=f_gan_generator_loss`

The discriminator judges an image to be real where g(V) is above the divergence's `threshold`. For some divergences that
is not V > 0.

Schedule (algorithm 1): one step of both players, with gradients at the same weights on the same images and noise. With
`discriminator_steps=k` the batch is split, and k - 1 updates of the discriminator come first.

Departures from the paper:
- optimizer: one Adam for each player with a learning rate of 2e-4 and beta_1 of 0.5, our choice; algorithm 1 is
  gradient descent;
- networks: fully connected, for digits, with weights from U(-0.05, 0.05), our choice, similar to the paper's for MNIST.
"""

import keras
import numpy as np
from keras import initializers, layers, ops

from keras_gans.errors import ConfigurationError
from keras_gans.fields import check_image_shape, noise_to_images, symmetric_uniform
from keras_gans.layers import FusedBatchNormalization
from keras_gans.losses import (
    FDivergence,
    GANDivergence,
    f_gan_discriminator_loss,
    f_gan_practical_generator_loss,
)
from keras_gans.model import AdversarialModel
from keras_gans.networks.checks import check_networks


def _small():
    return initializers.RandomUniform(-0.05, 0.05)


def build_generator(image_shape, latent_dim=100, *, units=1200):
    """A generator for digits: two hidden layers with batch norm, then sigmoid pixels.

    Args:
        image_shape: (height, width, channels).
        latent_dim: size of the latents.
        units: width of both hidden layers.

    Returns:
        A Keras model, (N, latent_dim) to (N, height, width, channels) in [-1, 1].
    """
    check_image_shape(image_shape)
    latents = x = keras.Input((latent_dim,), name="latents")
    for i in range(2):
        x = layers.Dense(units, use_bias=False, kernel_initializer=_small(), name=f"hidden{i}")(x)
        x = layers.ReLU()(FusedBatchNormalization(momentum=0.9, epsilon=1e-5, name=f"norm{i}")(x))
    height, width, channels = image_shape
    x = layers.Dense(height * width * channels, kernel_initializer=_small(), name="pixels")(x)
    x = layers.Activation("sigmoid", dtype="float32", name="sigmoid")(x)
    x = layers.Rescaling(2.0, offset=-1.0, dtype="float32", name="rescale")(x)
    return keras.Model(latents, layers.Reshape(image_shape, dtype="float32", name="images")(x), name="generator")


def build_discriminator(image_shape, *, units=240):
    """A variational function for digits: two hidden layers of exponential linear units, then a score.

    Args:
        image_shape: (height, width, channels).
        units: width of both hidden layers.

    Returns:
        A Keras model, images to scores (N, 1). It has no output activation: the divergence brings its own.
    """
    check_image_shape(image_shape)
    images = keras.Input(image_shape, name="images")
    x = layers.Rescaling(0.5, offset=0.5, name="rescale")(images)
    x = layers.Flatten(name="flatten")(x)
    for i in range(2):
        x = layers.Dense(units, activation="elu", kernel_initializer=_small(), name=f"hidden{i}")(x)
    scores = layers.Dense(1, kernel_initializer=_small(), dtype="float32", name="scores")(x)
    return keras.Model(images, scores, name="discriminator")


@keras.saving.register_keras_serializable(package="keras_gans")
class FGAN(AdversarialModel):
    """GAN that minimises any f-divergence.

    The noise is uniform on [-1, 1]: z = erf(n / sqrt(2)) for normal noise n.

    Args:
        generator, discriminator: networks, the discriminator ending in a score without an activation; with neither,
            fully connected ones for `image_shape` and `latent_dim`.
        image_shape: (height, width, channels) of the default networks.
        latent_dim: latents of the default generator.
        divergence: one of `keras_gans.losses`, such as `KullbackLeibler()`; None for `GANDivergence()`.
        generator_objective: `keras_gans.losses.f_gan_practical_generator_loss` or `f_gan_generator_loss`, or any
            registered function of a divergence and the fake scores.
        discriminator_steps, ema_decay, seed: see `AdversarialModel`.

    Raises:
        ConfigurationError: anything other than a divergence, an objective that is not a function, or networks that do
            not fit each other.

    Example:

    >>> gan = kg.FGAN(image_shape=(28, 28, 1), divergence=kg.losses.Pearson())
    >>> gan.compile()
    >>> gan.generate(4, seed=0).shape
    (4, 28, 28, 1)

    Reference: Nowozin et al., 2016, https://arxiv.org/abs/1606.00709
    """

    def __init__(
        self,
        generator=None,
        discriminator=None,
        *,
        image_shape=(28, 28, 1),
        latent_dim=100,
        divergence=None,
        generator_objective=f_gan_practical_generator_loss,
        **kwargs,
    ):
        divergence = GANDivergence() if divergence is None else divergence
        if not isinstance(divergence, FDivergence):
            raise ConfigurationError(
                f"Expected a divergence such as keras_gans.losses.KullbackLeibler(). Received: {divergence!r}."
            )
        _check_domain(divergence)
        if not callable(generator_objective):
            raise ConfigurationError(
                "Expected generator_objective to be a function of a divergence and the fake scores, such as "
                f"keras_gans.losses.f_gan_generator_loss. Received: {generator_objective!r}."
            )
        if generator is None and discriminator is None:
            generator, discriminator = build_generator(image_shape, latent_dim), build_discriminator(image_shape)
        check_networks(generator, discriminator)
        super().__init__(
            generator=generator,
            discriminator=discriminator,
            **noise_to_images(generator, symmetric_uniform),
            **kwargs,
        )
        self.divergence, self.generator_objective = divergence, generator_objective

    def discriminator_loss(self, real, fake, training=True):
        return f_gan_discriminator_loss(self.divergence, self.score(real, training), self.score(fake, training))

    def generator_loss(self, fake, training=True):
        return self.generator_objective(self.divergence, self.score(fake, training))

    def train_step(self, data):
        *shares, last = self.shares(self.encode_batch(data)["images"])
        for real in shares:
            fake = self.generator(self.latents_like(real), training=True)
            self.minimize("discriminator", self.discriminator_loss, real, fake)
        # Both gradients are at the same weights: the images are generated before either update, and the generator,
        # whose loss reads the discriminator, is updated first.
        fake = self.record(self.latents_like(last))
        g_loss = self.minimize("generator", self.generator_loss, fake)
        d_loss = self.minimize("discriminator", self.discriminator_loss, last, fake.outputs)
        return self.log(d_loss=d_loss, g_loss=g_loss)


def _check_domain(divergence):
    """Refuses a divergence whose activation leaves the domain of its conjugate: F would not be a bound."""
    scores = np.linspace(-5.0, 5.0, 41, dtype="float32")
    made = divergence.activation(scores), divergence.conjugate(divergence.activation(scores))
    t, expected, conjugates = map(ops.convert_to_numpy, (*made, divergence.activated_conjugate(scores)))
    good = np.isfinite(t) & np.isclose(conjugates, expected, rtol=1e-3, atol=1e-3)
    if not good.all():
        i = int(np.argmin(good))
        raise ConfigurationError(
            f"Expected a divergence whose activation maps scores into the domain of its conjugate f*, and whose "
            f"activated_conjugate is f* of that. Received: {type(divergence).__name__}, where the score {scores[i]:g} "
            f"becomes {t[i]:g}, f* of that is {expected[i]:g}, and activated_conjugate is {conjugates[i]:g}. "
            "Choose an increasing activation with values only in the domain of f*, and write activated_conjugate as "
            "f*(activation(scores)), simplified."
        )
