"""GAN: Goodfellow et al., 2014, "Generative adversarial nets", https://arxiv.org/abs/1406.2661

Objective:
    value:         min_G max_D  E[log D(x)] + E[log(1 - D(G(z)))]
    discriminator: E[softplus(-d(x))] + E[softplus(d(G(z)))]        (d: logit; the negated value)
    generator:     E[softplus(-d(G(z)))]    non-saturating, as in all the paper's experiments (the default), or
                   -E[softplus(d(G(z)))]    minimax, with `generator_objective=minimax_generator_loss`

Schedule (algorithm 1): k = `discriminator_steps` updates of the discriminator, each on fresh images and fresh noise,
then one update of the generator.

Departures from the paper:
- the generator is updated on the noise of the last discriminator update; algorithm 1 draws fresh noise;
- the published code halves the discriminator's loss and updates both players at once;
- momentum stays at 0.5 in `compile()`'s optimizer; the published configuration raises it to 0.7 over 250 epochs.
"""

import keras
import numpy as np
from keras import initializers, layers, ops

from keras_gans.errors import ConfigurationError
from keras_gans.fields import check_image_shape, noise_to_images
from keras_gans.layers import Maxout, seeded_dropout
from keras_gans.losses import minimax_discriminator_loss, non_saturating_generator_loss
from keras_gans.model import AdversarialModel
from keras_gans.networks.checks import check_networks


def build_generator(image_shape, latent_dim=100, *, units=1200, mean_image=None):
    """The paper's generator for MNIST: two hidden layers of rectified linear units, then sigmoid pixels.

    Args:
        image_shape: (height, width, channels).
        latent_dim: size of the latents.
        units: width of both hidden layers.
        mean_image: the mean of the training images, in [-1, 1], of shape `image_shape`. The output's bias starts as its
            logit, so that the first samples are as bright as the data. With None the first samples are grey.

    Returns:
        A Keras model, (N, latent_dim) to (N, height, width, channels) in [-1, 1].

    Raises:
        ConfigurationError: a mean image of another shape.
    """
    check_image_shape(image_shape)
    small = initializers.RandomUniform(-0.05, 0.05)
    latents = keras.Input((latent_dim,), name="latents")
    x = layers.Dense(units, activation="relu", kernel_initializer=small, name="hidden0")(latents)
    x = layers.Dense(units, activation="relu", kernel_initializer=small, name="hidden1")(x)
    pixels = layers.Dense(int(np.prod(image_shape)), kernel_initializer=small, name="pixels")
    x = layers.Activation("sigmoid", dtype="float32", name="sigmoid")(pixels(x))
    x = layers.Rescaling(2.0, offset=-1.0, dtype="float32", name="rescale")(x)
    images = layers.Reshape(image_shape, dtype="float32", name="images")(x)
    if mean_image is not None:
        if np.shape(mean_image) != tuple(image_shape):
            raise ConfigurationError(f"Expected a mean_image of shape {image_shape}. Received: {np.shape(mean_image)}.")
        # Clipped, because a pixel that is never lit has no finite logit.
        brightness = np.clip((np.ravel(mean_image) + 1.0) / 2.0, 1e-3, 1.0 - 1e-3)
        pixels.bias.assign(np.log(brightness / (1.0 - brightness)))
    return keras.Model(latents, images, name="generator")


def build_discriminator(image_shape, *, units=240, pieces=5):
    """The paper's discriminator for MNIST: two maxout layers with dropout, then one logit.

    Args:
        image_shape: (height, width, channels).
        units: width of both hidden layers.
        pieces: linear pieces of each maxout unit.

    Returns:
        A Keras model, images to logits (N, 1).
    """
    check_image_shape(image_shape)
    small = initializers.RandomUniform(-0.005, 0.005)
    images = keras.Input(image_shape, name="images")
    x = layers.Rescaling(0.5, offset=0.5, name="rescale")(images)  # [0, 1], where dropout's zero is black
    x = seeded_dropout(0.2, "dropout0")(layers.Flatten(name="flatten")(x))  # the paper keeps 0.8, then 0.5
    x = seeded_dropout(0.5, "dropout1")(Maxout(units, pieces, small, name="hidden0")(x))
    x = seeded_dropout(0.5, "dropout2")(Maxout(units, pieces, small, name="hidden1")(x))
    logits = layers.Dense(1, kernel_initializer=small, dtype="float32", name="logits")(x)
    return keras.Model(images, logits, name="discriminator")


def unit_uniform(noise):
    """Numbers from U[-sqrt(3), sqrt(3)], of unit variance, made from standard normal ones."""
    # A product, because TensorFlow turns a division into a reciprocal in graphs and not in eager mode.
    return 3.0**0.5 * ops.erf(noise * 0.5**0.5)


@keras.saving.register_keras_serializable(package="keras_gans")
class GAN(AdversarialModel):
    """The original generative adversarial network, of fully connected layers.

    The noise is uniform on [-sqrt(3), sqrt(3)], of unit variance: z = sqrt(3) erf(n / sqrt(2)) for normal noise n.

    Args:
        generator, discriminator: networks; with neither, the paper's for MNIST, for `image_shape` and `latent_dim`.
        image_shape: (height, width, channels) of the default networks.
        latent_dim: latents of the default generator.
        generator_objective: `keras_gans.losses.non_saturating_generator_loss` or `minimax_generator_loss`, or any
            registered function from fake logits to a scalar.
        discriminator_steps, ema_decay, seed: see `AdversarialModel`.

    Raises:
        ConfigurationError: networks that do not fit each other, or an objective that is not a function.

    Example:

    >>> gan = kg.GAN(image_shape=(28, 28, 1), generator_objective=kg.losses.minimax_generator_loss)
    >>> gan.compile()
    >>> gan.generate(4, seed=0).shape
    (4, 28, 28, 1)

    Reference: Goodfellow et al., 2014, https://arxiv.org/abs/1406.2661
    """

    def __init__(
        self,
        generator=None,
        discriminator=None,
        *,
        image_shape=(28, 28, 1),
        latent_dim=100,
        generator_objective=non_saturating_generator_loss,
        **kwargs,
    ):
        if generator is None and discriminator is None:
            generator, discriminator = build_generator(image_shape, latent_dim), build_discriminator(image_shape)
        check_networks(generator, discriminator)
        super().__init__(
            generator=generator, discriminator=discriminator, **noise_to_images(generator, unit_uniform), **kwargs
        )
        if not callable(generator_objective):
            raise ConfigurationError(
                "Expected generator_objective to be a function of the fake logits, such as "
                f"keras_gans.losses.minimax_generator_loss. Received: {generator_objective!r}."
            )
        self.generator_objective = generator_objective
        self.real_target = self.add_weight(shape=(), initializer="ones", trainable=False, name="real_target")

    def discriminator_loss(self, real, fake, training=True):
        return minimax_discriminator_loss(self.score(real, training), self.score(fake, training), self.real_target)

    def generator_loss(self, fake, training=True):
        return self.generator_objective(self.score(fake, training))

    def train_step(self, data):
        for real in self.shares(self.encode_batch(data)["images"]):
            fake = self.record(self.latents_like(real))
            d_loss = self.minimize("discriminator", self.discriminator_loss, real, fake.outputs)
        g_loss = self.minimize("generator", self.generator_loss, fake)
        return self.log(d_loss=d_loss, g_loss=g_loss)

    def paper_optimizers(self):
        # Goodfellow's rate is divided by 1.000004 after every update.
        rate = {"initial_learning_rate": 0.1, "decay_steps": 100_000, "decay_rate": 1.000004**-100_000}
        return {
            player: keras.optimizers.SGD(keras.optimizers.schedules.ExponentialDecay(**rate), momentum=0.5)
            for player in self.players
        }
