"""Semi-supervised GAN with feature matching: Salimans, Goodfellow, Zaremba, Cheung, Radford and Chen, 2016, "Improved
techniques for training GANs", https://arxiv.org/abs/1606.03498, sections 3.1 and 5; code:
https://github.com/openai/improved-gan, mnist_svhn_cifar10/train_mnist_feature_matching.py

The discriminator is a classifier of K classes; "generated" is one more class, whose logit is fixed to zero.

Objective, for K logits l, lse = log sum_k exp l_k, and the discriminator's features f:
    discriminator: E[lse(x) - l_y(x)]                                      over labelled images x of class y
                   + E[softplus(-lse(x))] / 2 + E[softplus(lse(G(z)))] / 2 over unlabelled and generated images
    generator:     mean over features of (E[f(x)] - E[f(G(z))])^2          over other unlabelled images
                   + adversarial_weight * E[softplus(-lse(G(z)))]          by default zero, the paper's

Schedule: the discriminator is updated on a batch of labelled images, one of unlabelled images and fresh generated ones,
each passed through it by itself; then the generator on fresh latents and a second batch of unlabelled images, drawn
independently of the first. The discriminator's noise is on in both. With `discriminator_steps=k` the labelled and the
unlabelled batch are dealt out to k discriminator updates, each with latents of its own.

Departures from the paper:
- the discriminator's scales start at one; `kg.layers.initialize_from_data` on 500 images is the authors' start;
- the average of the discriminator's weights that classifies starts at the weights and forgets its start (see
  `AdversarialModel`'s `ema_decay`); the authors' starts at zero, which a rate of 1e-4 forgets in tens of epochs;
- Adam divides by sqrt(v) + 1e-4, the authors' code by sqrt(v + 1e-8): the same where v is small or large;
- batch norm's variance for sampling is the biased one;
- `adversarial_weight` above zero asks each image by itself to be one of the K classes, -log D(G(z)); features matched
  on average leave many of the samples between two digits.

On TensorFlow's replicas each matches the mean features of its own share of the batch.
"""

import keras
import numpy as np
from keras import initializers, layers, ops

from keras_gans.data.checks import check_image_shape, check_images, entry_of, is_number, labels_of
from keras_gans.data.label_spaces import Classes, label_space_of
from keras_gans.errors import ConfigurationError
from keras_gans.images import to_float
from keras_gans.layers import FusedBatchNormalization, WeightNormalization
from keras_gans.losses import (
    feature_matching_loss,
    non_saturating_generator_loss,
    semi_supervised_labelled_loss,
    semi_supervised_unlabelled_loss,
)
from keras_gans.model import AdversarialModel, uniform_of
from keras_gans.optimizers import FusedAdam

FEATURES = "features"  # the name of the layer whose means the generator matches


def build_generator(image_shape=(28, 28, 1), latent_dim=100, *, units=(500, 500)):
    """The paper's generator for MNIST: softplus layers behind batch norm without a gain, then sigmoid pixels.

    Args:
        image_shape: (height, width, channels).
        latent_dim: how many numbers an image is made from.
        units: widths of the hidden layers.

    Returns:
        A Keras model, (N, latent_dim) to (N, height, width, channels) in [-1, 1].
    """
    check_image_shape(image_shape)
    latents = x = keras.Input((latent_dim,), name="latents")
    for i, width in enumerate(units):
        x = layers.Dense(width, use_bias=False, name=f"hidden{i}")(x)
        x = FusedBatchNormalization(momentum=0.9, epsilon=1e-6, scale=False, name=f"norm{i}")(x)
        x = layers.Activation("softplus", name=f"softplus{i}")(x)
    height, width, channels = image_shape
    x = WeightNormalization(layers.Dense(height * width * channels, use_bias=False), name="pixels")(x)
    x = layers.Activation("sigmoid", dtype="float32", name="sigmoid")(x)
    x = layers.Rescaling(2.0, offset=-1.0, dtype="float32", name="rescale")(x)
    return keras.Model(latents, layers.Reshape(image_shape, dtype="float32", name="images")(x), name="generator")


def build_discriminator(
    image_shape=(28, 28, 1), num_classes=10, *, units=(1000, 500, 250, 250, 250), input_noise=0.3, noise=0.5
):
    """The paper's classifier for MNIST: dense layers with weight normalization, Gaussian noise before each.

    Args:
        image_shape: (height, width, channels).
        num_classes: K, how many logits.
        units: widths of the hidden layers; the last one's outputs are the features.
        input_noise: standard deviation of the noise on pixels in [0, 1].
        noise: standard deviation of the noise on hidden layers.

    Returns:
        A Keras model, images to logits (N, num_classes), with a layer named "features".
    """
    check_image_shape(image_shape)

    def dense(count, name, **options):
        kernel = layers.Dense(count, use_bias=False, kernel_initializer=initializers.RandomNormal(stddev=0.1))
        return WeightNormalization(kernel, name=name, **options)

    images = keras.Input(image_shape, name="images")
    x = layers.Flatten(name="flatten")(layers.Rescaling(0.5, offset=0.5, name="rescale")(images))
    x = layers.GaussianNoise(input_noise, name="noise0")(x)
    for i, width in enumerate(units):
        x = dense(width, f"hidden{i}", train_scale=False)(x)
        x = layers.ReLU(name=FEATURES if i == len(units) - 1 else f"relu{i}")(x)
        x = layers.GaussianNoise(noise, name=f"noise{i + 1}")(x)
    x = dense(num_classes, "classes")(x)
    return keras.Model(images, layers.Activation("linear", dtype="float32", name="logits")(x), name="discriminator")


@keras.saving.register_keras_serializable(package="keras_gans")
class ImprovedGAN(AdversarialModel):
    """Semi-supervised GAN: a classifier that learns from few labels, many images and a generator's.

    Train it on what `kg.data.semi_supervised` returns; on (images, labels) all images are labelled and are the
    unlabelled ones as well. `evaluate` also logs the accuracy where there are labels. The latents are uniform on
    [0, 1]: z = (1 + erf(n / sqrt(2))) / 2 for normal noise n.

    Args:
        generator, discriminator: networks, the discriminator with K logits, K of 2 or more, and a layer named
            "features"; with neither, the paper's for MNIST, for `image_shape`, `latent_dim` and `num_classes`.
        image_shape: (height, width, channels) of the default networks.
        latent_dim: latents of the default generator.
        num_classes: K of the default discriminator.
        adversarial_weight: 0 or more, of the non-saturating loss beside the matched features: better samples.
        discriminator_ema_decay: decay in [0, 1) of the average of the discriminator's weights that classifies.
        discriminator_steps, ema_decay, seed: see `AdversarialModel`.

    Raises:
        ConfigurationError: numbers out of range, or networks that do not fit each other.

    Example:

    >>> dataset = kg.data.load("drawn:digits", take=200, batch_size=100)
    >>> gan = kg.ImprovedGAN(image_shape=(28, 28, 1), num_classes=10)
    >>> gan.compile()
    >>> history = gan.fit(kg.data.semi_supervised(dataset, labels_per_class=10), verbose=0)
    >>> gan.classify(dataset.images[:3]).shape
    (3, 10)

    Reference: Salimans et al., 2016, https://arxiv.org/abs/1606.03498
    """

    logits_per_image = None

    def __init__(
        self,
        generator=None,
        discriminator=None,
        *,
        image_shape=(28, 28, 1),
        latent_dim=100,
        num_classes=10,
        adversarial_weight=0.0,
        discriminator_ema_decay=0.9999,
        **kwargs,
    ):
        if not is_number(adversarial_weight, 0.0):
            raise ConfigurationError(f"Expected an adversarial_weight of 0 or more. Received: {adversarial_weight!r}.")
        if not (is_number(discriminator_ema_decay, 0.0) and discriminator_ema_decay < 1.0):
            raise ConfigurationError(
                f"Expected a discriminator_ema_decay in [0, 1). Received: {discriminator_ema_decay!r}."
            )
        if generator is None and discriminator is None:
            generator = build_generator(image_shape, latent_dim)
            discriminator = build_discriminator(image_shape, num_classes)
        super().__init__(generator, discriminator, **kwargs)
        self.adversarial_weight = adversarial_weight
        self.discriminator_ema_decay = discriminator_ema_decay
        self.trackers["accuracy"] = keras.metrics.Mean(name="accuracy")
        if discriminator is not None:
            _check_classifier(discriminator)
            features = discriminator.get_layer(FEATURES).output
            self.features = keras.Model(discriminator.inputs[0], layers.Flatten(name="flat_features")(features))
            self.ema_discriminator = keras.models.clone_model(discriminator)
            self.ema_discriminator.set_weights(discriminator.get_weights())
            self.ema_discriminator.trainable = False

    @classmethod
    def for_data(cls, dataset, **options):
        space = label_space_of(dataset.given_labels)
        if not isinstance(space, Classes) or space.shape != ():
            raise ConfigurationError(f"Expected one class for each image as the labels. Received: {space}.")
        return super().for_data(dataset, **{"num_classes": space.counts[0], **options})

    @property
    def num_classes(self):
        """How many classes the discriminator tells apart; None without one."""
        return None if self.discriminator is None else self.discriminator.output_shape[-1]

    @property
    def learned_labels(self):
        return None if self.discriminator is None else Classes(self.num_classes)

    def prior(self, noise):
        return uniform_of(noise)

    def discriminator_loss(self, real, fake, labelled=None, labels=None, training=True):
        loss = semi_supervised_unlabelled_loss(self.score(real, training), self.score(fake, training))
        if labels is None:  # held-out images may have none
            return loss
        return semi_supervised_labelled_loss(self.score(labelled, training), labels) + loss

    def generator_loss(self, fake, real, training=True):
        matched = feature_matching_loss(self.features(real, training=training), self.features(fake, training=training))
        if not self.adversarial_weight:
            return matched
        real_logits = ops.logsumexp(self.score(fake, training), axis=-1)
        return matched + self.adversarial_weight * non_saturating_generator_loss(real_logits)

    def train_step(self, data):
        real, labelled, labels = self.real_images(data), self.labelled_images(data), self.enough(labels_of(data))
        k = self.discriminator_steps
        for i in range(k):
            share = real[i::k]
            fake = self.generator(self.latents_like(share), training=True)
            d_loss = self.minimize("discriminator", self.discriminator_loss, share, fake, labelled[i::k], labels[i::k])
            self.follow(self.ema_discriminator, self.discriminator, self.discriminator_ema_decay)
        others = self.matched_images(data)
        played = self.play(self.latents_like(others))
        g_loss = self.minimize("generator", lambda fake: self.generator_loss(fake, others), played)
        return self.log(d_loss=d_loss, g_loss=g_loss)

    def labelled_images(self, data):
        """The labelled images of a batch; where it has none of their own, all of its images."""
        labelled = entry_of(data, "labelled_image")
        return self.real_images(data) if labelled is None else self.enough(to_float(labelled))

    def matched_images(self, data):
        """The images whose features the generator matches; where the batch has none of their own, all of its images."""
        matched = entry_of(data, "matched_image")
        return self.real_images(data) if matched is None else to_float(matched)

    def test_step(self, data):
        real, labelled, labels = self.real_images(data), self.labelled_images(data), labels_of(data)
        fake = self.generator(self.latents_like(real, training=False), training=False)
        if labels is not None:
            labels = self.enough(labels)
        values = {
            "d_loss": self.discriminator_loss(real, fake, labelled, labels, training=False),
            "g_loss": self.generator_loss(fake, real, training=False),
        }
        if labels is not None:
            classes = ops.argmax(self.ema_discriminator(labelled, training=False), axis=-1)
            right = ops.equal(ops.cast(classes, "int32"), ops.cast(ops.reshape(labels, (-1,)), "int32"))
            values["accuracy"] = ops.mean(ops.cast(right, "float32"))
        return self._averaged(values)

    def classify(self, images):
        """The probabilities of the classes, from the average of the discriminator's weights.

        Args:
            images: uint8 or floats in [-1, 1], an array (N, height, width, channels).

        Returns:
            float32 (N, num_classes); each row's sum is 1: "generated" is no answer.

        Raises:
            ConfigurationError: a model without a discriminator, as in the zoo.
            DataError: images that the model cannot take.
        """
        if self.discriminator is None:
            raise ConfigurationError(
                "Expected a discriminator, which classifies. Received: a generator alone. Classify with the model of "
                "a training run, such as its checkpoint.keras."
            )
        images = np.asarray(images)
        check_images(images, self.image_shape)
        logits = self.ema_discriminator.predict(ops.convert_to_numpy(to_float(images)), batch_size=256, verbose=0)
        return ops.convert_to_numpy(ops.softmax(logits, axis=-1))

    def paper_optimizers(self):
        return {player: FusedAdam(3e-3, beta_1=0.5, epsilon=1e-4) for player in ("generator", "discriminator")}

    def get_config(self):
        return {
            **super().get_config(),
            "adversarial_weight": self.adversarial_weight,
            "discriminator_ema_decay": self.discriminator_ema_decay,
        }


def _check_classifier(discriminator):
    if discriminator.output_shape[-1] < 2:
        raise ConfigurationError(
            f"Expected a discriminator with a logit for each of 2 classes or more. "
            f"Received: {discriminator.output_shape}."
        )
    if FEATURES not in [layer.name for layer in discriminator.layers]:
        raise ConfigurationError(
            f"Expected a discriminator with a layer named {FEATURES!r}, which the generator matches. "
            f"Received the layers: {', '.join(layer.name for layer in discriminator.layers)}. Name one of them so."
        )
