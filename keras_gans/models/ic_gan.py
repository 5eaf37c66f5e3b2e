"""IcGAN: Perarnau, van de Weijer, Raducanu and Alvarez, 2016, "Invertible conditional GANs for image editing",
https://arxiv.org/abs/1611.06355; code: https://github.com/Guim3/IcGAN

A conditional GAN first, then two encoders of images: E_z to the latents, E_y to the labels. An image is edited by
G(E_z(x), y') with other labels y'.

Objective, for logits d and wrong labels w, which differ from y:
    discriminator: E[softplus(-d(x|y))] + E[softplus(d(x|w))] / 2 + E[softplus(d(G(z, y)|y))] / 2
    generator:     E[softplus(-d(G(z, y)|y))]
    E_z:           E[|z - E_z(G(z, y))|^2]     on generated images, mean over the latents
    E_y:           E[L(E_y(x), y)]             on real images; L is `label_space.loss`

Schedule: as of DCGAN, with wrong labels for the real images. Then `fit_encoders`: the generator, in inference mode and
left as it is, makes as many images as there are training images, and the encoders learn from stored pairs.

Departures from the paper:
- labels are coded 0 and 1, not -1 and 1; E_y has cross-entropies in the place of the squared error where labels are
  classes or attributes;
- wrong labels are drawn, evenly among all others where labels are one class, as the code does for MNIST (a shift by 1
  to 9); for attributes the code takes other images' labels;
- the encoder of the latents has 512 hidden units, the code's as many as the convolutions' outputs; convolutions have no
  bias, and the generator's first batch norm is per unit, as in this library's DCGAN;
- the moving statistics of the generator's batch norm are those of training; the code refreshes them by 100 passes;
- DCGAN's default kernels are 5x5, the code's are 4x4; the encoders are trained on all images, not on two thirds;
- one encoder for both, and encoders of z that see y, which the paper compares, are left out: it selects two.
"""

import keras
import numpy as np
from keras import layers, ops

from keras_gans.data import label_space_of
from keras_gans.data.batches import Batches
from keras_gans.data.checks import check_image_shape, check_images, is_number, is_whole
from keras_gans.data.label_spaces import TEN_CLASSES, Classes, check_label_space
from keras_gans.errors import ConfigurationError, DataError
from keras_gans.images import to_float
from keras_gans.layers import FusedBatchNormalization
from keras_gans.losses import cross_entropy, non_saturating_generator_loss
from keras_gans.model import AdversarialModel, check_encoder
from keras_gans.networks.dcgan import build_discriminator, build_generator
from keras_gans.optimizers import FusedAdam, with_loss_scale


def build_encoder(image_shape, outputs, *, base_filters=32, units=512, name="encoder"):
    """The code's encoder: 5x5 convolutions of stride 2, then two dense layers.

    Args:
        image_shape: (height, width, channels).
        outputs: how many numbers an image is encoded as, without bounds.
        base_filters: of the first convolution; each later one has twice as many.
        units: width of the hidden dense layer; the code has 512 for the labels, and as many as there are inputs for the
            latents.
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
    """Conditional GAN with encoders of latents and labels, which edits the images that it is given.

    `fit` trains the conditional GAN; `fit_encoders`, afterwards, the encoders:

        gan.fit(dataset, epochs=25)
        gan.fit_encoders(dataset, epochs=15)
        gan.edit(images, labels=3)

    Args:
        generator, discriminator: networks, the generator of [latents, labels], the discriminator of [labels, images].
        latent_encoder: Keras model, images to latents (N, latent_dim).
        label_encoder: Keras model, images to (N, label_space.size): logits of classes and attributes, or values. Both
            encoders are set to be not trainable but while `fit_encoders` trains all of their layers. With no network
            given, all four are convolutional ones for `image_shape`, `latent_dim` and `label_space`.
        image_shape: (height, width, channels) of the default networks.
        latent_dim: latents of the default networks.
        label_space: what the labels are: `kg.data.Classes`, `Attributes` or `Values`.
        discriminator_steps, ema_decay, seed: see `AdversarialModel`.

    Raises:
        ConfigurationError: networks that do not fit each other or the labels.

    Example:

    >>> gan = kg.IcGAN(image_shape=(32, 32, 1), label_space=kg.data.Classes(10))
    >>> images = gan.generate(2, seed=0, labels=[3, 8])
    >>> gan.edit(images, labels=[5, 5]).shape
    (2, 32, 32, 1)

    Reference: Perarnau et al., 2016, https://arxiv.org/abs/1611.06355
    """

    encoders = ("latent_encoder", "label_encoder")

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
        **kwargs,
    ):
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
        super().__init__(generator, discriminator, label_space=label_space, **kwargs)
        for name, encoder, outputs in (
            ("latent_encoder", latent_encoder, self.latent_dim),
            ("label_encoder", label_encoder, size),
        ):
            if encoder is not None or discriminator is not None:
                check_encoder(name, encoder, self.image_shape, outputs)
                encoder.trainable = False  # but for `fit_encoders`: the game of the two players moves no encoder
        self.latent_encoder, self.label_encoder = latent_encoder, label_encoder
        self.real_target = self.add_weight(shape=(), initializer="ones", trainable=False, name="real_target")

    @classmethod
    def for_data(cls, dataset, **options):
        return super().for_data(dataset, **{"label_space": label_space_of(dataset.labels), **options})

    def judged_shapes(self, generator):
        return [generator.input_shape[1][1:], generator.output_shape[1:]]

    def run_callbacks(self, dataset):
        return [FitEncoders(dataset)]

    # The conditional GAN

    def discriminator_loss(self, real, fake, labels, wrong, training=True):
        """Of real images with their labels and with wrong ones, and of generated images with theirs."""
        real_logits, wrong_logits, fake_logits = (
            self.score(judged, training) for judged in ([labels, real], [wrong, real], [labels, fake])
        )
        deceived = 0.5 * (cross_entropy(wrong_logits, 0.0) + cross_entropy(fake_logits, 0.0))
        return cross_entropy(real_logits, self.real_target) + deceived

    def generator_loss(self, fake, labels, training=True):
        return non_saturating_generator_loss(self.score([labels, fake], training))

    def wrong_labels(self, labels, training=True):
        """Encoded labels that differ from `labels`, image by image."""
        return self.label_space.others(labels, self.uniform((ops.shape(labels)[0], self.label_space.draws), training))

    def train_step(self, data):
        images, asked = self.real_images(data), self.conditions(data)
        k = self.discriminator_steps
        for i in range(k - 1):
            real, labels = images[i::k], asked[i::k]
            fake = self.generator([self.latents_like(real), labels], training=True)
            wrong = self.wrong_labels(labels)
            self.minimize("discriminator", self.discriminator_loss, real, fake, labels, wrong)
        real, labels = images[k - 1 :: k], asked[k - 1 :: k]
        played = self.play([self.latents_like(real), labels])
        wrong = self.wrong_labels(labels)
        d_loss = self.minimize("discriminator", self.discriminator_loss, real, played.images, labels, wrong)
        g_loss = self.minimize("generator", lambda fake: self.generator_loss(fake, labels), played)
        return self.log(d_loss=d_loss, g_loss=g_loss)

    def test_step(self, data):
        """The losses of one batch with both networks in inference mode and noise of its own."""
        real, labels = self.real_images(data), self.conditions(data)
        fake = self.generator([self.latents_like(real, training=False), labels], training=False)
        wrong = self.wrong_labels(labels, training=False)
        return self._averaged(
            {
                "d_loss": self.discriminator_loss(real, fake, labels, wrong, training=False),
                "g_loss": self.generator_loss(fake, labels, training=False),
            }
        )

    # The encoders

    def fit_encoders(self, dataset, *, epochs=15, batch_size=64, learning_rate=1e-4, seed=0, verbose="auto"):
        """Trains both encoders; the conditional GAN stays as it is.

        Args:
            dataset: `Batches` with labels, such as `kg.data.load` returns: E_y learns from its images, and E_z from as
                many generated ones, asked for the same labels.
            epochs, batch_size, verbose: as in `keras.Model.fit`.
            learning_rate: of Adam with beta_1 of 0.1; the default is the code's.
            seed: whole number, names the generated images and the order of the batches.

        Returns:
            {"latent_encoder": `History`, "label_encoder": `History`}, with the logs "loss".

        Raises:
            ConfigurationError: a model without encoders, or numbers out of range.
            DataError: anything else than `Batches` with labels, or labels that are none of the model's.
        """
        if not is_whole(epochs, 1) or not is_number(learning_rate, 0.0) or learning_rate == 0.0:
            raise ConfigurationError(
                "Expected epochs of 1 or more and a learning_rate above 0. "
                f"Received: epochs={epochs!r}, learning_rate={learning_rate!r}."
            )
        for name in self.encoders:
            if getattr(self, name) is None:
                raise ConfigurationError(f"Expected a model with a {name}, to train it. Received: one without.")
        if getattr(dataset, "labels", None) is None:
            raise DataError(
                f"Expected Batches with labels. Received: {type(dataset).__name__}, without. Pass what kg.data.load "
                "returned, or kg.data.Batches(images, labels)."
            )
        labels = self.label_space.checked(dataset.labels)
        check_images(dataset.images, self.image_shape)
        count = len(labels)
        noise = self.noise(count, seed)
        made = self.generate(noise=noise, labels=labels)
        latents = ops.convert_to_numpy(self.prior(noise))
        encoded = ops.convert_to_numpy(self.label_space.encode(labels))
        histories = {}
        for name, images, codes, loss in (
            ("latent_encoder", made, latents, "mean_squared_error"),
            ("label_encoder", dataset.images, encoded, lambda y, predicted: self.label_space.loss(predicted, y)),
        ):
            encoder, adam = getattr(self, name), FusedAdam(learning_rate, beta_1=0.1)
            floats = ops.convert_to_numpy(to_float(np.asarray(images)))
            batches = Batches(floats, codes, batch_size=min(batch_size, count), seed=seed)
            batches = batches.following(lambda: int(ops.convert_to_numpy(adam.iterations)))
            encoder.trainable = True
            try:
                learner = keras.Model(encoder.inputs[0], encoder.outputs[0])  # the encoder stays without an optimizer
                learner.compile(with_loss_scale(adam, self.dtype_policy), loss)
                histories[name] = learner.fit(batches, epochs=epochs, shuffle=False, verbose=verbose)
            finally:
                encoder.trainable = False
        return histories

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
        return self.encoded("latent_encoder", images)

    def read_labels(self, images):
        """The labels E_y(x) of images.

        Args:
            images: see `encode`.

        Returns:
            Labels (N, ...) of `label_space`.

        Raises:
            ConfigurationError, DataError: see `encode`.
        """
        return self.label_space.predict(self.encoded("label_encoder", images))

    def edit(self, images, labels=None):
        """Images with other labels, G(E_z(x), y').

        Args:
            images: see `encode`.
            labels: y', one for all or one an image; None for the images' own, as `read_labels` finds them: a
                reconstruction.

        Returns:
            uint8 (N, height, width, channels).

        Raises:
            ConfigurationError: a model without encoders, or labels that are not one for each image.
            DataError: images or labels that do not fit the model.
        """
        latents = self.encode(images)
        labels = self.read_labels(images) if labels is None else self.checked_labels(labels, len(latents))[0]
        made = self.sampling_generator.predict([latents, self.label_space.encode(labels)], verbose=0)
        return ops.convert_to_numpy(self.as_samples(made))

    def paper_optimizers(self):
        return {player: FusedAdam(2e-4, beta_1=0.5) for player in ("generator", "discriminator")}

    def get_config(self):
        networks = {name: getattr(self, name) for name in self.encoders}
        return {
            **super().get_config(),
            **{name: network and keras.saving.serialize_keras_object(network) for name, network in networks.items()},
        }


class FitEncoders(keras.callbacks.Callback):
    """Trains an IcGAN's encoders when `fit` ends: for recipes, whose runs are one `fit`.

    Args:
        dataset, options: see `IcGAN.fit_encoders`.
    """

    def __init__(self, dataset, **options):
        super().__init__()
        self.dataset, self.options = dataset, options

    def on_train_end(self, logs=None):
        self.model.fit_encoders(self.dataset, **self.options)
