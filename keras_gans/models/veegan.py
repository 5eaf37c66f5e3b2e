"""VEEGAN: Srivastava, Valkov, Russell, Gutmann and Sutton, 2017, "VEEGAN: reducing mode collapse in GANs using implicit
variational learning", https://arxiv.org/abs/1705.07761

Objective, with the generator G, the reconstructor F from images to latents, and logits d of pairs (latents, images),
positive where a pair is judged to be generated:
    discriminator: E[softplus(-d(z, G(z)))] + E[softplus(d(F(x), x))]
    generator:     E[d(z, G(z))] + E[|z - F(G(z))|^2]
    reconstructor: E[|z - F(G(z))|^2]
|.|^2 is summed over the latents. The generator and the reconstructor are one player with one loss, the generator's: its
first term does not contain F. The best d is log q(x|z) p0(z) / (p_F(z|x) p(x)).

`generator_objective=notebook_generator_loss` is that of the authors' notebook for MNIST:
    generator:     E[d(z, G(z))] + MSE(z, F(G(z)))
    reconstructor: -E[d(F(x), x)] + MSE(z, F(G(z)))
again as one loss. The notebook's discriminator is trained with 1 for data: it is -d, so its losses have the opposite
sign.

Schedule (algorithm 1): one step of all three networks. Their gradients are taken at the same weights on the same images
and latents. With `discriminator_steps=k` the batch is split, and k - 1 updates of the discriminator come first.

Departures from the paper:
- the optimizer is the notebook's, Adam at 1e-3 with beta_1 of 0.7. The figure of algorithm 1 has plain gradient
  descent;
- the reconstructor is deterministic. Algorithm 1 allows it to draw its latents;
- the discriminator's one hidden layer with dropout of 0.5 is the notebook's. The depths of the other networks, all
  widths and the latents' dimension are this library's choice;
- MSE is the mean over all numbers, which is its usual meaning.
"""

import keras
from keras import layers, ops

from keras_gans.errors import ConfigurationError
from keras_gans.fields import check_image_shape, noise_to_images
from keras_gans.layers import seeded_dropout
from keras_gans.losses import minimax_discriminator_loss
from keras_gans.losses.adversarial import float32
from keras_gans.model import AdversarialModel
from keras_gans.networks.checks import check_encoder, check_networks, latents_and_images
from keras_gans.networks.encoding import encode_images
from keras_gans.optimizers import FusedAdam

register = keras.saving.register_keras_serializable(package="keras_gans")


def _hidden(x, units):
    for i in range(2):
        x = layers.Dense(units, activation="relu", name=f"hidden{i}")(x)
    return x


def build_generator(image_shape, latent_dim=100, *, units=256):
    """A generator of two hidden layers, then a tanh; for points, which are images of one pixel, there is no tanh.

    Args:
        image_shape: (height, width, channels); (1, 1, 2) for points in the plane.
        latent_dim: size of the latents.
        units: width of both hidden layers.

    Returns:
        A Keras model, (N, latent_dim) to (N, height, width, channels).
    """
    check_image_shape(image_shape)
    latents = keras.Input((latent_dim,), name="latents")
    height, width, channels = image_shape
    x = layers.Dense(height * width * channels, dtype="float32", name="pixels")(_hidden(latents, units))
    x = layers.Reshape(image_shape, dtype="float32", name="reshape")(x)
    activation = "linear" if height == width == 1 else "tanh"
    images = layers.Activation(activation, dtype="float32", name="images")(x)
    return keras.Model(latents, images, name="generator")


def build_reconstructor(image_shape, latent_dim=100, *, units=256):
    """The reconstructor: two hidden layers, then unbounded latents.

    Args:
        image_shape: (height, width, channels).
        latent_dim: the generator's.
        units: width of both hidden layers.

    Returns:
        A Keras model, images to latents (N, latent_dim).
    """
    check_image_shape(image_shape)
    images = keras.Input(image_shape, name="images")
    x = _hidden(layers.Flatten(name="flatten")(images), units)
    return keras.Model(images, layers.Dense(latent_dim, dtype="float32", name="latents")(x), name="reconstructor")


def build_discriminator(image_shape, latent_dim=100, *, units=256, dropout=0.5):
    """The notebook's discriminator of pairs: one hidden layer with dropout, then one logit.

    Args:
        image_shape: (height, width, channels).
        latent_dim: the generator's.
        units: width of the hidden layer.
        dropout: the rate.

    Returns:
        A Keras model, [latents (N, latent_dim), images] to logits (N, 1).
    """
    check_image_shape(image_shape)
    latents, images = keras.Input((latent_dim,), name="latents"), keras.Input(image_shape, name="images")
    x = layers.Concatenate(name="pair")([latents, layers.Flatten(name="flatten")(images)])
    x = layers.Dense(units, activation="relu", name="hidden")(x)
    # Its own seed: without one, PyTorch's masks could not be reproduced in a resumed run.
    x = seeded_dropout(dropout, "dropout")(x)
    logits = layers.Dense(1, dtype="float32", name="logits")(x)
    return keras.Model([latents, images], logits, name="discriminator")


@register
def algorithm_1_generator_loss(score, real, fake, reconstructed):
    """The generator's and the reconstructor's loss in algorithm 1: E[d(z, G(z))] + E[|z - F(G(z))|^2].

    Args:
        score: the discriminator, from a pair [latents, images] to logits.
        real: the pair [F(x), x].
        fake: the pair [z, G(z)].
        reconstructed: F(G(z)), (N, latent_dim).

    Returns:
        A float32 scalar.

    Example:

    >>> z, one, back = (np.array(x, "float32") for x in ([[0, 0]], [1], [[3, 4]]))
    >>> float(algorithm_1_generator_loss(lambda pair: pair[1], [None, None], [z, one], back))    # 1 + 3^2 + 4^2
    26.0
    """
    distances = ops.sum(ops.square(float32(fake[0]) - float32(reconstructed)), axis=-1)
    return ops.mean(float32(score(fake))) + ops.mean(distances)


@register
def notebook_generator_loss(score, real, fake, reconstructed):
    """The notebook's loss: E[d(z, G(z))] - E[d(F(x), x)] + MSE(z, F(G(z))). The reconstructor also plays against d.

    Args:
        score, real, fake, reconstructed: see `algorithm_1_generator_loss`.

    Returns:
        A float32 scalar.

    Example:

    >>> z, one, back = (np.array(x, "float32") for x in ([[0, 0]], [1], [[3, 4]]))
    >>> float(notebook_generator_loss(lambda pair: pair[1], [z, 5 * one], [z, one], back))    # 1 - 5 + (3^2 + 4^2) / 2
    8.5
    """
    game = ops.mean(float32(score(fake))) - ops.mean(float32(score(real)))
    return game + ops.mean(ops.square(float32(fake[0]) - float32(reconstructed)))


@register
class VEEGAN(AdversarialModel):
    """GAN with a reconstructor of the latents, which detects the modes that the generator misses.

    Args:
        generator: see `AdversarialModel`.
        discriminator: Keras model, [latents, images] to one logit (N, 1), positive for generated pairs.
        reconstructor: Keras model, images to latents (N, latent_dim). With no network given, all three are fully
            connected ones for `image_shape`.
        image_shape: (height, width, channels) of the default networks; (1, 1, 2) for points in the plane.
        latent_dim: latents of the default networks.
        generator_objective: `algorithm_1_generator_loss`, `notebook_generator_loss` or any registered function with
            their arguments.
        discriminator_steps, ema_decay, seed: see `AdversarialModel`.

    Raises:
        ConfigurationError: networks that do not fit each other, or an objective that is not a function.

    Example:

    >>> gan = kg.VEEGAN(image_shape=(28, 28, 1))
    >>> gan.compile()
    >>> images = gan.generate(4, seed=0)
    >>> gan.encode(images).shape, gan.reconstruct(images).shape
    ((4, 100), (4, 28, 28, 1))

    Reference: Srivastava et al., 2017, https://arxiv.org/abs/1705.07761; code: https://github.com/akashgit/VEEGAN
    """

    players = {"generator": ("generator", "reconstructor"), "discriminator": ("discriminator",)}
    averaged = kept = ("generator", "reconstructor")

    def __init__(
        self,
        generator=None,
        discriminator=None,
        reconstructor=None,
        *,
        image_shape=(28, 28, 1),
        latent_dim=100,
        generator_objective=algorithm_1_generator_loss,
        **kwargs,
    ):
        if generator is None and discriminator is None and reconstructor is None:
            generator = build_generator(image_shape, latent_dim)
            discriminator = build_discriminator(image_shape, latent_dim)
            reconstructor = build_reconstructor(image_shape, latent_dim)
        check_networks(generator, discriminator, judged=latents_and_images)
        if reconstructor is not None or discriminator is not None:
            check_encoder("reconstructor", reconstructor, generator.output_shape[1:], generator.input_shape[-1])
        if not callable(generator_objective):
            raise ConfigurationError(
                "Expected generator_objective to be a function such as "
                f"keras_gans.models.veegan.notebook_generator_loss. Received: {generator_objective!r}."
            )
        super().__init__(
            generator=generator,
            discriminator=discriminator,
            reconstructor=reconstructor,
            **noise_to_images(generator),
            **kwargs,
        )
        self.generator_objective = generator_objective

    def discriminator_loss(self, real, fake, training=True):
        """The loss on the pairs [F(x), x] and [z, G(z)]; the generated ones are the positive class."""
        return minimax_discriminator_loss(self.score(fake, training), self.score(real, training))

    def generator_loss(self, real, fake, reconstructed, training=True):
        """The loss of the generator and the reconstructor, on the same pairs and F(G(z))."""
        return self.generator_objective(lambda pair: self.score(pair, training), real, fake, reconstructed)

    def pass_through(self, latents, images, training=True):
        """G(z), F(G(z)) and F(x): all that the generator and the reconstructor make in a step."""
        fake = self.generator(latents, training=training)
        return [fake, self.reconstructor(fake, training=training), self.reconstructor(images, training=training)]

    def train_step(self, data):
        *first, images = self.shares(self.encode_batch(data)["images"])
        for share in first:
            latents = self.latents_like(share)
            fake, encoded = self.generator(latents, training=True), self.reconstructor(share, training=True)
            self.minimize("discriminator", self.discriminator_loss, [encoded, share], [latents, fake])
        latents = self.latents_like(images)
        # All gradients are at the same weights: the discriminator's inputs are made before any network is updated, and
        # the discriminator is updated last.
        made = self.record_pass(lambda: self.pass_through(latents, images))

        def generator_loss(made):
            fake, reconstructed, encoded = made
            return self.generator_loss([encoded, images], [latents, fake], reconstructed)

        g_loss = self.minimize("generator", generator_loss, made)
        fake, _, encoded = made.outputs
        d_loss = self.minimize("discriminator", self.discriminator_loss, [encoded, images], [latents, fake])
        return self.log(d_loss=d_loss, g_loss=g_loss)

    def batch_losses(self, images):
        latents = self.latents_like(images, training=False)
        fake, reconstructed, encoded = self.pass_through(latents, images, training=False)
        real, fake = [encoded, images], [latents, fake]
        return {
            "d_loss": self.discriminator_loss(real, fake, training=False),
            "g_loss": self.generator_loss(real, fake, reconstructed, training=False),
        }

    def encode(self, images):
        """The latents F(x) of images.

        Args:
            images: uint8, or floats in [-1, 1], (N, height, width, channels).

        Returns:
            float32 (N, latent_dim).

        Raises:
            ConfigurationError: a model without a reconstructor.
            DataError: images that do not fit the model.
        """
        return encode_images(self, "reconstructor", images)

    def reconstruct(self, images):
        """Reconstructions of images, G(F(x)), with averaged weights where there are any.

        Args:
            images: see `encode`.

        Returns:
            uint8 (N, height, width, channels).

        Raises:
            ConfigurationError, DataError: see `encode`.
        """
        made = self.predict(self.encode(images), verbose=0)
        return ops.convert_to_numpy(self.output_fields["images"].decode(made))

    def paper_optimizers(self):
        return {player: FusedAdam(1e-3, beta_1=0.7) for player in self.players}

    def get_config(self):
        return {
            **super().get_config(),
            "reconstructor": self.reconstructor and keras.saving.serialize_keras_object(self.reconstructor),
            "generator_objective": keras.saving.serialize_keras_object(self.generator_objective),
        }
