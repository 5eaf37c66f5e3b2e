"""CGAN: Mirza and Osindero, 2014, "Conditional generative adversarial nets", https://arxiv.org/abs/1411.1784

Objective, for labels y, which both networks see (d: logit):
    value:         min_G max_D  E[log D(x|y)] + E[log(1 - D(G(z|y)|y))]
    discriminator: E[softplus(-d(x|y))] + E[softplus(d(G(z|y)|y))]        (the negated value)
    generator:     E[softplus(-d(G(z|y)|y))]                              (non-saturating)

Schedule: as GAN's: `discriminator_steps` updates of the discriminator, each on fresh images and fresh noise, then one
update of the generator on the noise of the last one. Generated images have the labels of the real images of their
batch, so each label is as frequent as in the data.

Departures from the paper:
- the generator's objective is the non-saturating one; the paper states only the value function;
- dropout of 0.5 follows the discriminator's hidden layers; the paper has dropout in both networks and does not say
  where;
- the momentum of `compile()`'s optimizer stays at 0.5 and its rate keeps falling; the paper raises the momentum to 0.7,
  stops at a rate of 1e-6, and chooses the epoch by a Parzen window on held-out images;
- labels may also be several classes at once, attributes or continuous values, encoded as one vector.
"""

import keras
import numpy as np
from keras import layers

from keras_gans.fields import (
    TEN_CLASSES,
    check_image_shape,
    check_label_space,
    noise_to_images,
    uniform_of,
)
from keras_gans.layers import Maxout, seeded_dropout
from keras_gans.losses import minimax_discriminator_loss, non_saturating_generator_loss
from keras_gans.model import AdversarialModel
from keras_gans.networks.checks import check_networks, labels_and_images


def build_generator(image_shape=(28, 28, 1), latent_dim=100, label_size=10, *, units=(200, 1000, 1200)):
    """The paper's generator for MNIST: one layer for the latents, one for the labels, then a joint one.

    Args:
        image_shape: (height, width, channels).
        latent_dim: size of the latents.
        label_size: width of the encoded labels.
        units: widths of the latents', the labels' and the joint layer.

    Returns:
        A Keras model, [(N, latent_dim), (N, label_size)] to (N, height, width, channels) in [-1, 1].
    """
    check_image_shape(image_shape)
    latents, labels = keras.Input((latent_dim,), name="latents"), keras.Input((label_size,), name="labels")
    x = layers.Concatenate(name="both")(
        [
            layers.Dense(units[0], activation="relu", name="of_latents")(latents),
            layers.Dense(units[1], activation="relu", name="of_labels")(labels),
        ]
    )
    x = layers.Dense(units[2], activation="relu", name="hidden")(x)
    x = layers.Dense(int(np.prod(image_shape)), name="pixels")(x)
    x = layers.Activation("sigmoid", dtype="float32", name="sigmoid")(x)
    x = layers.Rescaling(2.0, offset=-1.0, dtype="float32", name="rescale")(x)
    images = layers.Reshape(image_shape, dtype="float32", name="images")(x)
    return keras.Model([latents, labels], images, name="generator")


def build_discriminator(image_shape=(28, 28, 1), label_size=10, *, units=(240, 50, 240), pieces=(5, 5, 4)):
    """The paper's discriminator for MNIST: a maxout layer for images, one for labels, then a joint one.

    Args:
        image_shape: (height, width, channels).
        label_size: width of the encoded labels.
        units: widths of the images', the labels' and the joint layer.
        pieces: linear pieces of their maxout units.

    Returns:
        A Keras model, [labels (N, label_size), images] to logits (N, 1).
    """
    check_image_shape(image_shape)
    labels, images = keras.Input((label_size,), name="labels"), keras.Input(image_shape, name="images")
    x = layers.Rescaling(0.5, offset=0.5, name="rescale")(images)  # [0, 1]
    of_images = Maxout(units[0], pieces[0], name="of_images")(layers.Flatten(name="flatten")(x))
    of_labels = Maxout(units[1], pieces[1], name="of_labels")(labels)
    x = seeded_dropout(0.5, "dropout0")(layers.Concatenate(name="both")([of_images, of_labels]))
    x = seeded_dropout(0.5, "dropout1")(Maxout(units[2], pieces[2], name="hidden")(x))
    return keras.Model([labels, images], layers.Dense(1, dtype="float32", name="logits")(x), name="discriminator")


@keras.saving.register_keras_serializable(package="keras_gans")
class CGAN(AdversarialModel):
    """Conditional GAN: makes images for given labels, `generate(n, labels=...)`.

    The noise is uniform on [0, 1]: z = (1 + erf(n / sqrt(2))) / 2 for normal noise n.

    Args:
        generator, discriminator: networks. The generator takes [latents, labels], the discriminator [labels, images].
            With neither, the paper's for MNIST, for `image_shape`, `latent_dim` and `label_space`. Convolutional ones:
            `keras_gans.networks.dcgan` with `label_size=label_space.size`.
        image_shape: (height, width, channels) of the default networks.
        latent_dim: latents of the default generator.
        label_space: what the labels are: `kg.data.Classes`, `Attributes` or `Values`.
        discriminator_steps, ema_decay, seed: see `AdversarialModel`.

    Raises:
        ConfigurationError: networks that do not fit each other or the labels.

    Example:

    >>> gan = kg.CGAN(image_shape=(28, 28, 1), label_space=kg.data.Classes(10))
    >>> gan.compile()
    >>> gan.generate(2, seed=0, labels=[3, 8]).shape
    (2, 28, 28, 1)

    Reference: Mirza and Osindero, 2014, https://arxiv.org/abs/1411.1784
    """

    def __init__(
        self,
        generator=None,
        discriminator=None,
        *,
        image_shape=(28, 28, 1),
        latent_dim=100,
        label_space=TEN_CLASSES,
        **kwargs,
    ):
        size = check_label_space(label_space).size
        if generator is None and discriminator is None:
            generator = build_generator(image_shape, latent_dim, size)
            discriminator = build_discriminator(image_shape, size)
        check_networks(generator, discriminator, label_space=label_space, judged=labels_and_images)
        super().__init__(
            generator=generator,
            discriminator=discriminator,
            **noise_to_images(generator, uniform_of, label_space),
            **kwargs,
        )
        self.label_space = label_space
        self.real_target = self.add_weight(shape=(), initializer="ones", trainable=False, name="real_target")

    @classmethod
    def for_data(cls, dataset, **options):
        return super().for_data(dataset, **{"label_space": dataset.label_space, **options})

    def discriminator_loss(self, real, fake, labels, training=True):
        """The loss on real and generated images with the same encoded labels."""
        real_logits, fake_logits = self.score([labels, real], training), self.score([labels, fake], training)
        return minimax_discriminator_loss(real_logits, fake_logits, self.real_target)

    def generator_loss(self, fake, labels, training=True):
        return non_saturating_generator_loss(self.score([labels, fake], training))

    def train_step(self, data):
        batch = self.encode_batch(data)
        for real, labels in self.shares(batch["images"], batch["labels"]):
            fake = self.record([self.latents_like(real), labels])
            d_loss = self.minimize("discriminator", self.discriminator_loss, real, fake.outputs, labels)
        g_loss = self.minimize("generator", lambda fake: self.generator_loss(fake, labels), fake)
        return self.log(d_loss=d_loss, g_loss=g_loss)

    def batch_losses(self, images, labels):
        fake = self.generator([self.latents_like(images, training=False), labels], training=False)
        return {
            "d_loss": self.discriminator_loss(images, fake, labels, training=False),
            "g_loss": self.generator_loss(fake, labels, training=False),
        }

    def batch_scores(self, images, labels):
        fake = self.generator([self.latents_like(images, training=False), labels], training=False)
        return self.score([labels, images], training=False), self.score([labels, fake], training=False)

    def paper_optimizers(self):
        rate = {"initial_learning_rate": 0.1, "decay_steps": 10_000, "decay_rate": 1.00004**-10_000}
        return {
            player: keras.optimizers.SGD(keras.optimizers.schedules.ExponentialDecay(**rate), momentum=0.5)
            for player in self.players
        }
