"""CycleGAN: Zhu, Park, Isola and Efros, 2017, "Unpaired image-to-image translation using cycle-consistent adversarial
networks", https://arxiv.org/abs/1703.10593

Objective, for images a and b of two domains, G from A to B and F from B to A (d_A, d_B: scores, one for each patch):
    discriminators: (E[(d_B(b) - 1)^2] + E[d_B(G(a))^2]) / 2 + (E[(d_A(a) - 1)^2] + E[d_A(F(b))^2]) / 2
    generators:     E[(d_B(G(a)) - 1)^2] + E[(d_A(F(b)) - 1)^2]
                    + cycle_weight (E|F(G(a)) - a| + E|G(F(b)) - b|)
                    + cycle_weight identity_weight (E|G(b) - b| + E|F(a) - a|)

with means over patches and pixels, cycle_weight = 10 and identity_weight = 0.5.

Schedule: each step translates a batch of both domains there and back once. Both generators are updated together, judged
by both discriminators, then both discriminators, on real images and on translations that went through a pool of 50
earlier ones for each domain. With `discriminator_steps=k` the batch is split among k updates of the discriminators.

The paper trains for 100 epochs at a learning rate of 2e-4 and lowers it to zero in 100 more, with one image of each
domain per batch. `phases` sets this for any number of epochs, and so does `keras-gans train`; with `compile()` alone
the rate is constant, because it does not know the length of the training.

Departures from the paper:
- the identity term is used in all tasks, as in the authors' PyTorch code; the paper uses it only for painting to
  photo. `identity_weight=0` leaves it out;
- order of updates: as in the authors' PyTorch code. Their Torch code updates G, d_B, F, d_A one after the other;
- instance normalization has no gamma and beta, as in the PyTorch code; the convolutions before it have no bias, which
  it would remove: in the PyTorch code they have one, without effect;
- convolutions with stride 2 put their border pixel below and to the right, and the transposed ones remove it there;
  PyTorch's do so above and to the left;
- images smaller than 64x64 have a PatchGAN with fewer layers: our choice.
"""

import keras
from keras import initializers, layers, ops

from keras_gans.data.pair_batches import DIRECTIONS, check_direction
from keras_gans.data.pairs import load_unpaired
from keras_gans.errors import ConfigurationError
from keras_gans.fields import Images, check_image_shape
from keras_gans.layers import ImagePool, InstanceNormalization, ReflectionPadding2D
from keras_gans.losses import least_squares_discriminator_loss, least_squares_generator_loss
from keras_gans.model import AdversarialModel
from keras_gans.networks.checks import check_built, check_image_range, check_logits
from keras_gans.networks.patch import build_patch_discriminator
from keras_gans.optimizers import FusedAdam, LinearDecay
from keras_gans_core.checks import is_number, is_whole


def blocks_for(image_shape):
    """How many residual blocks the paper uses for images of a given size: 9 from 256x256 on, 6 below.

    >>> blocks_for((256, 256, 3)), blocks_for((128, 128, 3))
    (9, 6)
    """
    return 9 if min(image_shape[:2]) >= 256 else 6


def build_generator(image_shape=(256, 256, 3), made_shape=None, *, filters=64, blocks=None):
    """The paper's translator: c7s1-64, d128, d256, residual blocks R256, u128, u64, c7s1-3.

    Args:
        image_shape: (height, width, channels) of the images that it translates.
        made_shape: of those that it makes, as large; None for `image_shape`.
        filters: channels of the first convolution.
        blocks: residual blocks, 1 or more; None for `blocks_for(image_shape)`.

    Returns:
        A Keras model, images to images in [-1, 1].

    Raises:
        ConfigurationError: a height or width that is not a multiple of 4, or below 8.

    Example:

    >>> build_generator((16, 16, 3), filters=4, blocks=2).output_shape
    (None, 16, 16, 3)
    """
    made_shape = image_shape if made_shape is None else made_shape
    for shape in (image_shape, made_shape):
        check_image_shape(shape)
    if any(side % 4 or side < 8 for side in image_shape[:2]) or tuple(made_shape[:2]) != tuple(image_shape[:2]):
        near = sorted({max(side // 4 + up, 2) * 4 for side in image_shape[:2] for up in (0, 1)})
        raise ConfigurationError(
            "Expected a height and a width that are multiples of 4, 8 or more, and the same for both domains, such as "
            f"{' and '.join(map(str, near))}. Received: {tuple(image_shape)} and {tuple(made_shape)}. Resize the "
            "images."
        )
    blocks = blocks_for(image_shape) if blocks is None else blocks
    if not is_whole(blocks, 1):
        raise ConfigurationError(f"Expected 1 residual block or more. Received: {blocks!r}.")
    options = {"kernel_initializer": initializers.RandomNormal(0.0, 0.02), "use_bias": False}

    def reflected(x, channels, size, name, bias=False):
        x = ReflectionPadding2D(size // 2, name=f"{name}_border")(x)
        return layers.Conv2D(channels, size, name=name, **{**options, "use_bias": bias})(x)

    def normalised(x, name, relu=True):
        x = InstanceNormalization(name=f"{name}_norm")(x)
        return layers.ReLU(name=f"{name}_act")(x) if relu else x

    images = keras.Input(image_shape, name="images")
    x = normalised(reflected(images, filters, 7, "first"), "first")
    for i in (1, 2):
        x = layers.Conv2D(filters * 2**i, 3, 2, padding="same", name=f"down{i}", **options)(x)
        x = normalised(x, f"down{i}")
    for i in range(blocks):
        y = normalised(reflected(x, 4 * filters, 3, f"block{i}a"), f"block{i}a")
        y = normalised(reflected(y, 4 * filters, 3, f"block{i}b"), f"block{i}b", relu=False)
        x = layers.Add(name=f"block{i}")([x, y])
    for i in (2, 1):
        x = layers.Conv2DTranspose(filters * i, 3, 2, padding="same", name=f"up{i}", **options)(x)
        x = normalised(x, f"up{i}")
    x = reflected(x, made_shape[-1], 7, "last", bias=True)
    return keras.Model(images, layers.Activation("tanh", dtype="float32", name="made")(x), name="generator")


@keras.saving.register_keras_serializable(package="keras_gans")
class CycleGAN(AdversarialModel):
    """Translates images between two domains, learned without pairs: `translate(images, direction="AtoB")`.

    `fit` takes batches {"a": images, "b": images}, as `kg.data.load_unpaired` returns them. `generate(a=images)` makes
    images of B, `generate(b=images)` images of A, and `generate(a=..., b=...)` a dict of both. On TensorFlow's replicas
    the pools keep the translations of the first replica.

    Args:
        generator_ab, generator_ba: Keras models, images of A to images of B, and back.
        discriminator_a, discriminator_b: Keras models, images of one domain to scores (N, h, w, 1). Without any, the
            paper's for `image_shape`.
        image_shape: (height, width, channels) of the default networks, of both domains.
        cycle_weight: weight of the distance between images and their translations there and back, 0 or more.
        identity_weight: weight of the distance between images and their translations into their own domain, as a share
            of `cycle_weight`, 0 or more; 0 saves two passes.
        pool_size: translations of earlier steps that are kept for each discriminator; 0 keeps none.
        discriminator_steps, ema_decay, seed: see `AdversarialModel`.

    Raises:
        ConfigurationError: sizes that are not multiples of 4, weights out of range, or networks that do not match.

    Example:

    >>> model = kg.CycleGAN(image_shape=(16, 16, 1), pool_size=4)
    >>> model.compile()
    >>> model.translate(np.zeros((2, 16, 16, 1), "uint8"), direction="BtoA").shape
    (2, 16, 16, 1)

    Reference: Zhu et al., 2017, https://arxiv.org/abs/1703.10593; code:
    https://github.com/junyanz/pytorch-CycleGAN-and-pix2pix
    """

    players = {
        "generator": ("generator_ab", "generator_ba"),
        "discriminator": ("discriminator_a", "discriminator_b"),
    }
    averaged = kept = ("generator_ab", "generator_ba")
    log_names = ("d_loss", "g_loss", "cycle_loss")
    optional_inputs = ("a", "b")
    ways = {"AtoB": ("a",), "BtoA": ("b",)}

    def __init__(
        self,
        generator_ab=None,
        generator_ba=None,
        discriminator_a=None,
        discriminator_b=None,
        *,
        image_shape=(256, 256, 3),
        cycle_weight=10.0,
        identity_weight=0.5,
        pool_size=50,
        **kwargs,
    ):
        for name, weight in (("cycle_weight", cycle_weight), ("identity_weight", identity_weight)):
            if not is_number(weight, 0.0):
                raise ConfigurationError(f"Expected {name} of 0 or more. Received: {weight!r}.")
        if not is_whole(pool_size, 0):
            raise ConfigurationError(f"Expected a pool_size of 0 or more. Received: {pool_size!r}.")
        networks = (generator_ab, generator_ba, discriminator_a, discriminator_b)
        if all(network is None for network in networks):
            builders = build_generator, build_generator, build_patch_discriminator, build_patch_discriminator
            networks = [build(image_shape) for build in builders]
        _check_networks(*networks, identity_weight)
        generator_ab, generator_ba, discriminator_a, discriminator_b = networks
        fields = {"a": Images(generator_ba.output_shape[1:]), "b": Images(generator_ab.output_shape[1:])}
        super().__init__(
            generator_ab=generator_ab,
            generator_ba=generator_ba,
            discriminator_a=discriminator_a,
            discriminator_b=discriminator_b,
            batch_fields=fields,
            input_fields=fields,
            output_fields=fields,
            **kwargs,
        )
        self.cycle_weight, self.identity_weight, self.pool_size = cycle_weight, identity_weight, pool_size
        if pool_size and discriminator_a is not None and discriminator_b is not None:
            self.pool_a = ImagePool(pool_size, fields["a"].shape, name="pool_a")
            self.pool_b = ImagePool(pool_size, fields["b"].shape, name="pool_b")

    # The game

    def translations(self, a, b, training=True):
        """[G(a), F(b), F(G(a)), G(F(b))], followed by [G(b), F(a)] if the identity term is used."""
        ab, ba = self.generator_ab, self.generator_ba
        made_b, made_a = ab(a, training=training), ba(b, training=training)
        cycled = [ba(made_b, training=training), ab(made_a, training=training)]
        same = [ab(b, training=training), ba(a, training=training)] if self.identity_weight > 0 else []
        return [made_b, made_a, *cycled, *same]

    def discriminator_loss(self, a, b, made_a, made_b, training=True):
        return sum(
            least_squares_discriminator_loss(judge(real, training=training), judge(made, training=training))
            for judge, real, made in ((self.discriminator_a, a, made_a), (self.discriminator_b, b, made_b))
        )

    def generator_loss(self, a, b, translations, training=True):
        """The weighted sum of the losses, and the cycle distance; `translations` is the result of `translations()`."""
        made_b, made_a, cycled_a, cycled_b, *same = translations
        # Twice, because the loss of the least squares GAN is half a square.
        adversarial = 2.0 * least_squares_generator_loss(self.discriminator_b(made_b, training=training))
        adversarial += 2.0 * least_squares_generator_loss(self.discriminator_a(made_a, training=training))
        cycle = distance(cycled_a, a) + distance(cycled_b, b)
        identity = distance(same[0], b) + distance(same[1], a) if same else 0.0
        total = adversarial + self.cycle_weight * (cycle + self.identity_weight * identity)
        return ops.stack([total, cycle])

    def train_step(self, data):
        batch = self.encode_batch(data)
        a, b = batch["a"], batch["b"]
        made = self.record_pass(lambda: self.translations(a, b))
        losses = self.minimize("generator", lambda made: self.generator_loss(a, b, made), made)
        made_b, made_a = made.outputs[:2]
        if self.pool_size:
            made_a = self.pool_a(made_a, self.uniform((ops.shape(made_a)[0], 2)))
            made_b = self.pool_b(made_b, self.uniform((ops.shape(made_b)[0], 2)))
        for share in self.shares(a, b, made_a, made_b):
            d_loss = self.minimize("discriminator", self.discriminator_loss, *share)
        return self.log(d_loss=d_loss, g_loss=losses[0], cycle_loss=losses[1])

    def batch_losses(self, a, b):
        translations = self.translations(a, b, training=False)
        g_loss, cycle_loss = ops.unstack(self.generator_loss(a, b, translations, training=False), 2)
        made_b, made_a = translations[:2]
        d_loss = self.discriminator_loss(a, b, made_a, made_b, training=False)
        return {"d_loss": d_loss, "g_loss": g_loss, "cycle_loss": cycle_loss}

    def batch_scores(self, a, b):
        """The mean score of each image, of both domains."""
        made_b, made_a = self.generator_ab(a, training=False), self.generator_ba(b, training=False)

        def scores(a, b):
            maps = self.discriminator_a(a, training=False), self.discriminator_b(b, training=False)
            return ops.concatenate([ops.mean(ops.cast(logits, "float32"), axis=(1, 2, 3)) for logits in maps])

        return scores(a, b), scores(made_a, made_b)

    def paper_optimizers(self):
        return {player: FusedAdam(2e-4, beta_1=0.5, epsilon=1e-8) for player in self.players}

    def phases(self, dataset, epochs):
        """One phase with the paper's rate for its length: constant for half of the epochs, then down to zero."""
        self.compile(
            *(
                FusedAdam(LinearDecay(2e-4, updates, epochs - epochs // 2, epochs // 2), beta_1=0.5, epsilon=1e-8)
                for updates in (len(dataset), len(dataset) * self.discriminator_steps)
            )
        )
        return super().phases(dataset, epochs)

    # Translating

    def compute_outputs(self, inputs, training=False):
        """{"b": G(a)}, {"a": F(b)} or both, for encoded images {"a": ...}, {"b": ...} or both."""
        made = {}
        if "b" in inputs:
            made["a"] = self.generator_ba(inputs["b"], training=training)
        if "a" in inputs:
            made["b"] = self.generator_ab(inputs["a"], training=training)
        return made

    def translate(self, images, direction="AtoB"):
        """Translates images of one domain to the other.

        Args:
            images: images of the domain that the direction begins with, (N, height, width, channels), or one image.
            direction: "AtoB" or "BtoA".

        Returns:
            uint8 (N, height, width, channels).

        Raises:
            ConfigurationError: another direction.
            DataError: images of another size.
        """
        return self.generate(**{check_direction(direction, DIRECTIONS)[0].lower(): images})

    # Data

    @classmethod
    def load_data(cls, source, *, labels=False, classes=None, target_classes=None, **options):
        """`CroppedDomains` for `fit`; see `kg.data.load_unpaired`."""
        if labels or classes or target_classes:
            received = f"labels={labels!r}, classes={classes!r}, target_classes={target_classes!r}"
            raise ConfigurationError(
                f"Expected no labels and no label maps: a CycleGAN learns only from images. Received: {received}."
            )
        return load_unpaired(source, **options)


def distance(images, targets):
    """The mean absolute difference of images, over all pixels and channels.

    >>> float(distance(np.zeros((1, 2, 2, 1)), np.full((1, 2, 2, 1), -0.5)))
    0.5
    """
    return ops.mean(ops.abs(ops.cast(images, "float32") - ops.cast(targets, "float32")))


def _check_networks(generator_ab, generator_ba, discriminator_a, discriminator_b, identity_weight):
    for name, network in (("generator_ab", generator_ab), ("generator_ba", generator_ba)):
        check_built(name, network)
        if isinstance(network.input_shape, list) or len(network.input_shape) != 4 or len(network.output_shape) != 4:
            raise ConfigurationError(
                f"Expected {name} to map images to images. Received: one for {network.input_shape}."
            )
        check_image_range(name, network)
    if generator_ab is generator_ba:
        raise ConfigurationError("Expected two generators. Received: one network as both. Build a second one.")
    shapes = {"a": generator_ba.output_shape[1:], "b": generator_ab.output_shape[1:]}
    taken = {"a": generator_ab.input_shape[1:], "b": generator_ba.input_shape[1:]}
    if taken != shapes:
        raise ConfigurationError(
            f"Expected generators that each take what the other makes. Received: generator_ab from {taken['a']} "
            f"to {shapes['b']} and generator_ba from {taken['b']} to {shapes['a']}."
        )
    if identity_weight > 0 and shapes["a"] != shapes["b"]:
        raise ConfigurationError(
            f"Expected domains of one shape, for the identity term. Received: {shapes['a']} and {shapes['b']}. Pass "
            "identity_weight=0."
        )
    for domain, discriminator in (("a", discriminator_a), ("b", discriminator_b)):
        if discriminator is None:
            continue
        check_built(f"discriminator_{domain}", discriminator)
        if discriminator.input_shape[1:] != shapes[domain] or discriminator.output_shape[-1] != 1:
            raise ConfigurationError(
                f"Expected a discriminator_{domain} that maps images {shapes[domain]} to one score per patch, "
                f"(N, h, w, 1). Received: one from {discriminator.input_shape} to {discriminator.output_shape}."
            )
        check_logits(discriminator)
