"""CoGAN: Liu and Tuzel, 2016, "Coupled generative adversarial networks", https://arxiv.org/abs/1606.07536; code:
https://github.com/mingyuliutw/CoGAN

Objective, for domains k = 1, 2 with generators g_k of the same z, logits f_k and unpaired images x_k:
    discriminators: mean over k of  E[softplus(-f_k(x_k))] + E[softplus(f_k(g_k(z)))]
    generators:     mean over k of  E[softplus(-f_k(g_k(z)))]               (non-saturating)
Each also has l2_weight / 2 |w|^2 of the player's weights, which the logs leave out. The generators share all layers but
the last, and the discriminators all layers but the first: the domains share the content, and each has its own
appearance. Nothing else makes the images of a pair belong together.

Schedule: the discriminators are updated on images of both domains and on pairs from fresh latents; then the generators
on fresh latents. With `discriminator_steps=k` the batch is split among k updates of the discriminators.

Departures from the paper:
- the losses are means over the domains, not sums as in the paper: the published code joins both domains' batches;
- there is one logit; the published code has two and a softmax. The one logit is their difference;
- there is no bias before batch normalization, which would cancel it;
- the networks, optimizers and the normal prior are those of the published PyTorch code for MNIST; the Caffe code has
  U(-1, 1), dropout and batches of 128. Its networks for faces and the adaptation of a classifier to another domain are
  left out.
"""

import keras
from keras import initializers, layers, ops

from keras_gans.data.unpaired import edges, two_domains
from keras_gans.errors import ConfigurationError
from keras_gans.fields import Images, Noise, check_image_shape
from keras_gans.layers import FusedBatchNormalization
from keras_gans.losses import non_saturating_discriminator_loss, non_saturating_generator_loss
from keras_gans.model import AdversarialModel
from keras_gans.networks.checks import check_built, check_discriminator, check_generator, check_image_range
from keras_gans.optimizers import FusedAdam
from keras_gans.penalties import l2_penalty
from keras_gans.sampling import in_order
from keras_gans_core.checks import is_number

DOMAINS = ("first", "second")


def _xavier():
    return {
        "kernel_initializer": initializers.VarianceScaling(2.0, "fan_avg", "uniform"),
        "bias_initializer": initializers.Constant(0.1),
    }


def _prelu(name, rank):
    """One slope for all maps or units, as in PyTorch's PReLU."""
    return layers.PReLU(initializers.Constant(0.25), shared_axes=list(range(1, rank)), name=name)


def _normalised(x, name):
    x = FusedBatchNormalization(momentum=0.9, epsilon=1e-5, center=False, scale=False, name=f"{name}_norm")(x)
    return _prelu(f"{name}_prelu", 4)(x)


def build_generators(image_shape=(28, 28, 1), latent_dim=100, *, filters=(1024, 512, 256, 128)):
    """The generators for MNIST: transposed convolutions that both domains share, then one for each domain.

    The first shared one makes the smallest map; each later one enlarges a map from n to 2 n - 1 pixels per side. The
    last ones, with 6x6 kernels at 28x28, add the missing pixels.

    Args:
        image_shape: (height, width, channels) of an image of either domain.
        latent_dim: size of the latents of a pair.
        filters: channels of the shared maps, the smallest map first; one or more.

    Returns:
        A list of three Keras models: latents (N, latent_dim) to maps; maps to images of the first domain, in [-1, 1];
        maps to images of the second.

    Raises:
        ConfigurationError: no filters.
    """
    check_image_shape(image_shape)
    if len(filters) == 0:
        raise ConfigurationError("Expected filters for one common map or more. Received: none.")
    height, width, channels = image_shape
    doublings = len(filters) - 1
    smallest = [((side - 1) >> doublings) + 1 for side in (height, width)]
    largest = [((side - 1) << doublings) + 1 for side in smallest]
    latents = keras.Input((latent_dim,), name="latents")
    x = layers.Reshape((1, 1, latent_dim), name="reshape")(latents)
    x = layers.Conv2DTranspose(filters[0], smallest, use_bias=False, name="project", **_xavier())(x)
    x = _normalised(x, "project")
    for i, count in enumerate(filters[1:]):
        x = layers.Conv2DTranspose(count, 3, strides=2, use_bias=False, name=f"up{i}", **_xavier())(x)
        x = layers.Cropping2D(1, name=f"up{i}_crop")(x)  # PyTorch's padding of 1: 2 n + 1 becomes 2 n - 1
        x = _normalised(x, f"up{i}")
    common = keras.Model(latents, x, name="common")
    size = [side - there + 3 for side, there in zip((height, width), largest)]

    def own(domain):
        maps = keras.Input(common.output_shape[1:], name="maps")
        x = layers.Conv2DTranspose(channels, size, name="pixels", **_xavier())(maps)
        x = layers.Cropping2D(1, name="crop")(x)
        x = layers.Activation("sigmoid", dtype="float32", name="sigmoid")(x)
        return keras.Model(maps, layers.Rescaling(2.0, offset=-1.0, dtype="float32", name="images")(x), name=domain)

    return [common, *map(own, DOMAINS)]


def build_discriminators(image_shape=(28, 28, 1), *, filters=(20, 50), units=500, kernel_size=5):
    """The discriminators for MNIST: a convolution for each domain, then layers that both share.

    Args:
        image_shape: (height, width, channels) of an image of either domain.
        filters: channels of the two convolutions.
        units: width of the dense layer.
        kernel_size: of both convolutions, which have no padding; the map after each is halved.

    Returns:
        A list of three Keras models: images of the first domain to maps; images of the second to maps; maps to logits
        (N, 1).

    Raises:
        ConfigurationError: images that are too small for the convolutions.
    """
    check_image_shape(image_shape)
    if min(((side - kernel_size + 1) // 2 - kernel_size + 1) // 2 for side in image_shape[:2]) < 1:
        raise ConfigurationError(
            f"Expected images large enough for two convolutions of {kernel_size}x{kernel_size} and two halvings. "
            f"Received: image_shape={tuple(image_shape)}. Resize the images, or pass a smaller kernel_size."
        )

    def own(domain):
        images = keras.Input(image_shape, name="images")
        x = layers.Rescaling(0.5, offset=0.5, name="rescale")(images)  # pixels in [0, 1]
        return keras.Model(images, layers.Conv2D(filters[0], kernel_size, name="conv", **_xavier())(x), name=domain)

    each = [own(domain) for domain in DOMAINS]
    maps = keras.Input(each[0].output_shape[1:], name="maps")
    x = layers.MaxPooling2D(2, name="pool0")(maps)
    x = layers.Conv2D(filters[1], kernel_size, name="conv", **_xavier())(x)
    x = layers.Flatten(name="flatten")(layers.MaxPooling2D(2, name="pool1")(x))
    x = _prelu("dense_prelu", 2)(layers.Dense(units, name="dense", **_xavier())(x))
    logit = layers.Dense(1, dtype="float32", name="logit", **_xavier())(x)
    return [*each, keras.Model(maps, logit, name="common")]


@keras.saving.register_keras_serializable(package="keras_gans")
class CoGAN(AdversarialModel):
    """Coupled GANs: pairs of images of two domains, such as a digit and its edges, learned from unpaired images.

    `fit` and `evaluate` take images of both domains under the names "first" and "second", as `kg.data.two_domains` and
    `kg.data.UnpairedBatches` give them. Images at the same index of a batch need not belong together. `generate`
    returns {"first": images, "second": images}, uint8, where images at the same index belong together.

    Args:
        generators: three networks: latents (N, latent_dim) to maps, and maps to images in [-1, 1], one for each domain.
        discriminators: three networks: images to maps, one for each domain, and maps to logits (N, 1). With neither,
            the published ones for MNIST, for `image_shape`.
        image_shape: (height, width, channels) of an image of the default networks.
        latent_dim: latents of the default generators.
        l2_weight: weight of the L2 penalty on all weights w, 0 or more; the penalty's gradient is l2_weight w.
        discriminator_steps, ema_decay, seed: see `AdversarialModel`.

    Raises:
        ConfigurationError: a weight below 0, or networks that do not fit each other.

    Example:

    >>> gan = kg.CoGAN(image_shape=(28, 28, 1))
    >>> gan.compile()
    >>> pairs = gan.generate(4, seed=0)
    >>> pairs["first"].shape, pairs["second"].shape
    ((4, 28, 28, 1), (4, 28, 28, 1))

    Reference: Liu and Tuzel, 2016, https://arxiv.org/abs/1606.07536; code: https://github.com/mingyuliutw/CoGAN
    """

    players = {"generator": ("generators",), "discriminator": ("discriminators",)}
    averaged = kept = ("generators",)

    def __init__(
        self,
        generators=None,
        discriminators=None,
        *,
        image_shape=(28, 28, 1),
        latent_dim=100,
        l2_weight=5e-4,
        **kwargs,
    ):
        if generators is None and discriminators is None:
            generators, discriminators = build_generators(image_shape, latent_dim), build_discriminators(image_shape)
        if not is_number(l2_weight, 0.0):
            raise ConfigurationError(f"Expected an l2_weight of 0 or more. Received: {l2_weight!r}.")
        _check_networks(generators, discriminators)
        common, *each = generators
        images = {domain: Images(network.output_shape[1:]) for domain, network in zip(DOMAINS, each)}
        super().__init__(
            generators=generators,
            discriminators=discriminators,
            batch_fields=images,
            input_fields={"noise": Noise(common.input_shape[-1])},
            output_fields=images,
            **kwargs,
        )
        self.l2_weight = l2_weight
        self.real_target = self.add_weight(shape=(), initializer="ones", trainable=False, name="real_target")
        for player in self.players:
            self.penalties[player]["l2"] = lambda player=player: (
                self.l2_weight * l2_penalty(self.player_variables(player))
            )

    def pairs(self, latents, training=True):
        """The images of both domains, a list of two, that the generators make from latents."""
        common, *each = self.generators
        maps = common(latents, training=training)
        return [network(maps, training=training) for network in each]

    def compute_outputs(self, inputs, training=False):
        (latents,) = in_order(inputs, self.input_fields)
        return dict(zip(DOMAINS, self.pairs(latents, training)))

    # The game

    def score(self, pair, training=True):
        """The logits, float32 (N, 2), of a list of two: images of the first domain and images of the second."""
        *each, common = self.discriminators
        logits = [common(network(images, training=training), training=training) for network, images in zip(each, pair)]
        return ops.cast(ops.concatenate(logits, axis=1), "float32")

    def discriminator_loss(self, real, fake, training=True):
        """The loss on real and generated images, each a list of two domains: the mean over the domains."""
        return non_saturating_discriminator_loss(
            self.score(real, training), self.score(fake, training), self.real_target
        )

    def generator_loss(self, fake, training=True):
        return non_saturating_generator_loss(self.score(fake, training))

    def train_step(self, data):
        batch = self.encode_batch(data)
        for first, second in self.shares(batch["first"], batch["second"]):
            fake = self.pairs(self.latents_like(first))
            d_loss = self.minimize("discriminator", self.discriminator_loss, [first, second], fake)
        latents = self.latents_like(first)
        g_loss = self.minimize("generator", self.generator_loss, self.record_pass(lambda: self.pairs(latents)))
        return self.log(d_loss=d_loss, g_loss=g_loss)

    def batch_losses(self, first, second):
        fake = self.pairs(self.latents_like(first, training=False), training=False)
        return {
            "d_loss": self.discriminator_loss([first, second], fake, training=False),
            "g_loss": self.generator_loss(fake, training=False),
        }

    def batch_scores(self, first, second):
        """The logits (N, 2) of real and of generated images, a column for each domain, in inference mode."""
        fake = self.pairs(self.latents_like(first, training=False), training=False)
        return self.score([first, second], training=False), self.score(fake, training=False)

    def paper_optimizers(self):
        return {player: FusedAdam(2e-4, beta_1=0.5, epsilon=1e-8) for player in self.players}

    # Data

    @classmethod
    def load_data(cls, source, *, change=edges, labels=False, **options):
        """`UnpairedBatches` for `fit`, by default images and the edges of other images; see `kg.data.two_domains`."""
        if labels:
            raise ConfigurationError(f"Expected no labels: a CoGAN learns from images alone. Received: {labels!r}.")
        return two_domains(source, change, **options)


def _check_networks(generators, discriminators):
    """Refuses anything but three generators and three discriminators that fit each other.

    The discriminators may be None, as in the zoo.
    """
    for name, networks in (("generators", generators), ("discriminators", discriminators)):
        if name == "discriminators" and networks is None:
            return
        if not isinstance(networks, (list, tuple)) or len(networks) != 3:
            raise ConfigurationError(
                f"Expected {name} as a list of three networks, such as keras_gans.models.cogan.build_{name} makes. "
                f"Received: {networks!r}."
            )
        for network in networks:
            check_built(f"each of the {name}", network)
        if name == "generators":
            common, *each = networks
            check_generator(common)
            for domain, network in zip(DOMAINS, each):
                if network.input_shape != common.output_shape or len(network.output_shape) != 4:
                    raise ConfigurationError(
                        f"Expected a generator of the {domain} domain that makes images (N, height, width, channels) "
                        f"from the common generator's maps {common.output_shape}. Received: one from "
                        f"{network.input_shape} to {network.output_shape}."
                    )
                check_image_range(f"the generator of the {domain} domain", network)
    *each, common = discriminators
    for domain, judge, maker in zip(DOMAINS, each, generators[1:]):
        if judge.input_shape != maker.output_shape:
            raise ConfigurationError(
                f"Expected a discriminator of the {domain} domain that takes what the generator makes, "
                f"{maker.output_shape}. Received: one for {judge.input_shape}."
            )
        check_discriminator(common, judge.output_shape[1:])
