"""Unrolled GAN: Metz, Poole, Pfau and Sohl-Dickstein, 2017, "Unrolled generative adversarial networks",
https://arxiv.org/abs/1611.02163

Objective, with logits d and the discriminator's weights w:
    L(G, w):       E[softplus(-d(x))] + E[softplus(d(G(z)))]
    discriminator: L(G, w)
    generator:     -L(G, w_K)
where w_0 = w, and w_(k+1) is w_k after an update of the discriminator's optimizer on L(G, w_k), on the same images and
latents. The K = `unrolled_steps` updates have moments and bias correction, which start from the optimizer's state. The
generator's gradient passes through the images in L(G, w_K) and through all K updates, each a function of the images.

Schedule: one step of both players, with gradients at the same weights on the same images and latents. The discriminator
takes one ordinary step from w, not from w_K, and only that step advances its optimizer's moments. With
`discriminator_steps=k` the batch is split, and k - 1 updates of the discriminator come first.

Unrolling does not change the discriminator's non-trainable state. The K losses and the generator's loss all start
from the same moving averages and the same seeds, so that L is one function with one dropout mask. Only the ordinary
step moves that state.

Departures from the paper:
- the objective, schedule and networks for points follow the first author's published notebook, not the paper's
  appendix;
- points are images of shape (1, 1, 2) in [-1, 1];
- the networks for other images are DCGAN's at half its width, which is our choice;
- a learning rate that is a schedule is read once per step, not for each unrolled update;
- callbacks' penalties enter the discriminator's ordinary step but not the unrolled ones;
- each of several replicas unrolls on its own share of the batch.
"""

import keras
from keras import initializers, layers, ops

from keras_gans import engine
from keras_gans.errors import ConfigurationError
from keras_gans.fields import check_image_shape, noise_to_images
from keras_gans.losses import minimax_discriminator_loss
from keras_gans.model import AdversarialModel
from keras_gans.networks import dcgan
from keras_gans.networks.checks import check_networks
from keras_gans.optimizers import FusedAdam, optimizer_of
from keras_gans_core.checks import is_whole


def _dense(units, activation=None, **kwargs):
    return layers.Dense(units, activation=activation, kernel_initializer=initializers.Orthogonal(1.4), **kwargs)


def build_generator(image_shape=(1, 1, 2), latent_dim=256, *, units=128):
    """The notebook's generator for points: two hidden layers with tanh, then unbounded outputs.

    Args:
        image_shape: (height, width, channels); (1, 1, 2) for points in the plane.
        latent_dim: size of the latents.
        units: width of both hidden layers.

    Returns:
        A Keras model, (N, latent_dim) to (N, height, width, channels).
    """
    check_image_shape(image_shape)
    latents = x = keras.Input((latent_dim,), name="latents")
    for i in range(2):
        x = _dense(units, "tanh", name=f"hidden{i}")(x)
    height, width, channels = image_shape
    x = _dense(height * width * channels, dtype="float32", name="points")(x)
    return keras.Model(latents, layers.Reshape(image_shape, dtype="float32", name="images")(x), name="generator")


def build_discriminator(image_shape=(1, 1, 2), *, units=128):
    """The notebook's discriminator for points: two hidden layers with tanh, then one logit.

    Args:
        image_shape: (height, width, channels).
        units: width of both hidden layers.

    Returns:
        A Keras model, images to logits (N, 1).
    """
    check_image_shape(image_shape)
    images = keras.Input(image_shape, name="images")
    x = layers.Flatten(name="flatten")(images)
    for i in range(2):
        x = _dense(units, "tanh", name=f"hidden{i}")(x)
    return keras.Model(images, _dense(1, dtype="float32", name="logits")(x), name="discriminator")


@keras.saving.register_keras_serializable(package="keras_gans")
class UnrolledGAN(AdversarialModel):
    """GAN whose generator looks `unrolled_steps` updates of the discriminator ahead.

    `evaluate` and validation do not unroll: their g_loss is -d_loss.

    Args:
        generator, discriminator: networks; the discriminator's operations must be twice differentiable. With neither,
            the notebook's for points where `image_shape` is one pixel, and DCGAN's otherwise.
        image_shape: (height, width, channels) of the default networks.
        latent_dim: latents of the default generator.
        unrolled_steps: how many updates the generator looks ahead, K; 0 is the plain minimax game.
        discriminator_steps, ema_decay, seed: see `AdversarialModel`.

    Raises:
        ConfigurationError: a number of steps below 0, or networks that do not fit each other; in `compile`, an
            optimizer of the discriminator whose update cannot be unrolled.

    Example:

    >>> gan = kg.UnrolledGAN(image_shape=(1, 1, 2), unrolled_steps=5)
    >>> gan.compile()
    >>> points, _ = kg.data.toys.ring(512, radius=0.9)
    >>> history = gan.fit(points.reshape(-1, 1, 1, 2), batch_size=512, verbose=0)
    >>> gan.predict(gan.noise(4, seed=0), verbose=0).shape
    (4, 1, 1, 2)

    Reference: Metz et al., 2017, https://arxiv.org/abs/1611.02163; code: https://github.com/poolio/unrolled_gan
    """

    def __init__(
        self,
        generator=None,
        discriminator=None,
        *,
        image_shape=(1, 1, 2),
        latent_dim=256,
        unrolled_steps=5,
        **kwargs,
    ):
        if generator is None and discriminator is None:
            if tuple(image_shape[:2]) == (1, 1):
                generator, discriminator = build_generator(image_shape, latent_dim), build_discriminator(image_shape)
            else:
                generator = dcgan.build_generator(image_shape, latent_dim, base_filters=32)
                discriminator = dcgan.build_discriminator(image_shape, base_filters=32)
        if not is_whole(unrolled_steps, 0):
            raise ConfigurationError(f"Expected unrolled_steps of 0 or more. Received: {unrolled_steps!r}.")
        check_networks(generator, discriminator)
        super().__init__(generator=generator, discriminator=discriminator, **noise_to_images(generator), **kwargs)
        self.unrolled_steps = unrolled_steps
        self.real_target = self.add_weight(shape=(), initializer="ones", trainable=False, name="real_target")

    def compile(self, g_optimizer=None, d_optimizer=None, **kwargs):
        """As `AdversarialModel.compile`, with `keras.optimizers.Adam` or `SGD` for the discriminator.

        Raises:
            ConfigurationError: see there; or another optimizer, or one that clips, decays or averages.
        """
        if d_optimizer is not None and self.unrolled_steps > 0:
            d_optimizer = optimizer_of("d_optimizer", d_optimizer)
            _check_unrollable(_inner(d_optimizer))
        super().compile(g_optimizer, d_optimizer, **kwargs)

    def discriminator_loss(self, real, fake, training=True):
        return minimax_discriminator_loss(self.score(real, training), self.score(fake, training), self.real_target)

    def discriminator_loss_at(self, weights, real, fake):
        """The discriminator's training loss as a function of its trainable weights. No variable changes.

        Args:
            weights: tensors, one for each of the discriminator's trainable variables.
            real, fake: images.

        Returns:
            A float32 scalar.
        """
        state = [variable.value for variable in self.discriminator.non_trainable_variables]
        real_logits, state = self.discriminator.stateless_call(weights, state, real, training=True)
        fake_logits, _ = self.discriminator.stateless_call(weights, state, fake, training=True)
        return minimax_discriminator_loss(real_logits, fake_logits, self.real_target)

    def unrolled_weights(self, real, fake):
        """The discriminator's weights after `unrolled_steps` updates, w_K, as functions of the images.

        Args:
            real, fake: images, the same for each update.

        Returns:
            Tensors, one for each of the discriminator's trainable variables, which do not change.
        """
        optimizer, variables = _inner(self.d_optimizer), self.discriminator.trainable_variables
        weights = [ops.convert_to_tensor(variable.value) for variable in variables]
        if self.unrolled_steps == 0:  # any optimizer works, even one that cannot be unrolled
            return weights
        update, moments = _moments(optimizer, variables)
        scale = ops.cast(self.d_optimizer.scale_loss(1.0), "float32")  # float16's gradients need large losses here too
        for k in range(self.unrolled_steps):
            slopes = engine.input_gradients(
                lambda *weights: scale * self.discriminator_loss_at(weights, real, fake), weights
            )
            slopes = [ops.cast(slope, "float32") / scale for slope in slopes]
            steps, moments = update(optimizer, k, slopes, moments)
            weights = [
                variable.constraint(weight + step) if variable.constraint is not None else weight + step
                for variable, weight, step in zip(variables, weights, steps)
            ]
        return weights

    def generator_loss(self, real, fake):
        return -self.discriminator_loss_at(self.unrolled_weights(real, fake), real, fake)

    def train_step(self, data):
        *earlier, real = self.shares(self.encode_batch(data)["images"])
        for share in earlier:
            fake = self.generator(self.latents_like(share), training=True)
            self.minimize("discriminator", self.discriminator_loss, share, fake)
        # Images are generated before either player is updated, and the generator is updated first: both gradients are
        # at the same weights.
        fake = self.record(self.latents_like(real))
        g_loss = self.minimize("generator", lambda fake: self.generator_loss(real, fake), fake)
        d_loss = self.minimize("discriminator", self.discriminator_loss, real, fake.outputs)
        return self.log(d_loss=d_loss, g_loss=g_loss)

    def batch_losses(self, images):
        """The losses of an encoded batch in inference mode, without unrolling."""
        fake = self.generator(self.latents_like(images, training=False), training=False)
        d_loss = self.discriminator_loss(images, fake, training=False)
        return {"d_loss": d_loss, "g_loss": -d_loss}

    def paper_optimizers(self):
        return {
            "generator": FusedAdam(1e-3, beta_1=0.5, epsilon=1e-8),
            "discriminator": FusedAdam(1e-4, beta_1=0.5, epsilon=1e-8),
        }


# An optimizer's update as expressions of the gradients: what is added to each weight, and the moments afterwards.


def _inner(optimizer):
    return optimizer.inner_optimizer if isinstance(optimizer, keras.optimizers.LossScaleOptimizer) else optimizer


def _moments(optimizer, variables):
    """The optimizer's update function, and its current moments of `variables`."""
    if isinstance(optimizer, keras.optimizers.Adam):
        update, slots = _adam, [optimizer._momentums, optimizer._velocities]
    else:
        update, slots = _sgd, [optimizer.momentums] if optimizer.momentum else []
    places = [optimizer._get_variable_index(variable) for variable in variables]
    return update, [[ops.convert_to_tensor(slot[i].value) for i in places] for slot in slots]


def _adam(optimizer, k, slopes, moments):
    """Kingma and Ba, 2014, algorithm 1 as rearranged at the end of section 2: update k + 1 from now."""
    beta_1, beta_2 = optimizer.beta_1, optimizer.beta_2
    step = ops.cast(optimizer.iterations + k + 1, "float32")
    rate = optimizer.learning_rate * ops.sqrt(1.0 - ops.power(beta_2, step)) / (1.0 - ops.power(beta_1, step))
    momenta = [m + (1.0 - beta_1) * (g - m) for m, g in zip(moments[0], slopes)]
    velocities = [v + (1.0 - beta_2) * (ops.square(g) - v) for v, g in zip(moments[1], slopes)]
    return [-rate * m / (_root(v) + optimizer.epsilon) for m, v in zip(momenta, velocities)], [momenta, velocities]


def _root(x):
    """The square root with a slope of 0 at 0: the infinite slope would turn a weight without gradient into NaN."""
    positive = x > 0.0
    return ops.where(positive, ops.sqrt(ops.where(positive, x, 1.0)), 0.0)


def _sgd(optimizer, k, slopes, moments):
    """Gradient descent, with momentum or Nesterov's, in Keras's form."""
    moves = [-optimizer.learning_rate * g for g in slopes]
    if not moments:
        return moves, moments
    momenta = [optimizer.momentum * m + move for m, move in zip(moments[0], moves)]
    if optimizer.nesterov:
        return [optimizer.momentum * m + move for m, move in zip(momenta, moves)], [momenta]
    return momenta, [momenta]


# Options that make an optimizer's update differ from the expressions above.
OPTIONS = (
    "amsgrad",
    "clipnorm",
    "clipvalue",
    "global_clipnorm",
    "weight_decay",
    "gradient_accumulation_steps",
    "ema_overwrite_frequency",
    "loss_scale_factor",
)


def _check_unrollable(optimizer):
    used = [f"{name}={getattr(optimizer, name)!r}" for name in OPTIONS if getattr(optimizer, name, None)]
    if not isinstance(optimizer, (keras.optimizers.Adam, keras.optimizers.SGD)) or used:
        raise ConfigurationError(
            "Expected keras.optimizers.Adam or SGD as d_optimizer, without clipping, decay, accumulation or averaging, "
            f"since its updates are unrolled as expressions. Received: {type(optimizer).__name__}({', '.join(used)}). "
            "Use a plain Adam or SGD, or unrolled_steps=0."
        )
