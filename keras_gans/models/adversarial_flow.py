"""Adversarial flow model, in one step: Lin et al., 2025, "Adversarial flow models",
https://arxiv.org/abs/2511.22475; code: https://github.com/ByteDance-Seed/Adversarial-Flow-Models

The latents z have the images' size. Of all maps from noise to the data, a term picks the one that moves z the least.
Objective, for logits d, and real images x_i and generated images f_i paired by their place in the batch:
    discriminator: E[softplus(-(d(x) - d(f)))] + centring_weight E[(d(x) + d(f))^2]
                   + gp_weight (E[(d(x) - d(x + e n))^2] + E[(d(f) - d(f + e n'))^2]) / e^2,    e = 0.01
    generator:     E[softplus(d(x) - d(f))] + transport_weight E[(f - z)^2]
n and n' are normal noise, on the first quarter of the batch: R1 and R2 to first order.

Gradient normalization: the slope g of the generator's first term at f is divided by sqrt(m sum g^2), averaged over
steps, with m the count of its numbers. So it has the size of a slope of a mean, and the second term weighs the same
however steep the discriminator is.

Schedule: the discriminator is updated, then the generator, each on fresh noise. With `discriminator_steps=k` the batch
is split among k discriminator updates. Over `decay_steps` steps the transport's weight falls along half a cosine.

Departures from the paper:
- networks: a U-Net and DCGAN's discriminator without batch normalization, on pixels; the paper has transformers on an
  autoencoder's latents. The U-Net's last layer is zero at first, so that the generator begins as f = z;
- the average over steps is corrected for its start at zero;
- the generator's update uses the real images of the discriminator's last update;
- the moving average is the base's.
"""

import math

import keras
from keras import layers, ops

from keras_gans import engine
from keras_gans.errors import ConfigurationError
from keras_gans.fields import check_image_shape, noise_to_images
from keras_gans.losses import (
    relativistic_pairing_discriminator_loss,
    relativistic_pairing_generator_loss,
)
from keras_gans.losses.adversarial import float32
from keras_gans.model import AdversarialModel
from keras_gans.networks.checks import check_networks
from keras_gans.networks.dcgan import build_discriminator
from keras_gans.optimizers import cosine_fall
from keras_gans.penalties import finite_difference_penalty, refuse_batch_norm
from keras_gans_core.checks import is_number, is_whole

LAST = 1 / 40  # of the transport's weight at first: the paper's falls from 0.2 to 0.005
SHARE = 4  # the penalties are taken on a quarter of the batch
DECAY = 0.9  # of the average of the slope's size


def build_generator(image_shape, *, base_filters=32):
    """A U-Net: the map is halved twice and doubled twice, with skips, and added to the latents.

    Args:
        image_shape: (height, width, channels), both sizes multiples of 4.
        base_filters: channels of the largest maps; the others have two and four times as many.

    Returns:
        A Keras model, (N, height * width * channels) to (N, height, width, channels), at first the latents themselves.
        Nothing bounds its images.

    Raises:
        ConfigurationError: sizes that are no multiples of 4.
    """
    check_image_shape(image_shape)
    if any(side % 4 for side in image_shape[:2]):
        raise ConfigurationError(
            f"Expected a height and width that are multiples of 4. Received: image_shape={tuple(image_shape)}. Resize "
            "the images, for instance to 32x32."
        )
    latents = keras.Input((math.prod(image_shape),), name="latents")
    z = x = layers.Reshape(image_shape, name="image")(latents)
    skips = []
    for level in range(3):
        if level > 0:
            skips.append(x)
            x = layers.AveragePooling2D(2, name=f"halve{level}")(x)
        x = _two_convolutions(x, base_filters << level, f"down{level}")
    for level in (1, 0):
        x = layers.UpSampling2D(name=f"double{level}")(x)
        x = layers.Concatenate(name=f"skip{level}")([x, skips.pop()])
        x = _two_convolutions(x, base_filters << level, f"up{level}")
    change = layers.Conv2D(image_shape[-1], 3, padding="same", kernel_initializer="zeros", name="change")(x)
    images = layers.Add(dtype="float32", name="images")([z, change])
    return keras.Model(latents, images, name="generator")


def _two_convolutions(x, filters, name):
    for i in range(2):
        x = layers.Conv2D(filters, 3, padding="same", kernel_initializer="he_normal", name=f"{name}_{i}")(x)
        x = layers.LeakyReLU(0.2, name=f"{name}_{i}_activated")(x)
    return x


@keras.saving.register_keras_serializable(package="keras_gans")
class AdversarialFlow(AdversarialModel):
    """Generator of the transport from noise of the images' size to images, learned against a discriminator.

    In the logs, `transport` is E[(f - z)^2], without its weight.

    Args:
        generator: from latents (N, height * width * channels) to images (N, height, width, channels).
        discriminator: network without batch normalization. With neither, the defaults for `image_shape`.
        image_shape: (height, width, channels) of the default networks.
        transport_weight: weight of the distance from z to G(z), 0 or more, at the first step.
        decay_steps: steps over which that weight falls to a fortieth; None keeps it.
        gp_weight: weight of the penalties, 0 or more: 0.25 in the paper's images, 0.01 in its one-dimensional example.
        centring_weight: weight of the squared sum of a pair's logits, 0 or more.
        discriminator_steps, ema_decay, seed: see `AdversarialModel`.

    Raises:
        ConfigurationError: numbers out of range, sizes that cannot be halved, a discriminator with batch normalization,
            or networks that do not fit each other.

    Example:

    >>> discriminator = build_discriminator((8, 8, 1), batch_norm=False)
    >>> gan = kg.AdversarialFlow(build_generator((8, 8, 1), base_filters=8), discriminator)
    >>> noise = gan.noise(2, seed=0)
    >>> bool(ops.all(gan.generator(noise) == np.reshape(noise, (2, 8, 8, 1))))      # not trained: the identity
    True

    Reference: Lin et al., 2025, https://arxiv.org/abs/2511.22475
    """

    log_names = ("d_loss", "g_loss", "transport")

    def __init__(
        self,
        generator=None,
        discriminator=None,
        *,
        image_shape=(32, 32, 3),
        transport_weight=0.2,
        decay_steps=None,
        gp_weight=0.25,
        centring_weight=0.01,
        **kwargs,
    ):
        weights = {"transport_weight": transport_weight, "gp_weight": gp_weight, "centring_weight": centring_weight}
        for name, weight in weights.items():
            if not is_number(weight, 0.0):
                raise ConfigurationError(f"Expected a {name} of 0 or more. Received: {weight!r}.")
        if decay_steps is not None and not is_whole(decay_steps, 1):
            raise ConfigurationError(f"Expected decay_steps of 1 or more, or None. Received: {decay_steps!r}.")
        if generator is None and discriminator is None:
            generator, discriminator = build_generator(image_shape), build_discriminator(image_shape, batch_norm=False)
        check_networks(generator, discriminator)
        taken, made = generator.input_shape[-1], math.prod(generator.output_shape[1:])
        if taken != made:
            raise ConfigurationError(
                f"Expected a generator of as many latents as its images have numbers, {made}. Received: one of {taken}."
            )
        super().__init__(generator=generator, discriminator=discriminator, **noise_to_images(generator), **kwargs)
        if discriminator is not None:
            refuse_batch_norm(discriminator)
        self.transport_weight, self.decay_steps = transport_weight, decay_steps
        self.gp_weight, self.centring_weight = gp_weight, centring_weight
        self.slope_mean, self.slope_total = (  # replicas see different images: their means are averaged
            self.add_weight(shape=(), initializer="zeros", trainable=False, aggregation="mean", name=name)
            for name in ("slope_mean", "slope_total")
        )

    def current_transport_weight(self):
        """The transport's weight at this step: it falls along half a cosine to a fortieth."""
        if self.decay_steps is None:
            return self.transport_weight
        return cosine_fall(self.transport_weight, self.transport_weight * LAST, self.step, self.decay_steps)

    def penalty(self, images, training=True):
        """R1 or R2 to first order, on the first quarter of the images."""
        some = images[: (ops.shape(images)[0] + SHARE - 1) // SHARE]
        noise = engine.normal(ops.shape(some), self.latent_seeds if training else self.evaluation_seeds)
        return finite_difference_penalty(lambda images: self.score(images, training), some, noise)

    def discriminator_loss(self, real, fake, training=True):
        of_real, of_fake = self.score(real, training), self.score(fake, training)
        return (
            relativistic_pairing_discriminator_loss(of_real, of_fake)
            + self.gp_weight * (self.penalty(real, training) + self.penalty(fake, training))
            + self.centring_weight * ops.mean(ops.square(of_real + of_fake))
        )

    def generator_loss(self, fake, real, training=True):
        """The adversarial term alone."""
        return relativistic_pairing_generator_loss(self.score(real, training), self.score(fake, training))

    def normalized(self, slope):
        """A slope divided by its size, sqrt(m sum g^2), which is averaged over the steps."""
        slope = float32(slope)
        size = ops.cast(ops.size(slope), "float32") * ops.sum(ops.square(slope))
        for mean, now in ((self.slope_mean, size), (self.slope_total, 1.0)):
            mean.assign(DECAY * mean + (1.0 - DECAY) * now)
        return slope / ops.sqrt(self.slope_mean / self.slope_total + 1e-12)

    def train_step(self, data):
        for real in self.shares(self.encode_batch(data)["images"]):
            fake = self.generator(self.latents_like(real), training=True)
            d_loss = self.minimize("discriminator", self.discriminator_loss, real, fake)
        latents = self.latents_like(real)
        made, z = self.record(latents), ops.reshape(latents, ops.shape(real))
        (slope,) = engine.input_gradients(lambda fake: self.generator_loss(fake, real), [made.outputs])
        slope = ops.stop_gradient(self.normalized(slope))
        g_loss = self.generator_loss(made.outputs, real)

        def pull(fake):
            """Its gradient is the normalized slope and the transport's own."""
            transport = ops.mean(ops.square(float32(fake) - z))
            return ops.stack([ops.sum(slope * fake) + self.current_transport_weight() * transport, transport])

        _, transport = ops.unstack(self.minimize("generator", pull, made))
        return self.log(d_loss=d_loss, g_loss=g_loss, transport=transport)

    def batch_losses(self, images):
        latents = self.latents_like(images, training=False)
        fake = self.generator(latents, training=False)
        return {
            "d_loss": self.discriminator_loss(images, fake, training=False),
            "g_loss": self.generator_loss(fake, images, training=False),
            "transport": ops.mean(ops.square(float32(fake) - ops.reshape(latents, ops.shape(fake)))),
        }

    def paper_optimizers(self):
        return {
            player: keras.optimizers.AdamW(1e-4, beta_1=0.0, beta_2=0.9, epsilon=1e-8, weight_decay=0.01)
            for player in self.players
        }
