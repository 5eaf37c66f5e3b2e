"""GRAN: Im, Kim, Jiang and Memisevic, 2016, "Generating images with recurrent adversarial networks",
https://arxiv.org/abs/1602.05110; code: https://github.com/jiwoongim/GRAN

Generator, with a decoder f and an encoder g whose weights all steps t = 1 .. T share:
    h_z = tanh(W z),  h_t = g(C_(t-1)),  C_t = f(h_z, h_t)          (h_1 = 0)
    G(z) = sigmoid(C_1 + ... + C_T)
The encoder sees what the last step added, not the canvas. There is one sigmoid, at the end.

Objective, for the final images:
    discriminator: E[softplus(-d(x))] + E[softplus(d(G(z)))] + l2_weight / 2 |w|^2      (d: logit)
    generator:     E[softplus(-d(G(z)))]                                                (non-saturating)
with the kernels w of the discriminator's dense layers. Gradients go back through all steps.

Schedule: the discriminator is updated on real images and on generated ones; then the generator is updated on the same
latents, scored by the updated discriminator. With `discriminator_steps=k` the batch is split among k discriminator
updates, each with its own latents.

Departures from the paper:
- the generator is updated on the latents of the last discriminator update; the published code draws new ones;
- batch norm uses the batch's statistics at each step, as in the published code, and moving averages of each step for
  sampling (momentum 0.9, epsilon 1e-5); the published code samples with the batch's statistics as well;
- with one step there is no encoder: the model is a DCGAN. The dense layer of (h_z, h_t) is the sum of one layer for
  each;
- all steps share one draw of noise by default, as in the published code, which draws T of them and uses the first;
  `build_generator(same_noise=False)` draws one for each step;
- the decoder's maps get wider towards the smallest, and the discriminator's get narrower, as in the published code;
  by default both have equally many filters, where the code's discriminator has fewer;
- layers before batch norm have no bias, and initial weights are Glorot's, uniform: both are our choice.
"""

import keras
import numpy as np
from keras import layers, ops

from keras_gans import engine, sampling
from keras_gans.errors import ConfigurationError
from keras_gans.fields import check_image_shape, noise_to_images
from keras_gans.images import grid
from keras_gans.layers import FusedBatchNormalization, StepBatchNormalization
from keras_gans.losses import non_saturating_discriminator_loss, non_saturating_generator_loss
from keras_gans.model import AdversarialModel
from keras_gans.networks.checks import check_networks
from keras_gans.optimizers import FusedAdam
from keras_gans.penalties import l2_penalty
from keras_gans_core.checks import is_number, is_whole

CANVAS = "canvas"  # followed by the step's number, the name of the generator's layer that holds the sum so far


def _stages(image_shape):
    """How often an image can be halved before a side is odd or less than 4: 2 at 28x28, 3 at 32x32."""
    height, width, _ = image_shape
    stages = 0
    while height % 2 == width % 2 == 0 and min(height, width) >= 8:
        height, width, stages = height // 2, width // 2, stages + 1
    if stages == 0:
        raise ConfigurationError(
            f"Expected a height and width that are even and 8 or more. Received: image_shape={tuple(image_shape)}. "
            "Resize the images, for instance to 28x28 or 32x32."
        )
    return stages


def _conv(kind, filters, name, **options):
    """A convolution that halves a map, or a transposed one that doubles it."""
    return kind(filters, 5, strides=2, padding="same", name=name, **options)


def build_generator(
    image_shape=(28, 28, 1), latent_dim=100, *, steps=5, base_filters=128, code_size=100, same_noise=True
):
    """The paper's recurrent generator: a decoder and an encoder that take turns.

    Args:
        image_shape: (height, width, channels), both sizes even and 8 or more; 28x28 has two stages, 32x32 three.
        latent_dim: size of a step's noise.
        steps: how often the decoder adds to the canvas, 1 or more.
        base_filters: channels of the largest hidden map; each smaller one has twice as many. The published code has
            128 at 28x28 and 256 at 32x32.
        code_size: width of h_z and of the encoder's output.
        same_noise: whether all steps have the same noise. If not, there are steps * latent_dim latents.

    Returns:
        A Keras model, latents to images (N, height, width, channels) in [-1, 1]. Its layers "canvas0", "canvas1", ...
        are the sums after each step.

    Raises:
        ConfigurationError: no steps, or sizes that cannot be halved.
    """
    check_image_shape(image_shape)
    if not is_whole(steps, 1):
        raise ConfigurationError(f"Expected steps of 1 or more. Received: {steps!r}.")
    stages, draws = _stages(image_shape), 1 if same_noise else steps
    height, width, channels = image_shape
    smallest = (height >> stages, width >> stages, base_filters << (stages - 1))
    units = smallest[0] * smallest[1] * smallest[2]

    noise = layers.Dense(code_size, use_bias=False, name="noise")
    noise_norm = StepBatchNormalization(draws, name="noise_norm")
    from_noise, from_code = (layers.Dense(units, use_bias=False, name=f"project_{name}") for name in ("noise", "code"))
    project_norm = StepBatchNormalization(steps, name="project_norm")
    up = [
        (
            _conv(layers.Conv2DTranspose, base_filters << (stages - 2 - i), f"up{i}", use_bias=False),
            StepBatchNormalization(steps, name=f"up{i}_norm"),
        )
        for i in range(stages - 1)
    ]
    to_image = _conv(layers.Conv2DTranspose, channels, "to_image", dtype="float32")
    down = [_conv(layers.Conv2D, base_filters << i, f"down{i}", activation="relu") for i in range(stages)]
    code = layers.Dense(code_size, use_bias=False, name="code")
    code_norm = StepBatchNormalization(max(1, steps - 1), name="code_norm")  # unused where there is one step
    relu, tanh = layers.ReLU(name="relu"), layers.Activation("tanh", name="tanh")
    reshape, flatten = layers.Reshape(smallest, name="reshape"), layers.Flatten(name="flatten")

    latents = keras.Input((draws * latent_dim,), name="latents")
    drawn = layers.Reshape((draws, latent_dim), name="draws")(latents)
    hidden = []
    for t in range(draws):
        z = flatten(layers.Cropping1D((t, draws - 1 - t), name=f"noise{t}")(drawn))
        hidden.append(from_noise(tanh(noise_norm(noise(z), step=t))))
    added, canvases = [], []
    for t in range(steps):
        x = hidden[t % draws]
        if t > 0:
            y = added[-1]
            for layer in down:
                y = layer(y)
            h = tanh(code_norm(code(flatten(y)), step=t - 1))
            x = layers.Add(name=f"hidden{t}")([x, from_code(h)])
        x = reshape(relu(project_norm(x, step=t)))
        for layer, norm in up:
            x = relu(norm(layer(x), step=t))
        added.append(to_image(x))
        named = {"name": f"{CANVAS}{t}", "dtype": "float32"}
        canvases.append(layers.Add(**named)([canvases[-1], added[-1]]) if t else layers.Identity(**named)(added[0]))
    x = layers.Activation("sigmoid", dtype="float32", name="sigmoid")(canvases[-1])
    images = layers.Rescaling(2.0, offset=-1.0, dtype="float32", name="images")(x)
    return keras.Model(latents, images, name="generator")


def build_discriminator(image_shape=(28, 28, 1), *, base_filters=128, units=100):
    """The published discriminator: convolutions that halve the map, then a dense layer.

    Args:
        image_shape: see `build_generator`.
        base_filters: channels of the smallest map; each larger one has twice as many. The published code at 28x28 has
            40, with a generator of 128.
        units: width of the dense layer.

    Returns:
        A Keras model, images to logits (N, 1).

    Raises:
        ConfigurationError: sizes that cannot be halved.
    """
    check_image_shape(image_shape)
    stages = _stages(image_shape)
    images = keras.Input(image_shape, name="images")
    x = layers.Rescaling(0.5, offset=0.5, name="rescale")(images)  # pixels in [0, 1]
    for i in range(stages):
        x = _conv(layers.Conv2D, base_filters << (stages - 1 - i), f"down{i}", use_bias=False)(x)
        x = FusedBatchNormalization(momentum=0.9, epsilon=1e-5, name=f"down{i}_norm")(x)
        x = layers.ReLU(name=f"down{i}_relu")(x)
    x = layers.Activation("tanh", name="tanh")(layers.Dense(units, name="dense")(layers.Flatten(name="flatten")(x)))
    return keras.Model(images, layers.Dense(1, dtype="float32", name="logits")(x), name="discriminator")


@keras.saving.register_keras_serializable(package="keras_gans")
class GRAN(AdversarialModel):
    """Recurrent GAN: an image is the sum of what a decoder adds to a canvas, step after step.

    Args:
        generator: a network with layers named "canvas0", "canvas1", ..., as `build_generator` makes it. These layers
            hold the sums so far; the sigmoid of the last is the image.
        discriminator: images to one logit (N, 1). With neither network, the paper's for `image_shape`, `latent_dim`
            and `steps`.
        image_shape: (height, width, channels) of the default networks.
        latent_dim: latents of the default generator.
        steps: of the default generator, 1 or more; 1 makes a DCGAN.
        l2_weight: weight of the L2 penalty on the kernels w of the discriminator's dense layers, 0 or more. The
            penalty's gradient is l2_weight * w.
        discriminator_steps, ema_decay, seed: see `AdversarialModel`.

    Raises:
        ConfigurationError: numbers out of range, sizes that cannot be halved, a generator without canvases, or networks
            that do not fit each other.

    Example:

    >>> gan = kg.GRAN(image_shape=(28, 28, 1), steps=3)
    >>> gan.compile()
    >>> gan.generate(4, seed=0).shape, gan.canvases(4, seed=0).shape
    ((4, 28, 28, 1), (4, 3, 28, 28, 1))

    Reference: Im et al., 2016, https://arxiv.org/abs/1602.05110
    """

    def __init__(
        self,
        generator=None,
        discriminator=None,
        *,
        image_shape=(28, 28, 1),
        latent_dim=100,
        steps=5,
        l2_weight=5e-6,
        **kwargs,
    ):
        if generator is None and discriminator is None:
            filters = 32 << _stages(image_shape)  # 128 at 28x28, 256 at 32x32, where the smallest map has 1024
            generator = build_generator(image_shape, latent_dim, steps=steps, base_filters=filters)
            discriminator = build_discriminator(image_shape, base_filters=filters)
        if not is_number(l2_weight, 0.0):
            raise ConfigurationError(f"Expected an l2_weight of 0 or more. Received: {l2_weight!r}.")
        check_networks(generator, discriminator)
        super().__init__(generator=generator, discriminator=discriminator, **noise_to_images(generator), **kwargs)
        self.l2_weight = l2_weight
        self.real_target = self.add_weight(shape=(), initializer="ones", trainable=False, name="real_target")
        if self.steps == 0:
            raise ConfigurationError(
                f"Expected a generator with layers named {CANVAS}0, {CANVAS}1, ..., as "
                f"keras_gans.models.gran.build_generator makes it. Received the layers: "
                f"{', '.join(layer.name for layer in generator.layers)}."
            )

    @property
    def steps(self):
        """How often the generator adds to the canvas."""
        names = {layer.name for layer in self.generator.layers}
        return next(t for t in range(len(names) + 1) if f"{CANVAS}{t}" not in names)

    # The game

    def discriminator_loss(self, real, fake, training=True):
        kernels = [layer.kernel for layer in self.discriminator.layers if isinstance(layer, layers.Dense)]
        adversarial = non_saturating_discriminator_loss(
            self.score(real, training), self.score(fake, training), self.real_target
        )
        return adversarial + self.l2_weight * l2_penalty(kernels)

    def generator_loss(self, fake, training=True):
        return non_saturating_generator_loss(self.score(fake, training))

    def train_step(self, data):
        for real in self.shares(self.encode_batch(data)["images"]):
            fake = self.record(self.latents_like(real))
            d_loss = self.minimize("discriminator", self.discriminator_loss, real, fake.outputs)
        g_loss = self.minimize("generator", self.generator_loss, fake)
        return self.log(d_loss=d_loss, g_loss=g_loss)

    def paper_optimizers(self):
        return {"generator": FusedAdam(1e-4), "discriminator": FusedAdam(4e-5)}

    # The canvas

    def canvases(self, n=None, seed=None, **inputs):
        """The canvas after each step of the images that `generate(n, seed, **inputs)` makes.

        Args:
            n, seed, inputs: see `generate`.

        Returns:
            uint8 (n, steps, height, width, channels): the sigmoid of the sums so far. The last canvas is the image, up
            to rounding by one grey level.

        Raises:
            ConfigurationError: impossible n, seed or inputs.

        Example:

        >>> gan = kg.GRAN(build_generator((8, 8, 1), 4, steps=3, base_filters=4))
        >>> gan.canvases(seed=[5, 6]).shape
        (2, 3, 8, 8, 1)
        """
        noise = sampling.complete_inputs(self, n, seed, inputs)["noise"]
        names = [f"{CANVAS}{t}" for t in range(self.steps)]
        network = keras.Model(self.generator.input, [self.generator.get_layer(name).output for name in names])

        def canvases_of(inputs):
            with self.averages_in_use():
                sums = keras.tree.flatten(network(self.prior(inputs["noise"]), training=False))
            return {
                name: self.output_fields["images"].decode(2.0 * ops.sigmoid(canvas) - 1.0)
                for name, canvas in zip(names, sums)
            }

        inputs = {"noise": noise}
        made = sampling.gathered(engine.function(canvases_of), inputs, sampling.batch_size(self, inputs))
        return np.stack([made[name] for name in names], axis=1)

    def picture_of_canvases(self, canvases):
        """One picture of `canvases`: a row for each image, its steps from left to right.

        Args:
            canvases: uint8 (n, steps, height, width, channels).

        Returns:
            uint8 (n * height, steps * width, channels).
        """
        return grid(canvases.reshape(-1, *canvases.shape[2:]), columns=canvases.shape[1])
