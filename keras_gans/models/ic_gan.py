"""IcGAN: Perarnau, van de Weijer, Raducanu and Alvarez, 2016, "Invertible conditional GANs for image editing",
https://arxiv.org/abs/1611.06355; code: https://github.com/Guim3/IcGAN

A conditional GAN and two encoders of images: E_z to the latents, E_y to the labels. An image is edited by G(E_z(x), y')
with other labels y'.

Objective, for logits d and wrong labels w, which differ from y:
    discriminator: E[softplus(-d(x|y))] + E[softplus(d(x|w))] / 2 + E[softplus(d(G(z, y)|y))] / 2
    generator:     E[softplus(-d(G(z, y)|y))]
    E_z:           E[|z - E_z(G(z, y))|^2]     on generated images, mean over the latents
    E_y:           E[L(E_y(x), y)]             on real images; L is `label_space.loss`
and with `r1_weight`, for the discriminator, + r1_weight E[|grad d(x|y)|^2].

Schedule, in two phases. The first trains the conditional GAN as in DCGAN, with wrong labels for the real images. The
second trains the encoders (`encoder_phase=True`). The generator, in inference mode, makes as many images as there are
training images, once. Each step then updates E_z on some of them and E_y on real images. The conditional GAN does not
change.

Departures from the paper:
- labels are encoded as 0 and 1, not -1 and 1. Where labels are classes or attributes, E_y uses cross-entropy instead of
  the squared error;
- for attributes, wrong labels are those of another image of the batch that differ. The code's are those of any other
  image and may be the right ones. For classes they are drawn as in the code for MNIST (a shift by 1 to 9);
- the encoder of the latents has 512 hidden units; the code's has as many as the convolutions have outputs. Convolutions
  have no bias, and the generator's first batch norm is per unit, as in this library's DCGAN;
- `r1_weight` is DCGAN's, see there;
- the moving statistics of the generator's batch norm are those of training; the code refreshes them with 100 passes;
- DCGAN's default kernels are 5x5, the code's are 4x4. The encoders are trained on all images, not on two thirds;
- one encoder of both z and y, and encoders of z that see y, are left out. The paper compares them and selects two
  encoders.
"""

import keras
import numpy as np
from keras import layers, ops

from keras_gans.data import Batches
from keras_gans.errors import ConfigurationError, DataError
from keras_gans.fields import (
    TEN_CLASSES,
    Classes,
    Noise,
    check_image_shape,
    check_label_space,
    noise_to_images,
)
from keras_gans.layers import FusedBatchNormalization
from keras_gans.losses import cross_entropy, non_saturating_generator_loss
from keras_gans.model import AdversarialModel
from keras_gans.networks.checks import check_encoder, check_networks, labels_and_images
from keras_gans.networks.dcgan import build_discriminator, build_generator
from keras_gans.networks.encoding import encode_images
from keras_gans.optimizers import FusedAdam
from keras_gans.penalties import r1_penalty
from keras_gans.phases import Phase
from keras_gans_core.checks import is_number

ENCODERS = ("latent_encoder", "label_encoder")


def build_encoder(image_shape, outputs, *, base_filters=32, units=512, name="encoder"):
    """The code's encoder: 5x5 convolutions of stride 2, then two dense layers.

    Args:
        image_shape: (height, width, channels).
        outputs: number of outputs, which are unbounded.
        base_filters: of the first convolution; each later one has twice as many.
        units: width of the hidden dense layer; the code has 512 for the labels and, for the latents, as many as the
            layer has inputs.
        name: of the network.

    Returns:
        A Keras model, images to (N, outputs).
    """
    check_image_shape(image_shape)
    images = x = keras.Input(image_shape, name="images")
    stage = 0
    while min(x.shape[1:3]) > 4:
        x = layers.Conv2D(base_filters << stage, 5, strides=2, padding="same", use_bias=False, name=f"down{stage}")(x)
        x = FusedBatchNormalization(momentum=0.9, epsilon=1e-5, name=f"down{stage}_norm")(x)
        x = layers.ReLU(name=f"down{stage}_relu")(x)
        stage += 1
    x = layers.Dense(units, use_bias=False, name="hidden")(layers.Flatten(name="flatten")(x))
    x = layers.ReLU(name="relu")(FusedBatchNormalization(momentum=0.9, epsilon=1e-5, name="norm")(x))
    return keras.Model(images, layers.Dense(outputs, dtype="float32", name="code")(x), name=name)


@keras.saving.register_keras_serializable(package="keras_gans")
class IcGAN(AdversarialModel):
    """Conditional GAN with encoders to latents and to labels, which edits given images.

    It is trained in two phases, which `phases` lists for a recipe. `fit` trains the conditional GAN. The model that
    `for_encoders` returns has the same networks and trains the encoders:

        gan.fit(dataset, epochs=25)
        gan = gan.for_encoders()
        gan.compile()
        gan.fit(gan.encoder_data(dataset), epochs=15)
        gan.edit(images, labels=3)

    Args:
        generator, discriminator: networks. The generator takes [latents, labels], the discriminator [labels, images].
        latent_encoder: Keras model, images to latents (N, latent_dim).
        label_encoder: Keras model, images to (N, label_space.size): logits of classes and attributes, or values. With
            no network given, all four are convolutional ones for `image_shape`, `latent_dim` and `label_space`.
        image_shape: (height, width, channels) of the default networks.
        latent_dim: latents of the default networks.
        label_space: what the labels are: `kg.data.Classes`, `Attributes` or `Values`.
        encoder_phase: whether `fit` trains the encoders, on what `encoder_data` returns, instead of the conditional
            GAN. The constructor sets the encoders' `trainable` to this.
        r1_weight: weight of the penalty on the discriminator's gradient at real images, 0 or more; see `DCGAN`.
        discriminator_steps, ema_decay, seed: see `AdversarialModel`.

    Raises:
        ConfigurationError: networks that do not fit each other or the labels, or a negative weight.

    Example:

    >>> gan = kg.IcGAN(image_shape=(32, 32, 1), label_space=kg.data.Classes(10))
    >>> images = gan.generate(2, seed=0, labels=[3, 8])
    >>> gan.edit(images, labels=[5, 5]).shape
    (2, 32, 32, 1)

    Reference: Perarnau et al., 2016, https://arxiv.org/abs/1611.06355
    """

    kept = ("generator", *ENCODERS)

    def __init__(
        self,
        generator=None,
        discriminator=None,
        latent_encoder=None,
        label_encoder=None,
        *,
        image_shape=(64, 64, 3),
        latent_dim=100,
        label_space=TEN_CLASSES,
        encoder_phase=False,
        r1_weight=0.0,
        **kwargs,
    ):
        if not is_number(r1_weight, 0.0):
            raise ConfigurationError(f"Expected an r1_weight of 0 or more. Received: {r1_weight!r}.")
        size = check_label_space(label_space).size
        if isinstance(label_space, Classes) and max(label_space.counts) == 1:
            raise ConfigurationError(
                "Expected two classes or more, since the discriminator learns from wrong labels. Received: "
                f"{label_space}."
            )
        if generator is None and discriminator is None and latent_encoder is None and label_encoder is None:
            generator = build_generator(image_shape, latent_dim, label_size=size)
            discriminator = build_discriminator(image_shape, label_size=size)
            latent_encoder = build_encoder(image_shape, latent_dim, name="latent_encoder")
            label_encoder = build_encoder(image_shape, size, name="label_encoder")
        check_networks(generator, discriminator, label_space=label_space, judged=labels_and_images)
        latents = generator.input_shape[0][-1]
        for name, encoder, outputs in zip(ENCODERS, (latent_encoder, label_encoder), (latents, size)):
            if encoder is not None or discriminator is not None or encoder_phase:
                check_encoder(name, encoder, generator.output_shape[1:], outputs)
                encoder.trainable = bool(encoder_phase)
        fields = noise_to_images(generator, label_space=label_space)
        self.encoder_phase = bool(encoder_phase)
        if encoder_phase:
            self.players = {name: (name,) for name in ENCODERS}
            self.log_names = ("latent_loss", "label_loss")
            more = {"generated": fields["output_fields"]["images"], "latents": Noise(latents)}
            fields["batch_fields"] = {**fields["batch_fields"], **more}
        super().__init__(
            generator=generator, latent_encoder=latent_encoder, label_encoder=label_encoder, **fields, **kwargs
        )
        self.discriminator, self.label_space, self.r1_weight = discriminator, label_space, r1_weight
        self.real_target = self.add_weight(shape=(), initializer="ones", trainable=False, name="real_target")

    @classmethod
    def for_data(cls, dataset, **options):
        return super().for_data(dataset, **{"label_space": dataset.label_space, **options})

    def phases(self, dataset, epochs):
        """The conditional GAN, then the encoders, with 15 epochs for every 25 of the GAN, as in the code."""
        encoder_epochs = max(1, round(epochs * 15 / 25))
        return [
            Phase(dataset, epochs, title="conditional GAN"),
            Phase(
                lambda model: model.encoder_data(dataset),
                encoder_epochs,
                prepare=lambda model: model.for_encoders(),
                title="encoders",
            ),
        ]

    # The conditional GAN

    def discriminator_loss(self, real, fake, labels, wrong, training=True):
        """The loss on real images with their labels and with wrong ones, and on generated images with theirs."""
        real_logits, wrong_logits, fake_logits = (
            self.score(judged, training) for judged in ([labels, real], [wrong, real], [labels, fake])
        )
        deceived = 0.5 * (cross_entropy(wrong_logits, 0.0) + cross_entropy(fake_logits, 0.0))
        loss = cross_entropy(real_logits, self.real_target) + deceived
        if self.r1_weight > 0.0:
            loss += self.r1_weight * r1_penalty(lambda images: self.score([labels, images], training), real)
        return loss

    def generator_loss(self, fake, labels, training=True):
        return non_saturating_generator_loss(self.score([labels, fake], training))

    def wrong_labels(self, labels, training=True):
        """Encoded labels that differ from `labels`, image by image."""
        uniform = self.uniform((ops.shape(labels)[0], self.label_space.num_uniforms), training)
        return self.label_space.others(labels, uniform)

    # The encoders

    def latent_loss(self, generated, latents, training=True):
        """The squared distance between E_z of generated images and their latents, mean over the latents."""
        found = ops.cast(self.latent_encoder(generated, training=training), "float32")
        return ops.mean(ops.square(latents - found))

    def label_loss(self, images, labels, training=True):
        """`label_space.loss` of E_y's output for real images."""
        return self.label_space.loss(ops.cast(self.label_encoder(images, training=training), "float32"), labels)

    def train_step(self, data):
        batch = self.encode_batch(data)
        if self.encoder_phase:
            latent_loss = self.minimize("latent_encoder", self.latent_loss, batch["generated"], batch["latents"])
            label_loss = self.minimize("label_encoder", self.label_loss, batch["images"], batch["labels"])
            return self.log(latent_loss=latent_loss, label_loss=label_loss)
        for real, labels in self.shares(batch["images"], batch["labels"]):
            fake = self.record([self.latents_like(real), labels])
            wrong = self.wrong_labels(labels)
            d_loss = self.minimize("discriminator", self.discriminator_loss, real, fake.outputs, labels, wrong)
        g_loss = self.minimize("generator", lambda fake: self.generator_loss(fake, labels), fake)
        return self.log(d_loss=d_loss, g_loss=g_loss)

    def batch_losses(self, images, labels, generated=None, latents=None):
        if self.encoder_phase:
            return {
                "latent_loss": self.latent_loss(generated, latents, training=False),
                "label_loss": self.label_loss(images, labels, training=False),
            }
        fake = self.generator([self.latents_like(images, training=False), labels], training=False)
        wrong = self.wrong_labels(labels, training=False)
        return {
            "d_loss": self.discriminator_loss(images, fake, labels, wrong, training=False),
            "g_loss": self.generator_loss(fake, labels, training=False),
        }

    def batch_scores(self, images, labels, **others):
        fake = self.generator([self.latents_like(images, training=False), labels], training=False)
        return self.score([labels, images], training=False), self.score([labels, fake], training=False)

    def paper_optimizers(self):
        adam = {"learning_rate": 1e-4, "beta_1": 0.1} if self.encoder_phase else {"learning_rate": 2e-4, "beta_1": 0.5}
        return {player: FusedAdam(**adam) for player in self.players}

    def for_encoders(self):
        """The model of the second phase, not compiled: it trains the encoders of the same four networks.

        Raises:
            ConfigurationError: a model without encoders.
        """
        model = type(self)(
            self.generator,
            self.discriminator,
            self.latent_encoder,
            self.label_encoder,
            label_space=self.label_space,
            encoder_phase=True,
            discriminator_steps=self.discriminator_steps,
            ema_decay=self.ema_decay,
            seed=self.seed,
            name=self.name,
            dtype=self.dtype_policy,
        )
        model.step.assign(ops.convert_to_numpy(self.step))
        if self.ema_decay is not None:
            model.ema.take_over(self.ema)
        return model

    def encoder_data(self, dataset, seed=0):
        """The encoders' training data: real images with labels, and as many generated ones with their latents.

        The generated images have the labels of the real ones.

        Args:
            dataset: `Batches` with labels, such as `kg.data.load` returns.
            seed: whole number that determines the generated images and the order of the batches.

        Returns:
            `Batches` of images, labels, generated images and latents, with the batch size of `dataset`.

        Raises:
            DataError: anything other than `Batches` with labels, or labels that are not the model's.
        """
        if getattr(dataset, "labels", None) is None:
            raise DataError(
                f"Expected Batches with labels. Received: {type(dataset).__name__} without labels. Pass what "
                "kg.data.load returned, or kg.data.Batches(images, labels)."
            )
        labels = self.batch_fields["labels"].check(dataset.labels)
        images = self.batch_fields["images"].check(np.asarray(dataset.images))
        noise = self.noise(len(labels), seed)
        return Batches(
            images,
            labels,
            generated=self.generate(noise=noise, labels=labels),
            latents=noise,
            batch_size=dataset.batch_size,
            seed=seed,
            about=dataset.about,
        )

    def encode(self, images):
        """The latents E_z(x) of images.

        Args:
            images: uint8, or floats in [-1, 1], (N, height, width, channels).

        Returns:
            float32 (N, latent_dim).

        Raises:
            ConfigurationError: a model without encoders.
            DataError: images that do not fit the model.
        """
        return encode_images(self, "latent_encoder", images)

    def read_labels(self, images):
        """The labels E_y(x) of images.

        Args:
            images: see `encode`.

        Returns:
            Labels (N, ...) of `label_space`.

        Raises:
            ConfigurationError, DataError: see `encode`.
        """
        return self.label_space.predict(encode_images(self, "label_encoder", images))

    def edit(self, images, labels=None):
        """Images with other labels, G(E_z(x), y').

        Args:
            images: see `encode`.
            labels: y', one for all or one per image; None for the images' own, as `read_labels` predicts them, which
                makes a reconstruction.

        Returns:
            uint8 (N, height, width, channels).

        Raises:
            ConfigurationError: a model without encoders, or neither one label for all images nor one for each.
            DataError: images or labels that do not fit the model.
        """
        latents = self.encode(images)
        labels = self.read_labels(images) if labels is None else labels
        return self.generate(noise=latents, labels=labels)  # the latents are the noise: the prior is normal
