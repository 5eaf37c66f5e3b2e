"""ACGAN: Odena, Olah and Shlens, 2017, "Conditional image synthesis with auxiliary classifier GANs",
https://arxiv.org/abs/1610.09585

The discriminator does not see the label. It predicts the label, besides the logit d that an image is real. c are the
logits of the labels, and L(c, y) = -log p(y) under these logits.

Objective:
    discriminator: E[softplus(-d(x))] + E[softplus(d(G(z, y)))] + E[L(c(x), y)] + v E[L(c(G(z, y)), y)]
    generator:     E[softplus(-d(G(z, y)))] + w E[L(c(G(z, y)), y)]
v = `fake_label_weight` and w = `generator_label_weight` are 1, as in the paper. With v = 0 the discriminator learns
labels from real images only. The code of Gulrajani et al. (https://github.com/igul222/improved_wgan_training) has
v = 0 and w = 0.1. With `r1_weight`, the discriminator's loss has + r1_weight E[|grad d(x)|^2].

Schedule: as DCGAN's. Generated images have the labels of the real images of their batch.

Departures from the paper:
- the generator's adversarial loss is the non-saturating one; the paper's generator minimises E[log(1 - D(G(z, y)))];
- `r1_weight` is DCGAN's, see there;
- the default networks are DCGAN's, our choice: the labels are concatenated to the latents, and the last layer has
  additional logits for the labels;
- labels may be several classes at once or attributes: L is summed over them. For continuous labels L is the squared
  distance.
"""

import keras

from keras_gans.errors import ConfigurationError
from keras_gans.fields import TEN_CLASSES, check_label_space, noise_to_images
from keras_gans.losses import non_saturating_discriminator_loss, non_saturating_generator_loss
from keras_gans.model import AdversarialModel
from keras_gans.networks.checks import check_networks
from keras_gans.networks.dcgan import build_discriminator, build_generator
from keras_gans.optimizers import FusedAdam
from keras_gans.penalties import r1_penalty
from keras_gans_core.checks import is_number


@keras.saving.register_keras_serializable(package="keras_gans")
class ACGAN(AdversarialModel):
    """Auxiliary classifier GAN: the discriminator also predicts the label, and the generator learns to show it.

    Args:
        generator, discriminator: networks. The generator takes [latents, labels]. The discriminator takes images and
            has 1 + label_space.size logits, the first for real or generated. With neither, DCGAN's.
        image_shape: (height, width, channels) of the default networks.
        latent_dim: latents of the default generator.
        label_space: what the labels are: `kg.data.Classes`, `Attributes` or `Values`.
        fake_label_weight: v, 0 or more.
        generator_label_weight: w, 0 or more.
        r1_weight: weight of the penalty on the gradient of d at real images, 0 or more; see `DCGAN`.
        discriminator_steps, ema_decay, seed: see `AdversarialModel`.

    Raises:
        ConfigurationError: networks that do not fit each other or the labels, or weights below zero.

    Example:

    >>> gan = kg.ACGAN(image_shape=(32, 32, 3), label_space=kg.data.Classes(11, 4))
    >>> gan.compile()
    >>> gan.generate(2, seed=0, labels=[[10, 0], [3, 3]]).shape
    (2, 32, 32, 3)

    Reference: Odena et al., 2017, https://arxiv.org/abs/1610.09585
    """

    def __init__(
        self,
        generator=None,
        discriminator=None,
        *,
        image_shape=(32, 32, 3),
        latent_dim=100,
        label_space=TEN_CLASSES,
        fake_label_weight=1.0,
        generator_label_weight=1.0,
        r1_weight=0.0,
        **kwargs,
    ):
        size = check_label_space(label_space).size
        if generator is None and discriminator is None:
            generator = build_generator(image_shape, latent_dim, label_size=size)
            discriminator = build_discriminator(image_shape, logits=1 + size)
        check_networks(generator, discriminator, label_space=label_space, logits=None)
        if discriminator is not None and discriminator.output_shape[-1] != 1 + size:
            raise ConfigurationError(
                f"Expected a discriminator with 1 + {size} logits, one for real or generated, the rest for the labels. "
                f"Received: {discriminator.output_shape[-1]}."
            )
        weights = fake_label_weight, generator_label_weight, r1_weight
        if not all(is_number(weight, 0.0) for weight in weights):
            raise ConfigurationError(
                "Expected fake_label_weight, generator_label_weight and r1_weight of 0 or more. Received: "
                f"{', '.join(map(repr, weights))}."
            )
        super().__init__(
            generator=generator,
            discriminator=discriminator,
            **noise_to_images(generator, label_space=label_space),
            **kwargs,
        )
        self.label_space = label_space
        self.fake_label_weight, self.generator_label_weight = fake_label_weight, generator_label_weight
        self.r1_weight = r1_weight
        self.real_target = self.add_weight(shape=(), initializer="ones", trainable=False, name="real_target")

    @classmethod
    def for_data(cls, dataset, **options):
        return super().for_data(dataset, **{"label_space": dataset.label_space, **options})

    def logits(self, images, training=True):
        """The logit that images are real, (N, 1), and those of their labels, (N, label_space.size)."""
        logits = self.score(images, training)
        return logits[:, :1], logits[:, 1:]

    def discriminator_loss(self, real, fake, labels, training=True):
        """The loss on real and generated images with the same encoded labels."""
        (real_logits, of_real), (fake_logits, of_fake) = self.logits(real, training), self.logits(fake, training)
        adversarial = non_saturating_discriminator_loss(real_logits, fake_logits, self.real_target)
        loss = adversarial + self.label_space.loss(of_real, labels)
        if self.r1_weight > 0.0:
            loss += self.r1_weight * r1_penalty(lambda images: self.logits(images, training)[0], real)
        return loss + self.fake_label_weight * self.label_space.loss(of_fake, labels)

    def generator_loss(self, fake, labels, training=True):
        fake_logits, of_fake = self.logits(fake, training)
        adversarial = non_saturating_generator_loss(fake_logits)
        return adversarial + self.generator_label_weight * self.label_space.loss(of_fake, labels)

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
        return self.logits(images, training=False)[0], self.logits(fake, training=False)[0]

    def paper_optimizers(self):
        return {player: FusedAdam(2e-4, beta_1=0.5) for player in self.players}
