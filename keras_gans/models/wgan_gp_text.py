"""WGAN-GP's language model of characters: Gulrajani, Ahmed, Arjovsky, Dumoulin and Courville, 2017, "Improved training
of Wasserstein GANs", https://arxiv.org/abs/1704.00028

Objective, where x are one-hot rows of a line's characters and G(z) are rows of probabilities. The critic sees them as
they are, neither sampled nor rounded:
    critic:    E[f(G(z))] - E[f(x)] + gp_weight E[(|grad f(x')|_2 - 1)^2]     (eq. 3)
    generator: -E[f(G(z))]
with x' = e x + (1 - e) G(z) and e ~ U[0, 1], one for each line. The norm is over all positions and characters of a
line.

Schedule: `discriminator_steps` updates of the critic, each on fresh lines and fresh noise; then one update of the
generator on fresh noise. The published code makes 10 updates of the critic; a comment there says that 5 work too.
A batch is split among the critic's updates, so the paper's batch size of 64 is 10 * 64 here.

Departures from the paper:
- the published code updates the generator before the critic, and not in the first iteration;
- the critic has no bias in its last two layers, where the difference of two means cancels it;
- initial weights are our choice: He's in the blocks and Glorot's elsewhere, both uniform;
- characters are ids of one byte, 256 at most; the published code keeps the 2048 most frequent.
"""

import keras
from keras import layers, ops

from keras_gans.data.text import load_text
from keras_gans.errors import ConfigurationError
from keras_gans.fields import ALPHABET, Noise, Tokens, check_alphabet
from keras_gans.losses import wasserstein_discriminator_loss, wasserstein_generator_loss
from keras_gans.model import AdversarialModel
from keras_gans.networks.checks import check_networks
from keras_gans.optimizers import FusedAdam
from keras_gans.penalties import gradient_penalty, refuse_batch_norm
from keras_gans_core.checks import is_number


def _residual_block(x, width, *, bias=True):
    """x + 0.3 (ReLU - conv - ReLU - conv), both convolutions with kernels of five characters."""
    changed = x
    for use_bias in (True, bias):
        changed = layers.Conv1D(width, 5, padding="same", use_bias=use_bias, kernel_initializer="he_uniform")(
            layers.ReLU()(changed)
        )
    return layers.Add()([x, layers.Rescaling(0.3)(changed)])


def build_generator(length, vocabulary, latent_dim=128, *, width=512, blocks=5):
    """The paper's generator of text: residual blocks over the positions of a line, then a softmax over the characters.

    Args:
        length: characters per line; the paper's is 32.
        vocabulary: how many characters there are, the padding included.
        latent_dim: size of the latents.
        width: channels of every block.
        blocks: how many, 1 or more.

    Returns:
        A Keras model, (N, latent_dim) to (N, length, vocabulary), rows of probabilities.
    """
    latents = keras.Input((latent_dim,), name="latents")
    x = layers.Reshape((length, width))(layers.Dense(length * width, name="project")(latents))
    for _ in range(blocks):
        x = _residual_block(x, width)
    x = layers.Conv1D(vocabulary, 1, name="to_characters")(x)
    return keras.Model(latents, layers.Softmax(dtype="float32", name="rows")(x), name="generator")


def build_discriminator(length, vocabulary, *, width=512, blocks=5):
    """The paper's critic of text: a convolution over single characters, then residual blocks.

    Args:
        length, vocabulary, width, blocks: see `build_generator`.

    Returns:
        A Keras model, rows (N, length, vocabulary) to scores (N, 1).
    """
    rows = keras.Input((length, vocabulary), name="rows")
    x = layers.Conv1D(width, 1, name="from_characters")(rows)
    for block in range(blocks):
        x = _residual_block(x, width, bias=block < blocks - 1)
    x = layers.Dense(1, use_bias=False, dtype="float32", name="scores")(layers.Flatten()(x))
    return keras.Model(rows, x, name="discriminator")


@keras.saving.register_keras_serializable(package="keras_gans")
class WGANGPText(AdversarialModel):
    """Wasserstein GAN with gradient penalty for lines of text, generated as a whole, not character by character.

    `fit` and `evaluate` take character ids (N, length), as `kg.data.load_text` makes them. `generate` returns ids,
    uint8 (n, length), of the most probable characters, and `generate_text` returns lines.

    In the logs, `d_loss` is the critic's whole loss at the last of a step's updates, and `gp` is the penalty in that
    loss without its weight, so -(d_loss - gp_weight * gp) estimates the Wasserstein distance, E[f(x)] - E[f(G(z))].

    Args:
        generator, discriminator: networks. The generator ends in rows of probabilities (N, length, vocabulary). The
            discriminator is a critic of such rows without batch normalization. With neither, the paper's.
        length: characters per line of the default networks.
        latent_dim: latents of the default generator.
        alphabet: the characters, of which the first is the padding; by default a backtick, then the rest of printable
            ASCII.
        gp_weight: weight of the gradient penalty, 0 or more.
        discriminator_steps, ema_decay, seed: see `AdversarialModel`.

    Raises:
        ConfigurationError: an alphabet of another size than the networks', a critic with batch normalization, or
            networks that do not fit each other.

    Example:

    >>> lines = ["all flesh is grass", "and all the goodliness thereof", "is as the flower of the field"]
    >>> data = kg.data.load_text(lines, length=16, batch_size=3)
    >>> alphabet = data.about["alphabet"]
    >>> sizes = {"width": 8, "blocks": 1}
    >>> gan = kg.WGANGPText(
    ...     build_generator(16, len(alphabet), **sizes),
    ...     build_discriminator(16, len(alphabet), **sizes),
    ...     alphabet=alphabet,
    ...     discriminator_steps=3,
    ... )
    >>> gan.compile()
    >>> history = gan.fit(data, verbose=0)
    >>> len(gan.generate_text(4, seed=0))
    4

    Reference: Gulrajani et al., 2017, https://arxiv.org/abs/1704.00028; code:
    https://github.com/igul222/improved_wgan_training (gan_language.py)
    """

    log_names = ("d_loss", "g_loss", "gp")

    def __init__(
        self,
        generator=None,
        discriminator=None,
        *,
        length=32,
        latent_dim=128,
        alphabet=ALPHABET,
        gp_weight=10.0,
        discriminator_steps=10,
        **kwargs,
    ):
        check_alphabet(alphabet)
        if generator is None and discriminator is None:
            generator = build_generator(length, len(alphabet), latent_dim)
            discriminator = build_discriminator(length, len(alphabet))
        if not is_number(gp_weight, 0.0):
            raise ConfigurationError(f"Expected a gp_weight of 0 or more. Received: {gp_weight!r}.")
        check_networks(generator, discriminator)
        if generator.output_shape[2:] != (len(alphabet),):
            raise ConfigurationError(
                "Expected a generator of rows (N, length, vocabulary) with a vocabulary as large as the alphabet. "
                f"Received: {generator.output_shape} and {len(alphabet)} characters."
            )
        if discriminator is not None:
            refuse_batch_norm(discriminator)
        tokens = Tokens(generator.output_shape[1], alphabet)
        super().__init__(
            generator=generator,
            discriminator=discriminator,
            discriminator_steps=discriminator_steps,
            batch_fields={"tokens": tokens},
            input_fields={"noise": Noise(generator.input_shape[-1])},
            output_fields={"tokens": tokens},
            **kwargs,
        )
        self.length, self.alphabet, self.gp_weight = tokens.length, alphabet, gp_weight

    # The game

    def loss_and_penalty(self, real, fake, training=True):
        """The critic's loss, eq. 3, and the penalty in it without the weight: a vector of two."""
        between = self.uniform_like(real, training)
        penalty = gradient_penalty(lambda rows: self.score(rows, training), real, fake, between)
        wasserstein = wasserstein_discriminator_loss(self.score(real, training), self.score(fake, training))
        return ops.stack([wasserstein + self.gp_weight * penalty, penalty])

    def discriminator_loss(self, real, fake, training=True):
        return self.loss_and_penalty(real, fake, training)[0]

    def generator_loss(self, fake, training=True):
        return wasserstein_generator_loss(self.score(fake, training))

    def train_step(self, data):
        for real in self.shares(self.encode_batch(data)["tokens"]):
            fake = self.generator(self.latents_like(real), training=True)
            d_loss, gp = ops.unstack(self.minimize("discriminator", self.loss_and_penalty, real, fake))
        g_loss = self.minimize("generator", self.generator_loss, self.record(self.latents_like(real)))
        return self.log(d_loss=d_loss, g_loss=g_loss, gp=gp)

    def batch_losses(self, tokens):
        return super().batch_losses(tokens)

    def batch_scores(self, tokens):
        return super().batch_scores(tokens)

    def paper_optimizers(self):
        return {player: FusedAdam(1e-4, beta_1=0.5, beta_2=0.9) for player in self.players}

    # Lines

    @property
    def image_shape(self):
        """(length, characters) of the rows that the networks see: the size that a card shows."""
        return self.length, len(self.alphabet)

    def text(self, tokens):
        """The lines that ids (N, length) stand for, a list of strings."""
        return self.output_fields["tokens"].text(tokens)

    def generate_text(self, n=None, seed=None):
        """New lines: `text(generate(n, seed))`."""
        return self.text(self.generate(n, seed))

    @classmethod
    def load_data(cls, source, *, image_size=None, channels=None, labels=False, **options):
        """`Batches` for `fit`; see `kg.data.load_text`."""
        if image_size is not None:
            raise ConfigurationError(f"Expected no image_size: text has none. Received: {image_size}. Leave it out.")
        if channels is not None:
            raise ConfigurationError(f"Expected no channels: text has none. Received: {channels}. Leave them out.")
        if labels:
            raise ConfigurationError(f"Expected no labels: text has none. Received: {labels!r}. Leave them out.")
        return load_text(source, **options)

    @classmethod
    def for_data(cls, dataset, **options):
        """The paper's networks for the length and the alphabet of what `load_data` returned."""
        return cls(length=dataset.about["length"], alphabet=dataset.about["alphabet"], **options)

    @property
    def hyper_parameters(self):
        shown = self.alphabet.encode("unicode_escape").decode()  # a card takes no control characters
        return {**super().hyper_parameters, "alphabet": shown}
