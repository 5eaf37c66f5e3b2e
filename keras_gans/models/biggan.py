"""BigGAN: Brock, Donahue and Simonyan, 2018, "Large scale GAN training for high fidelity natural image synthesis",
https://arxiv.org/abs/1809.11096; code: https://github.com/ajbrock/BigGAN-PyTorch

Objective, for the discriminator d(x, y) = psi(phi(x)) + <V y, phi(x)>, where phi are an image's features, summed over
the map, and W are the generator's kernels without the embedding of the label:
    discriminator: E[max(0, 1 - d(x, y))] + E[max(0, 1 + d(G(z, y), y))]
    generator:     -E[d(G(z, y), y)] + beta sum over W of |W^T W (1 - I)|^2
beta is `orthogonal_weight`. Every kernel but the embedding is divided by its largest singular value.

Schedule: `discriminator_steps` updates of the discriminator, 2 in the paper, each on fresh images and fresh noise, then
one of the generator on fresh noise. Generated images have the labels of the real images of their batch. A batch is
split among the discriminator's updates.

Networks: residual blocks. The generator's latents are cut into equal chunks. The first makes the smallest map; each of
the others, beside one embedding of the label that all blocks share, makes the gains and offsets of one block. Maps of a
middle size attend to themselves. Kernels start orthogonal.

Sampling: `generate(truncation=t)` makes images of noise within [-t, t]; see `keras_gans.fields.truncated`. A small t
makes images more typical and less diverse. In the paper the moving average of the generator samples
(`ema_decay=0.9999`, from step 20 000), with statistics of batch normalization computed anew for it ("standing
statistics"): presets, exports, `kg.callbacks.SampleGrid` and `kg.zoo.sampler(model)` compute them.

Departures from the paper:
- the default networks have 64 channels instead of 96, and attention in images smaller than 128x128 too, at half their
  height;
- generated images have the labels of their batch; the paper draws them;
- the embedding is linear in the encoded label without a bias, so labels may also be attributes, several classes at
  once or continuous values;
- psi has no bias;
- truncation moves all numbers of the noise; the paper draws those above t in size again. Both give the same
  distribution;
- standing statistics are those of noise that is not truncated.
"""

import keras
from keras import layers, ops

from keras_gans import sampling
from keras_gans.errors import ConfigurationError
from keras_gans.fields import TEN_CLASSES, Numbers, check_image_shape, check_label_space, noise_to_images, truncated
from keras_gans.layers import (
    ConditionalBatchNormalization,
    FusedBatchNormalization,
    SelfAttention2D,
    SpectralNormalization,
)
from keras_gans.layers.inner import inner_layers
from keras_gans.losses import hinge_discriminator_loss, hinge_generator_loss
from keras_gans.model import AdversarialModel
from keras_gans.networks.checks import check_networks, labels_and_images
from keras_gans.networks.heads import image_values
from keras_gans.networks.residual import (
    attended_height,
    discriminator_block,
    doubling_widths,
    generator_block,
    projection_logits,
)
from keras_gans.optimizers import FusedAdam
from keras_gans.penalties import orthogonal_penalty
from keras_gans_core.checks import is_number, is_whole

ATTENTION = 64  # height of the published networks' maps that attend to themselves
CHUNK = 20  # latents of a chunk in the published networks
EMBEDDING = "embedding"  # the layer that embeds labels, whose kernel is not regularized

# Networks


def _conv(filters, size, activated=True, **options):
    conv = layers.Conv2D(filters, size, padding="same", kernel_initializer="orthogonal", **options)
    return SpectralNormalization(conv)


def build_generator(
    image_shape=(32, 32, 3),
    latent_dim=None,
    *,
    base_filters=64,
    label_size=10,
    embedding_size=128,
    attention_height=None,
    overshoot=0.0,
):
    """The generator: a map made from the first chunk of latents, whose size is doubled by residual blocks.

    Args:
        image_shape: (height, width, channels), both sizes even and 8 or more; 32x32 begins at 4x4, 28x28 at 7x7.
        latent_dim: size of the latents, a multiple of the number of chunks, which is one more than that of the blocks:
            4 at 32x32. None for 20 a chunk.
        base_filters: channels of the largest map; the smallest has up to 16 times as many.
        label_size: size of the encoded labels.
        embedding_size: size of the labels' embedding, which all blocks share.
        attention_height: height of the maps that attend to themselves, below the image's; None for half the image's,
            at most 64; 0 for none.
        overshoot: the tanh is multiplied by 1 + overshoot and clipped to [-1, 1], so that it reaches pure black and
            white.

    Returns:
        A Keras model, [(N, latent_dim), (N, label_size)] to (N, height, width, channels) in [-1, 1].

    Raises:
        ConfigurationError: sizes that cannot be halved, latents that cannot be cut, or an attention_height that no map
            has.
    """
    check_image_shape(image_shape)
    widths = doubling_widths(image_shape, base_filters)
    chunks = 1 + len(widths)
    latent_dim = CHUNK * chunks if latent_dim is None else latent_dim
    if not is_whole(latent_dim, 1) or latent_dim % chunks:
        raise ConfigurationError(
            f"Expected a latent_dim that can be cut into {chunks} equal chunks, one for the smallest map and one for "
            f"each of the {len(widths)} blocks. Received: {latent_dim!r}."
        )
    attended = attended_height(image_shape, attention_height, ATTENTION)
    sides = [side >> len(widths) for side in image_shape[:2]]
    latents, labels = keras.Input((latent_dim,), name="latents"), keras.Input((label_size,), name="labels")
    embed = layers.Dense(embedding_size, use_bias=False, kernel_initializer="orthogonal", name=EMBEDDING)
    embedded = embed(labels)
    cut = layers.Reshape((chunks, latent_dim // chunks), name="chunks")(latents)
    parts = [layers.Flatten()(layers.Cropping1D((i, chunks - 1 - i), name=f"chunk{i}")(cut)) for i in range(chunks)]
    project = layers.Dense(sides[0] * sides[1] * widths[0], kernel_initializer="orthogonal", name="project")
    x = layers.Reshape((*sides, widths[0]), name="reshape")(SpectralNormalization(project)(parts[0]))
    for i, width in enumerate(widths):
        condition = layers.Concatenate(name=f"condition{i}")([embedded, parts[1 + i]])
        x = SelfAttention2D(kernel_initializer="orthogonal", name="attention")(x) if x.shape[1] == attended else x
        x = generator_block(x, width, lambda x, condition=condition: _norm(x, condition), _conv)
    x = layers.ReLU()(FusedBatchNormalization(momentum=0.9, epsilon=1e-5)(x))
    x = _conv(image_shape[-1], 3, name="to_image")(x)
    return keras.Model([latents, labels], image_values(x, overshoot), name="generator")


def _norm(x, condition):
    options = {"momentum": 0.9, "epsilon": 1e-5, "kernel_initializer": "orthogonal", "spectral_normalization": True}
    return ConditionalBatchNormalization(**options)([x, condition])


def build_discriminator(image_shape=(32, 32, 3), *, base_filters=64, label_size=10, attention_height=None):
    """The discriminator: residual blocks that halve the map to the generator's smallest, one more block, and a sum.

    Args:
        image_shape, label_size, attention_height: see `build_generator`.
        base_filters: channels of the first map; the last has up to 16 times as many.

    Returns:
        A Keras model, [labels (N, label_size), images] to logits (N, 1).

    Raises:
        ConfigurationError: see `build_generator`.
    """
    check_image_shape(image_shape)
    widths = doubling_widths(image_shape, base_filters)[::-1]
    attended = attended_height(image_shape, attention_height, ATTENTION)
    labels, images = keras.Input((label_size,), name="labels"), keras.Input(image_shape, name="images")
    x = images
    for i, width in enumerate(widths):
        x = discriminator_block(x, width, _conv, halve=True, first=i == 0)
        x = SelfAttention2D(kernel_initializer="orthogonal", name="attention")(x) if x.shape[1] == attended else x
    x = discriminator_block(x, widths[-1], _conv)
    logits = projection_logits(x, labels, initializer="orthogonal")
    return keras.Model([labels, images], logits, name="discriminator")


@keras.saving.register_keras_serializable(package="keras_gans")
class BigGAN(AdversarialModel):
    """Large conditional GAN: latents at every size, one embedding of labels, and sampling from truncated noise.

    In the logs, `g_loss` is the generator's whole loss; `orthogonal` is the penalty in it, without its weight.

    `generate` and `sample` take `truncation`, one number for all images or one for each, 0 or more: the largest size
    that numbers of the noise then have, see `keras_gans.fields.truncated`. Without it nothing is truncated.

    Args:
        generator, discriminator: networks. The generator takes [latents, labels], the discriminator [labels, images].
            With neither, residual networks for `image_shape`.
        image_shape: (height, width, channels) of the default networks.
        latent_dim: latents of the default generator; see `build_generator`.
        label_space: what the labels are: `kg.data.Classes`, `Attributes` or `Values`.
        orthogonal_weight: weight of `keras_gans.penalties.orthogonal_penalty` on the generator's kernels, 0 or more. A
            layer that is named "embedding" is left out.
        discriminator_steps, ema_decay, seed: see `AdversarialModel`; 2 steps in the paper.

    Raises:
        ConfigurationError: an orthogonal_weight below 0, sizes that cannot be halved, latents that cannot be cut, or
            networks that do not fit each other or the labels.

    Example:

    >>> gan = kg.BigGAN(
    ...     build_generator((16, 16, 3), 12, base_filters=8, label_size=10, embedding_size=8),
    ...     build_discriminator((16, 16, 3), base_filters=8, label_size=10),
    ...     label_space=kg.data.Classes(10),
    ... )
    >>> gan.compile()
    >>> gan.generate(2, seed=0, labels=[1, 7], truncation=0.5).shape
    (2, 16, 16, 3)

    Reference: Brock et al., 2018, https://arxiv.org/abs/1809.11096
    """

    log_names = ("d_loss", "g_loss", "orthogonal")
    optional_inputs = ("truncation",)

    def __init__(
        self,
        generator=None,
        discriminator=None,
        *,
        image_shape=(32, 32, 3),
        latent_dim=None,
        label_space=TEN_CLASSES,
        orthogonal_weight=1e-4,
        discriminator_steps=2,
        **kwargs,
    ):
        if not is_number(orthogonal_weight, 0.0):
            raise ConfigurationError(f"Expected an orthogonal_weight of 0 or more. Received: {orthogonal_weight!r}.")
        size = check_label_space(label_space).size
        if generator is None and discriminator is None:
            generator = build_generator(image_shape, latent_dim, label_size=size)
            discriminator = build_discriminator(image_shape, label_size=size)
        check_networks(generator, discriminator, label_space=label_space, judged=labels_and_images)
        fields = noise_to_images(generator, label_space=label_space)
        fields["input_fields"] = {**fields["input_fields"], "truncation": Numbers("truncation", 0)}
        super().__init__(
            generator=generator,
            discriminator=discriminator,
            discriminator_steps=discriminator_steps,
            **fields,
            **kwargs,
        )
        self.label_space, self.orthogonal_weight = label_space, orthogonal_weight

    @classmethod
    def for_data(cls, dataset, **options):
        return super().for_data(dataset, **{"label_space": dataset.label_space, **options})

    # Training

    def regularized(self):
        """The generator's kernels, a list of variables; not that of the labels' embedding."""
        embedding = {
            id(v) for layer in inner_layers(self.generator) if layer.name == EMBEDDING for v in layer.variables
        }
        return [v for v in self.generator.trainable_variables if len(v.shape) >= 2 and id(v) not in embedding]

    def discriminator_loss(self, real, fake, labels, training=True):
        """The loss on real and generated images with the same encoded labels."""
        return hinge_discriminator_loss(self.score([labels, real], training), self.score([labels, fake], training))

    def generator_loss(self, fake, labels, training=True):
        """The loss on generated images, without the penalty on the kernels."""
        return hinge_generator_loss(self.score([labels, fake], training))

    def loss_and_penalty(self, latents, labels, training=True):
        """The generator's whole loss, and the penalty in it without its weight: a vector of two."""
        penalty = orthogonal_penalty([ops.convert_to_tensor(kernel) for kernel in self.regularized()])
        fake = self.generator([latents, labels], training=training)
        return ops.stack([self.generator_loss(fake, labels, training) + self.orthogonal_weight * penalty, penalty])

    def train_step(self, data):
        batch = self.encode_batch(data)
        for real, labels in self.shares(batch["images"], batch["labels"]):
            fake = self.generator([self.latents_like(real), labels], training=True)
            d_loss = self.minimize("discriminator", self.discriminator_loss, real, fake, labels)
        losses = self.minimize("generator", self.loss_and_penalty, self.latents_like(real), labels)
        g_loss, orthogonal = ops.unstack(losses, 2)
        return self.log(d_loss=d_loss, g_loss=g_loss, orthogonal=orthogonal)

    def batch_losses(self, images, labels):
        latents = self.latents_like(images, training=False)
        fake = self.generator([latents, labels], training=False)
        return {
            "d_loss": self.discriminator_loss(images, fake, labels, training=False),
            "g_loss": self.loss_and_penalty(latents, labels, training=False)[0],
        }

    def batch_scores(self, images, labels):
        fake = self.generator([self.latents_like(images, training=False), labels], training=False)
        return self.score([labels, images], training=False), self.score([labels, fake], training=False)

    def paper_optimizers(self):
        rates = {"generator": 5e-5, "discriminator": 2e-4}
        return {player: FusedAdam(rate, beta_1=0.0, beta_2=0.999, epsilon=1e-6) for player, rate in rates.items()}

    # Outside of training

    def compute_outputs(self, inputs, training=False):
        inputs = sampling.in_order(inputs, self.input_fields)
        noise, labels, *truncation = map(ops.convert_to_tensor, inputs)
        if truncation:
            noise = truncated(noise, truncation[0][:, None])
        return self.generator([noise, labels], training=training)
