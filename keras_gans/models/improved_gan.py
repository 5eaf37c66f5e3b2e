"""Semi-supervised GAN with feature matching: Salimans, Goodfellow, Zaremba, Cheung, Radford and Chen, 2016, "Improved
techniques for training GANs", https://arxiv.org/abs/1606.03498, sections 3.1 and 5; code:
https://github.com/openai/improved-gan, mnist_svhn_cifar10/train_mnist_feature_matching.py

The discriminator is a classifier of K classes; "generated" is one more class, whose logit is fixed to zero.

Objective, for K logits l, lse = log sum_k exp l_k, and the discriminator's features f:
    discriminator: E[lse(x) - l_y(x)]                                      over labelled images x of class y
                   + E[softplus(-lse(x))] / 2 + E[softplus(lse(G(z)))] / 2 over unlabelled and generated images
    generator:     mean over features of (E[f(x)] - E[f(G(z))])^2          over other unlabelled images
                   + adversarial_weight * E[softplus(-lse(G(z)))]          by default zero, the paper's

Schedule: the discriminator is updated on a batch of labelled images, a batch of unlabelled images and new generated
images, each in a separate pass. Then the generator is updated on new latents and a second batch of unlabelled
images, drawn independently of the first. The discriminator's noise is on in both updates. With `discriminator_steps=k`
the labelled and the unlabelled batch are split among k discriminator updates, each with its own latents.

Departures from the paper:
- the discriminator's scales start at one; `kg.layers.initialize_from_data` on 500 images sets them as the authors do;
- `classify` uses the average of the discriminator's weights. It starts at the initial weights and forgets them (see
  `keras_gans.layers.Averages`); the authors' starts at zero, which a rate of 1e-4 forgets in tens of epochs;
- Adam divides by sqrt(v) + 1e-4, the authors' code by sqrt(v + 1e-8): these agree where v is small or large;
- batch norm uses the biased variance for sampling;
- `adversarial_weight` above zero is ours: it adds -log D(G(z)), which asks each image separately to be one of the K
  classes. With features that only match on average, many samples lie between two digits.

Each of TensorFlow's replicas matches the mean features of its own share of the batch.
"""

import keras
import numpy as np
from keras import initializers, layers, ops

from keras_gans import engine
from keras_gans.checking import check_data
from keras_gans.errors import ConfigurationError, DataError
from keras_gans.fields import Classes, check_image_shape, noise_to_images, uniform_of
from keras_gans.layers import FusedBatchNormalization, WeightNormalization
from keras_gans.layers.averages import Averages
from keras_gans.losses import (
    feature_matching_loss,
    non_saturating_generator_loss,
    semi_supervised_labelled_loss,
    semi_supervised_unlabelled_loss,
)
from keras_gans.model import AdversarialModel
from keras_gans.networks.checks import check_networks
from keras_gans.optimizers import FusedAdam
from keras_gans_core.checks import is_number

FEATURES = "features"  # the name of the layer whose means the generator matches
BATCH = 256  # images that `classify` takes at once


def build_generator(image_shape=(28, 28, 1), latent_dim=100, *, units=(500, 500)):
    """The paper's generator for MNIST: dense layers with batch norm without a gain and softplus, then sigmoid pixels.

    Args:
        image_shape: (height, width, channels).
        latent_dim: size of the latents.
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
        units: widths of the hidden layers; the outputs of the last one are the features.
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


class ClassNumbers(Classes):
    """One class per image, which the loss takes as a whole number, int32 (N,)."""

    def encode(self, labels):
        return ops.reshape(ops.cast(labels, "int32"), (-1,))


@keras.saving.register_keras_serializable(package="keras_gans")
class ImprovedGAN(AdversarialModel):
    """Semi-supervised GAN: a classifier that learns from few labels, many images and generated images.

    Train it on what `kg.data.semi_supervised` returns. With (images, labels), all images are labelled and also
    serve as the unlabelled ones. `evaluate` needs no labels, and logs the accuracy where there are some. The latents
    are uniform on [0, 1]: z = (1 + erf(n / sqrt(2))) / 2 for normal noise n.

    Args:
        generator, discriminator: networks. The discriminator has K logits, K of 2 or more, and a layer named
            "features". With neither, the paper's for MNIST, for `image_shape`, `latent_dim` and `num_classes`.
        image_shape: (height, width, channels) of the default networks.
        latent_dim: latents of the default generator.
        num_classes: K of the default discriminator.
        adversarial_weight: weight of the non-saturating loss that is added to feature matching for better samples,
            0 or more.
        discriminator_ema_decay: decay in [0, 1) of the average of the discriminator's weights, used by `classify`.
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

    evaluation_names = ("accuracy",)
    optional_fields = ("labels", "labelled_images", "matched_images")

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
        check_networks(generator, discriminator, logits=None)
        fields = noise_to_images(generator, uniform_of)
        if discriminator is not None:
            _check_classifier(discriminator)
            images = fields["batch_fields"]["images"]
            fields["batch_fields"] |= {
                "labels": ClassNumbers(discriminator.output_shape[-1]),
                "labelled_images": images,
                "matched_images": images,
            }
        super().__init__(generator=generator, discriminator=discriminator, **fields, **kwargs)
        self.adversarial_weight = adversarial_weight
        self.discriminator_ema_decay = discriminator_ema_decay
        if discriminator is not None:
            features = discriminator.get_layer(FEATURES).output
            self.features = keras.Model(discriminator.inputs[0], layers.Flatten(name="flat_features")(features))
            self.discriminator_ema = Averages([discriminator], discriminator_ema_decay, name="discriminator_ema")

    @classmethod
    def for_data(cls, dataset, **options):
        space = dataset.label_space
        if not isinstance(space, Classes) or space.shape != ():
            raise ConfigurationError(f"Expected one class for each image as the labels. Received: {space}.")
        return super().for_data(dataset, **{"num_classes": space.counts[0], **options})

    @property
    def num_classes(self):
        """How many classes the discriminator distinguishes; None without a discriminator."""
        return None if self.discriminator is None else self.discriminator.output_shape[-1]

    def fit(self, x=None, y=None, **options):
        """`AdversarialModel.fit` with labels.

        Raises:
            DataError: also if there are no labels.
        """
        if self.compiled:
            x, first = check_data(self, x, y)
            if "labels" not in first:
                raise DataError(
                    f"Expected labels with the images, {self.batch_fields['labels']}. Received: images alone. Pass "
                    "fit(images, labels), batches of (images, labels), or kg.data.semi_supervised(dataset) or "
                    "kg.data.SemiSupervisedBatches if few images have a label."
                )
        return super().fit(x, y, **options)

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
        batch = self.encode_batch(data)
        images = batch["images"]
        for real, labelled, labels in self.shares(images, batch.get("labelled_images", images), batch["labels"]):
            fake = self.generator(self.latents_like(real), training=True)
            d_loss = self.minimize("discriminator", self.discriminator_loss, real, fake, labelled, labels)
            self.discriminator_ema.update(self.step)
        matched = batch.get("matched_images", images)
        fake = self.record(self.latents_like(matched))
        g_loss = self.minimize("generator", lambda fake: self.generator_loss(fake, matched), fake)
        return self.log(d_loss=d_loss, g_loss=g_loss)

    def batch_losses(self, images, labels=None, labelled_images=None, matched_images=None):
        """The losses of an encoded batch in inference mode, and the accuracy where there are labels."""
        labelled = images if labelled_images is None else labelled_images
        fake = self.generator(self.latents_like(images, training=False), training=False)
        values = {
            "d_loss": self.discriminator_loss(images, fake, labelled, labels, training=False),
            "g_loss": self.generator_loss(fake, images, training=False),
        }
        if labels is not None:
            with self.discriminator_ema.in_use():
                classes = ops.argmax(self.discriminator(labelled, training=False), axis=-1)
            values["accuracy"] = ops.mean(ops.cast(ops.equal(ops.cast(classes, "int32"), labels), "float32"))
        return values

    def batch_scores(self, images, **others):
        """The logits of "real" against "generated", whose logit is zero: the log-sum-exp of the classes' logits."""
        return tuple(ops.logsumexp(logits, axis=-1, keepdims=True) for logits in super().batch_scores(images))

    def classify(self, images):
        """The probabilities of the classes, from the average of the discriminator's weights.

        Args:
            images: uint8 or floats in [-1, 1], an array (N, height, width, channels).

        Returns:
            float32 (N, num_classes). Each row sums to 1: "generated" is not among the classes.

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
        self.batch_fields["images"].check(images)
        if getattr(self, "_compiled_classify", None) is None:
            self._compiled_classify = engine.function(self._probabilities)
        parts = [self._compiled_classify({"images": images[i : i + BATCH]}) for i in range(0, len(images), BATCH)]
        return np.concatenate([part["probabilities"] for part in parts])

    def _probabilities(self, inputs):
        with self.discriminator_ema.in_use():
            logits = self.score(self.batch_fields["images"].encode(inputs["images"]), training=False)
        return {"probabilities": ops.softmax(logits, axis=-1)}

    def paper_optimizers(self):
        return {player: FusedAdam(3e-3, beta_1=0.5, epsilon=1e-4) for player in self.players}


def _check_classifier(discriminator):
    if discriminator.output_shape[-1] < 2:
        raise ConfigurationError(
            f"Expected a discriminator with a logit for each of 2 classes or more. "
            f"Received: {discriminator.output_shape}."
        )
    if FEATURES not in [layer.name for layer in discriminator.layers]:
        raise ConfigurationError(
            f"Expected a discriminator with a layer named {FEATURES!r}, which the generator matches. "
            f"Received the layers: {', '.join(layer.name for layer in discriminator.layers)}. "
            f"Name one of them {FEATURES!r}."
        )
