"""StackGAN++ (StackGAN-v2): Zhang, Xu, Li, Zhang, Wang, Huang and Metaxas, 2018, "StackGAN++: Realistic image synthesis
with stacked generative adversarial networks", https://arxiv.org/abs/1710.10916

A generator makes an image of a sentence at several scales, each from the features of the smaller one. A discriminator
for each scale i judges whether an image is real, and whether it is real and shows the sentence.

Objective, for images x_i, sentences t, images w_i with other sentences, and generated images f_i = G_i(z, c):
    m, s = conditioner(text_encoder(t)),    c = m + exp(s / 2) e,    z, e ~ N(0, I)    (conditioning augmentation)
    discriminators: sum_i  E[softplus(-d_i(x_i, m))] + E[softplus(d_i(w_i, m))] + E[softplus(d_i(f_i, m))]
                      + u (E[softplus(-d_i(x_i))] + E[softplus(-d_i(w_i))] + E[softplus(d_i(f_i))])
    generator:      sum_i  E[softplus(-d_i(f_i, m))] + u E[softplus(-d_i(f_i))]
                    + kl_weight KL + color_weight sum_(i > 1) (E[(M_i - M_(i-1))^2] + 5 E[(C_i - C_(i-1))^2])
u = `unconditional_weight` = 1. KL = -E[1 + s - m^2 - exp(s)] / 2, a mean over all elements; kl_weight = 2. M_i and C_i
are the mean and the covariance of an image's colours. Those of the smaller image are constants. color_weight is 0 for
sentences, as in the code. With u = 0 there is no d_i(x), and the errors on wrong and generated images are halved.

Schedule: each step generates the batch's images once. All discriminators are updated on real, wrong and generated
images, in separate batches, then the generator and the conditioner on the same generated images, judged by the updated
discriminators. m is a constant for the discriminators; the generator's loss reaches the conditioner through it.
With `discriminator_steps=k` the batch is split among k discriminator updates.

The text encoder is trained before (`pretraining=True`), and is fixed in the game. For images i and sentences j of a
batch, with encodings v_i and t_j of length 1, it minimises over all pairs with other sentences (margin = 0.2)
    E[max(0, margin + v_i t_j - v_i t_i)] + E[max(0, margin + v_j t_i - v_i t_i)]
This is the joint embedding of Reed, Akata, Schiele and Lee, 2016, https://arxiv.org/abs/1605.05395

Departures from the papers:
- logits instead of probabilities, and so no saturated cross-entropy;
- one optimizer updates all discriminators. Adam treats each number apart, so that this is an optimizer for each;
- real images are made smaller by the mean of 2x2 pixels, and are mirrored, but not cropped, at random;
- the image with another sentence is the next one in the batch that has one; where a batch has none, these errors are
  left out. The papers take an image of another class;
- encodings have the length 1 in the joint embedding, which Reed's have not: long encodings of images would keep those
  of different sentences close together. The margin is 0.2 instead of 1 for this reason;
- text is encoded by word convolutions and their maximum over the sentence, images by convolutions that are trained at
  the same time; Reed's have characters, a recurrent network on top, and the features of a trained GoogLeNet;
- the form without sentences (c = z) is left out; other variants generate without;
- `r1_weight` is not the papers': it is R1 of Mescheder et al., 2018 (https://arxiv.org/abs/1801.04406), of the sum of
  both logits at each scale, added over the scales. These discriminators soon tell drawings from generated images: on
  faces the Frechet distance after 600 steps was 316 with a weight of 0.025 and 425 without it, in one training each.
"""

import keras
from keras import initializers, layers, ops

from keras_gans import engine, sampling
from keras_gans.data.captions import load_captions
from keras_gans.errors import ConfigurationError
from keras_gans.fields import Images, Noise, Prompts, check_image_shape
from keras_gans.layers import FusedBatchNormalization, GatedLinearUnit
from keras_gans.losses import cross_entropy
from keras_gans.model import AdversarialModel
from keras_gans.networks.checks import check_built, check_discriminator, check_encoder, check_image_range
from keras_gans.networks.heads import image_values
from keras_gans.optimizers import FusedAdam
from keras_gans.penalties import r1_penalty
from keras_gans.phases import Phase
from keras_gans_core.checks import is_number, is_whole


def sizes_of(image_shape, stages):
    """The (height, width) of every scale, the smallest first, and how often the smallest is halved to where a generator
    starts.

    Raises:
        ConfigurationError: sides that cannot be halved so often.

    Example:

    >>> sizes_of((64, 64, 3), 3), sizes_of((256, 256, 3), 3)
    (([(16, 16), (32, 32), (64, 64)], 2), ([(64, 64), (128, 128), (256, 256)], 4))
    """
    check_image_shape(image_shape)
    if not is_whole(stages, 1):
        raise ConfigurationError(f"Expected 1 stage or more. Received: stages={stages!r}.")
    height, width = image_shape[:2]
    if height % 2**stages or width % 2**stages:
        least = 2**stages
        near = "x".join(str(least * max(1, round(side / least))) for side in (height, width))
        raise ConfigurationError(
            f"Expected sides that are multiples of {least}, for {stages} stages. Received: {height}x{width}. Resize "
            f"the images, such as to {near}, or ask for fewer stages."
        )
    sizes = [(height >> i, width >> i) for i in reversed(range(stages))]
    (height, width), halvings = sizes[0], 1
    while min(height, width) >> halvings > 4 and not (height >> halvings) % 2 and not (width >> halvings) % 2:
        halvings += 1
    return sizes, halvings


def stages_for(image_shape):
    """The papers' three stages, or as many as the sides allow.

    >>> stages_for((64, 64, 3)), stages_for((28, 28, 1))
    (3, 2)
    """
    height, width = image_shape[:2]
    return next((n for n in (3, 2) if height % 2**n == 0 and width % 2**n == 0), 1)


def _conv(filters, size, name, strides=1, init="orthogonal"):
    return layers.Conv2D(filters, size, strides, padding="same", use_bias=False, kernel_initializer=init, name=name)


def _norm(name):
    gamma = initializers.RandomNormal(1.0, 0.02)
    return FusedBatchNormalization(momentum=0.9, epsilon=1e-5, gamma_initializer=gamma, name=name)


def _gated(x, filters, name):
    x = _norm(f"{name}_norm")(_conv(2 * filters, 3, f"{name}_conv")(x))
    return GatedLinearUnit(name=f"{name}_glu")(x)


def _up(x, filters, name):
    return _gated(layers.UpSampling2D(name=f"{name}_double")(x), filters, name)


def _residual(x, name):
    filters = x.shape[-1]
    y = _conv(filters, 3, f"{name}_conv1")(_gated(x, filters, name))
    return layers.Add(name=name)([x, _norm(f"{name}_norm1")(y)])


def _tiled(code, size, name):
    code = layers.Reshape((1, 1, code.shape[-1]), name=f"{name}_code")(code)
    return layers.UpSampling2D(size, name=f"{name}_tiled")(code)


def build_generator(
    image_shape=(256, 256, 3), *, stages=3, latent_dim=100, condition_dim=128, filters=64, blocks=2, overshoot=0.0
):
    """The paper's generator: maps of the smallest image, then for each larger one two residual blocks and a doubling.

    Args:
        image_shape: (height, width, channels) of the largest images; each smaller one has half the size.
        stages: how many scales.
        latent_dim, condition_dim: sizes of z and c.
        filters: channels of the smallest image's maps; each doubling before it has half as many as the one before, and
            so has each stage after it.
        blocks: residual blocks of a stage.
        overshoot: the tanh is multiplied by 1 + overshoot and clipped to [-1, 1], so that it reaches pure black and
            white.

    Returns:
        A Keras model, [z (N, latent_dim), c (N, condition_dim)] to a list of images, the smallest first.

    Raises:
        ConfigurationError: sides that cannot be halved so often.

    Example:

    >>> build_generator((32, 32, 3), stages=2, filters=4).output_shape
    [(None, 16, 16, 3), (None, 32, 32, 3)]
    """
    sizes, halvings = sizes_of(image_shape, stages)
    latents, code = keras.Input((latent_dim,), name="latents"), keras.Input((condition_dim,), name="code")
    height, width = (side >> halvings for side in sizes[0])
    start = filters << halvings
    x = layers.Concatenate(name="seen")([code, latents])
    x = layers.Dense(2 * start * height * width, use_bias=False, kernel_initializer="orthogonal", name="start_dense")(x)
    x = GatedLinearUnit(name="start_glu")(_norm("start_norm")(x))
    x = layers.Reshape((height, width, start), name="start")(x)
    for i in range(halvings):
        x = _up(x, start >> (i + 1), f"up{i}")
    images = [_image(x, image_shape[-1], 0, overshoot)]
    for stage, size in enumerate(sizes[:-1], 1):
        channels = x.shape[-1]
        x = layers.Concatenate(name=f"stage{stage}_seen")([_tiled(code, size, f"stage{stage}"), x])
        x = _gated(x, channels, f"stage{stage}_joint")
        for i in range(blocks):
            x = _residual(x, f"stage{stage}_block{i}")
        x = _up(x, max(1, channels // 2), f"stage{stage}_up")
        images.append(_image(x, image_shape[-1], stage, overshoot))
    return keras.Model([latents, code], images, name="generator")


def _image(x, channels, stage, overshoot):
    return image_values(_conv(channels, 3, f"image{stage}_conv")(x), overshoot, name=f"image{stage}")


def build_conditioner(text_dim=1024, condition_dim=128):
    """The network of conditioning augmentation: a dense layer and a gated linear unit.

    Returns:
        A Keras model, encoded sentences (N, text_dim) to (N, 2 condition_dim): the means, then the logarithms of the
        variances.
    """
    texts = keras.Input((text_dim,), name="texts")
    x = layers.Dense(4 * condition_dim, kernel_initializer="orthogonal", dtype="float32", name="dense")(texts)
    return keras.Model(texts, GatedLinearUnit(dtype="float32", name="glu")(x), name="conditioner")


def build_discriminators(image_shape=(256, 256, 3), *, stages=3, condition_dim=128, filters=64, unconditional=True):
    """The paper's discriminators, one for each scale.

    Args:
        image_shape, stages, condition_dim: see `build_generator`.
        filters: channels of the first map, which double with each halving.
        unconditional: whether each also judges the image without its sentence.

    Returns:
        A list of Keras models, the smallest scale first: [m (N, condition_dim), images] to logits (N, 2), of the image
        with its sentence and of the image alone; without the latter (N, 1).
    """
    sizes, halvings = sizes_of(image_shape, stages)
    last = filters << (halvings - 1)
    networks = []
    for stage, size in enumerate(sizes):
        means = keras.Input((condition_dim,), name="means")
        images = x = keras.Input((*size, image_shape[-1]), name="images")
        for i in range(halvings + stage):
            x = _conv(filters << i, 4, f"down{i}", strides=2)(x)
            x = x if i == 0 else _norm(f"down{i}_norm")(x)
            x = layers.LeakyReLU(0.2, name=f"down{i}_act")(x)
        for i in reversed(range(stage)):
            x = _norm(f"narrow{i}_norm")(_conv(last << i, 3, f"narrow{i}")(x))
            x = layers.LeakyReLU(0.2, name=f"narrow{i}_act")(x)
        seen = layers.Concatenate(name="seen")([_tiled(means, x.shape[1:3], "means"), x])
        joint = layers.LeakyReLU(0.2, name="joint_act")(_norm("joint_norm")(_conv(last, 3, "joint")(seen)))
        logits = [_logit(joint, "with_text")]
        if unconditional:
            logits.append(_logit(x, "alone"))
        logits = layers.Concatenate(dtype="float32", name="logits")(logits) if unconditional else logits[0]
        networks.append(keras.Model([means, images], logits, name=f"discriminator{stage}"))
    return networks


def _logit(x, name):
    """A convolution as large as the map."""
    return layers.Dense(1, kernel_initializer="orthogonal", dtype="float32", name=name)(
        layers.Flatten(name=f"{name}_flat")(x)
    )


def build_text_encoder(prompts, *, text_dim=128, word_dim=64, filters=128):
    """Word convolutions: each sees three words in a row, and the largest answer of the sentence counts. Encodings have
    the mean 0 and the variance 1, so that the game's networks see differences of sentences from the first step on.

    Args:
        prompts: the `Prompts` that it encodes.
        text_dim: size of an encoded sentence.
        word_dim: size of an encoded word.
        filters: of the convolutions.

    Returns:
        A Keras model, word ids int32 (N, length) to (N, text_dim).
    """
    ids = keras.Input(prompts.shape, dtype="int32", name="prompts")
    x = layers.Embedding(len(prompts.vocabulary) + 1, word_dim, name="words")(ids)
    x = layers.Conv1D(filters, 3, padding="same", activation="relu", name="conv")(x)
    x = layers.GlobalMaxPooling1D(name="largest")(x)
    x = layers.Dense(text_dim, dtype="float32", name="code")(x)
    x = layers.LayerNormalization(center=False, scale=False, dtype="float32", name="normalized")(x)
    return keras.Model(ids, x, name="text_encoder")


def build_image_encoder(image_shape, *, text_dim=128, filters=32):
    """Convolutions that halve an image to about 4x4, and a dense layer.

    Returns:
        A Keras model, images to (N, text_dim).
    """
    check_image_shape(image_shape)
    images = x = keras.Input(image_shape, name="images")
    i = 0
    while min(x.shape[1:3]) > 4:
        x = _conv(filters << i, 4, f"down{i}", strides=2, init="glorot_uniform")(x)
        x = layers.LeakyReLU(0.2, name=f"down{i}_act")(_norm(f"down{i}_norm")(x))
        i += 1
    x = layers.Flatten(name="flatten")(x)
    return keras.Model(images, layers.Dense(text_dim, dtype="float32", name="code")(x), name="image_encoder")


@keras.saving.register_keras_serializable(package="keras_gans")
class StackGAN(AdversarialModel):
    """Images of sentences: `generate(prompts=["a face with red hair"])`.

    It is trained in two phases, which `phases` lists. With `pretraining`, `fit` trains the text encoder, by a joint
    embedding of images and sentences. The model that `for_game` returns plays the game with it:

        data = kg.data.load_captions("photos/", image_size=(64, 64))
        gan = kg.StackGAN.for_data(data)
        gan.compile()
        gan.fit(data, epochs=20)
        gan = gan.for_game()
        gan.compile()
        gan.fit(data, epochs=100)

    Args:
        generator: Keras model, [latents, codes] to a list of images, each twice as large as the one before.
        conditioner: Keras model, encoded sentences to (N, 2 code size): means, and logarithms of variances.
        text_encoder: Keras model, word ids (N, length) to encoded sentences.
        discriminators: a list of Keras models, one for each scale, [means, images] to logits (N, 2); see
            `build_discriminators`. With none of these networks, the paper's for `image_shape` and `stages`.
        image_encoder: Keras model, the largest images to encodings of the sentences' size; for pretraining alone.
        prompts: the vocabulary and the length of sentences, `kg.fields.Prompts`.
        image_shape: (height, width, channels) of the largest images of the default networks.
        stages: how many scales the default networks have.
        latent_dim, condition_dim, text_dim: sizes of z, c and encoded sentences in the default networks.
        pretraining: whether `fit` trains the text encoder instead. The constructor sets the encoders' `trainable` to
            this.
        kl_weight, unconditional_weight, color_weight: see above, numbers of 0 or more.
        r1_weight: weight of the penalty on the discriminators' gradients at real images, 0 or more; 0, as in the paper,
            leaves it out. Its paper's gamma is twice that.
        margin: of the joint embedding, above 0 and below 2.
        discriminator_steps, ema_decay, seed: see `AdversarialModel`.

    Raises:
        ConfigurationError: networks that do not fit each other or the prompts, or numbers out of range.

    Example:

    >>> prompts = kg.fields.Prompts(["a", "face", "with", "red", "hair"], length=6)
    >>> gan = kg.StackGAN(prompts=prompts, image_shape=(32, 32, 3))
    >>> gan.generate(prompts=["a face", "red hair"], seed=0).shape
    (2, 32, 32, 3)

    Reference: Zhang et al., 2018, https://arxiv.org/abs/1710.10916; code: https://github.com/hanzhanggit/StackGAN-v2
    """

    players = {"generator": ("generator", "conditioner"), "discriminator": ("discriminators",)}
    averaged = ("generator", "conditioner")
    kept = ("generator", "conditioner", "text_encoder")
    log_names = ("d_loss", "g_loss", "kl")

    def __init__(
        self,
        generator=None,
        conditioner=None,
        text_encoder=None,
        discriminators=None,
        image_encoder=None,
        *,
        prompts,
        image_shape=(64, 64, 3),
        stages=3,
        latent_dim=100,
        condition_dim=128,
        text_dim=128,
        pretraining=False,
        kl_weight=2.0,
        unconditional_weight=1.0,
        color_weight=0.0,
        r1_weight=0.0,
        margin=0.2,
        **kwargs,
    ):
        if not isinstance(prompts, Prompts):
            raise ConfigurationError(f"Expected prompts as kg.fields.Prompts. Received: {prompts!r:.100}.")
        weights = {
            "kl_weight": kl_weight,
            "unconditional_weight": unconditional_weight,
            "color_weight": color_weight,
            "r1_weight": r1_weight,
        }
        for name, weight in weights.items():
            if not is_number(weight, 0.0):
                raise ConfigurationError(f"Expected {name} of 0 or more. Received: {weight!r}.")
        if not (is_number(margin, 0.0) and 0 < margin < 2):
            raise ConfigurationError(f"Expected a margin above 0 and below 2. Received: {margin!r}.")
        if all(part is None for part in (generator, conditioner, text_encoder, discriminators, image_encoder)):
            generator = build_generator(image_shape, stages=stages, latent_dim=latent_dim, condition_dim=condition_dim)
            conditioner = build_conditioner(text_dim, condition_dim)
            text_encoder = build_text_encoder(prompts, text_dim=text_dim)
            discriminators = build_discriminators(
                image_shape, stages=stages, condition_dim=condition_dim, unconditional=unconditional_weight > 0
            )
            image_encoder = build_image_encoder(image_shape, text_dim=text_dim) if pretraining else None
        _check_generator(generator)
        _check_texts(text_encoder, conditioner, generator, prompts)
        _check_discriminators(discriminators, generator, 2 if unconditional_weight else 1)
        made = _shapes(generator)
        if image_encoder is not None:
            check_encoder("image_encoder", image_encoder, made[-1], text_encoder.output_shape[-1])
            image_encoder.trainable = bool(pretraining)
        text_encoder.trainable = bool(pretraining)
        if pretraining:
            self.players = {"encoders": ("text_encoder", "image_encoder"), "discriminator": ()}
            self.log_names = ("joint_loss", "matched")
        latents, codes = (shape[-1] for shape in generator.input_shape)
        images = Images(made[-1])
        super().__init__(
            generator=generator,
            conditioner=conditioner,
            text_encoder=text_encoder,
            batch_fields={"images": images, "prompts": prompts},
            input_fields={"noise": Noise(latents + codes), "prompts": prompts},
            output_fields={"images": images},
            **kwargs,
        )
        self.discriminators, self.image_encoder, self.prompts = discriminators, image_encoder, prompts
        self.pretraining, self.margin = bool(pretraining), margin
        self.kl_weight, self.unconditional_weight, self.color_weight = kl_weight, unconditional_weight, color_weight
        self.r1_weight = r1_weight
        self.real_target = self.add_weight(shape=(), initializer="ones", trainable=False, name="real_target")

    @property
    def stages(self):
        """How many scales there are."""
        return len(self.generator.outputs)

    @property
    def condition_dim(self):
        """The size of c."""
        return self.generator.input_shape[1][-1]

    @property
    def text_dim(self):
        """The size of an encoded sentence."""
        return self.text_encoder.output_shape[-1]

    @property
    def latent_dim(self):
        """How many numbers an example's noise has: z, then e of the conditioning augmentation."""
        return self.input_fields["noise"].size

    # Sentences to images

    def condition(self, prompts, training=False):
        """m and s, the means and the logarithms of the variances of encoded prompts' codes, float32."""
        encoded = self.text_encoder(prompts, training=False)
        return ops.split(ops.cast(self.conditioner(encoded, training=training), "float32"), 2, axis=-1)

    def made_of(self, noise, prompts, training=False):
        """[f_1, f_2, ..., m, s]: the images at all scales, the smallest first, and the statistics of their codes."""
        mean, log_variance = self.condition(prompts, training)
        noise = ops.cast(noise, "float32")  # mixed precision may have halved it
        latents, deviations = ops.split(noise, [noise.shape[-1] - self.condition_dim], axis=-1)
        code = mean + ops.exp(0.5 * log_variance) * deviations
        return [*keras.tree.flatten(self.generator([latents, code], training=training)), mean, log_variance]

    def compute_outputs(self, inputs, training=False):
        return self.made_of(*map(ops.convert_to_tensor, sampling.in_order(inputs, self.input_fields)), training)[-3]

    def pyramid(self, images):
        """Images at all scales, the smallest first."""
        scales = [ops.cast(images, "float32")]
        for _ in range(self.stages - 1):
            scales.insert(0, ops.average_pool(scales[0], 2, strides=2))
        return scales

    def wrong_rows(self, prompts):
        """For each example, the next one in the batch that has another prompt, int32 (N,); and whether there is one, as
        0 or 1, (N,)."""
        count = ops.shape(prompts)[0]
        other = ops.logical_not(_same(prompts))
        places = ops.arange(count)
        distance = (places[None] - places[:, None]) % count
        return ops.argmin(ops.where(other, distance, count), axis=1), ops.cast(ops.any(other, axis=1), "float32")

    # The game

    def score(self, images, mean, training=True):
        """The logits of a list of images at all scales, float32 (N, stages, heads)."""
        logits = [judge([mean, part], training=training) for judge, part in zip(self.discriminators, images)]
        return ops.cast(ops.stack(logits, axis=1), "float32")

    def discriminator_loss(self, real, fake, prompts, mean, training=True):
        """The sum of the scales' losses, for lists of real and generated images; prompts tell which are wrong pairs."""
        rows, exists = self.wrong_rows(prompts)
        wrong = [ops.take(images, rows, axis=0) for images in real]
        penalty = self.r1_weight * self.r1_loss(real, mean, training) if self.r1_weight else 0.0
        real, wrong, fake = (self.score(images, mean, training) for images in (real, wrong, fake))
        deceived = _mean_where(ops.softplus(wrong[..., 0]), exists) + cross_entropy(fake[..., 0], 0.0)
        loss = cross_entropy(real[..., 0], self.real_target)
        if not self.unconditional_weight:
            return self.stages * (loss + 0.5 * deceived) + penalty
        alone = cross_entropy(real[..., 1], self.real_target) + cross_entropy(fake[..., 1], 0.0)
        wrong, target = wrong[..., 1], self.real_target  # without their sentences they are real images
        alone += _mean_where(target * ops.softplus(-wrong) + (1.0 - target) * ops.softplus(wrong), exists)
        return self.stages * (loss + deceived + self.unconditional_weight * alone) + penalty

    def r1_loss(self, real, mean, training=True):
        """R1 of the sum of an image's logits, added over the scales."""

        def judged_by(judge):
            return lambda images: ops.sum(ops.cast(judge([mean, images], training=training), "float32"), axis=-1)

        return sum(r1_penalty(judged_by(judge), images) for judge, images in zip(self.discriminators, real))

    def kl_loss(self, mean, log_variance):
        """The divergence of the codes' distribution from N(0, I), a mean over all elements."""
        return -0.5 * ops.mean(1.0 + log_variance - ops.square(mean) - ops.exp(log_variance))

    def color_loss(self, images):
        """How far the mean colour of each image, and the covariance of its colours, are from those of the next smaller
        one: the weighted sum over the scales, without `color_weight`."""
        total = 0.0
        for smaller, larger in zip(images, images[1:]):
            (mean, covariance), (wanted_mean, wanted) = _colors(larger), _colors(ops.stop_gradient(smaller))
            total += ops.mean(ops.square(mean - wanted_mean)) + 5.0 * ops.mean(ops.square(covariance - wanted))
        return total

    def generator_loss(self, made, training=True):
        """The weighted sum of the losses, and the divergence, for what `made_of` returned."""
        *images, mean, log_variance = made
        logits, kl = self.score(images, mean, training), self.kl_loss(mean, log_variance)
        loss = self.stages * cross_entropy(logits[..., 0], 1.0) + self.kl_weight * kl
        if self.unconditional_weight:
            loss += self.unconditional_weight * self.stages * cross_entropy(logits[..., 1], 1.0)
        if self.color_weight:
            loss += self.color_weight * self.color_loss([ops.cast(image, "float32") for image in images])
        return ops.stack([loss, kl])

    # The joint embedding

    def joint_loss(self, images, prompts, training=True):
        """The loss of the joint embedding; and the share of images whose own sentence matches best of the batch's."""
        seen = ops.normalize(ops.cast(self.image_encoder(images, training=training), "float32"))
        read = ops.normalize(ops.cast(self.text_encoder(prompts, training=training), "float32"))
        scores, same = ops.matmul(seen, ops.transpose(read)), _same(prompts)
        own = ops.sum(seen * read, axis=1)
        errors = ops.relu(self.margin + scores - own[:, None]) + ops.relu(
            self.margin + ops.transpose(scores) - own[:, None]
        )
        best = ops.max(ops.where(same, -ops.ones_like(scores) * 1e9, scores), axis=1)
        return ops.stack(
            [_mean_where(errors, 1.0 - ops.cast(same, "float32")), ops.mean(ops.cast(own > best, "float32"))]
        )

    # Steps

    def train_step(self, data):
        batch = self.encode_batch(data)
        if self.pretraining:
            loss, matched = ops.unstack(
                self.minimize("encoders", self.joint_loss, batch["images"], batch["prompts"]), 2
            )
            return self.log(joint_loss=loss, matched=matched)
        for images, prompts in self.shares(batch["images"], batch["prompts"]):
            noise, real = self.latents_like(images), self.pyramid(images)
            made = self.record_pass(lambda noise=noise, prompts=prompts: self.made_of(noise, prompts, training=True))
            *fake, mean, _ = made.outputs
            d_loss = self.minimize("discriminator", self.discriminator_loss, real, fake, prompts, mean)
        losses = self.minimize("generator", self.generator_loss, made)
        return self.log(d_loss=d_loss, g_loss=losses[0], kl=losses[1])

    def batch_losses(self, images, prompts):
        if self.pretraining:
            loss, matched = ops.unstack(self.joint_loss(images, prompts, training=False), 2)
            return {"joint_loss": loss, "matched": matched}
        made = self.made_of(self.latents_like(images, training=False), prompts)
        *fake, mean, _ = made
        d_loss = self.discriminator_loss(self.pyramid(images), fake, prompts, mean, training=False)
        g_loss, kl = ops.unstack(self.generator_loss(made, training=False), 2)
        return {"d_loss": d_loss, "g_loss": g_loss, "kl": kl}

    def batch_scores(self, images, prompts):
        """The logits of the largest scale, of images with their sentences."""
        if self.pretraining:
            return None
        *fake, mean, _ = self.made_of(self.latents_like(images, training=False), prompts)
        real, fake = (self.score(part, mean, training=False) for part in (self.pyramid(images), fake))
        return real[:, -1, :1], fake[:, -1, :1]

    def paper_optimizers(self):
        """The paper's; for the joint embedding, the usual Adam."""
        adam = {"learning_rate": 1e-3, "beta_1": 0.9} if self.pretraining else {"learning_rate": 2e-4, "beta_1": 0.5}
        return {player: FusedAdam(**adam) for player in self.players}

    # Phases

    def for_game(self):
        """The model of the second phase, not compiled: it plays the game with the text encoder as it is.

        Raises:
            ConfigurationError: a model without discriminators.
        """
        if self.discriminators is None:
            raise ConfigurationError("Expected a model with discriminators. Received: discriminators=None. Pass them.")
        return type(self)(
            self.generator,
            self.conditioner,
            self.text_encoder,
            self.discriminators,
            prompts=self.prompts,
            kl_weight=self.kl_weight,
            unconditional_weight=self.unconditional_weight,
            color_weight=self.color_weight,
            r1_weight=self.r1_weight,
            margin=self.margin,
            discriminator_steps=self.discriminator_steps,
            ema_decay=self.ema_decay,
            seed=self.seed,
            name=self.name,
            dtype=self.dtype_policy,
        )

    def phases(self, dataset, epochs):
        """With `pretraining`, first the joint embedding for a fifth as many epochs, then the game; else the game."""
        game = "images of sentences"
        if not self.pretraining:
            return [Phase(dataset, epochs, title=game)]
        return [
            Phase(dataset, max(1, epochs // 5), title="joint embedding of images and sentences"),
            Phase(dataset, epochs, prepare=lambda model: model.for_game(), title=game),
        ]

    # Samples of all sizes

    def scales(self, n=None, seed=None, **inputs):
        """The images of `generate(n, seed, **inputs)` at every scale.

        Args:
            n, seed, inputs: see `generate`.

        Returns:
            A list of uint8 arrays (n, height, width, channels), the smallest first.
        """
        complete = sampling.complete_inputs(self, n, seed, inputs)

        def made(inputs):
            with self.averages_in_use():
                images = self.made_of(*sampling.encode_inputs(self, inputs).values())[: self.stages]
            return {f"scale{i}": self.output_fields["images"].decode(part) for i, part in enumerate(images)}

        found = sampling.gathered(engine.function(made), complete, sampling.batch_size(self, complete))
        return [found[f"scale{i}"] for i in range(self.stages)]

    # Data

    @classmethod
    def load_data(cls, source, *, labels=None, **options):
        """`CaptionedBatches` for `fit`; see `kg.data.load_captions`. `labels` names the captions' feature or column."""
        if labels is not None and not isinstance(labels, (str, bool)):
            raise ConfigurationError(f"Expected the name of the captions' feature. Received: labels={labels!r}.")
        return load_captions(source, caption=labels if isinstance(labels, str) else None, **options)

    @classmethod
    def for_data(cls, dataset, **options):
        """The paper's networks for what `load_data` returned, in the first phase."""
        about = {
            "prompts": Prompts(dataset.about["vocabulary"], dataset.about["length"]),
            "image_shape": dataset.image_shape,
            "stages": stages_for(dataset.image_shape),
            "pretraining": True,
        }
        return cls(**{**about, **options})


def _same(prompts):
    """Whether two prompts of a batch are the same, bool (N, N)."""
    return ops.all(ops.equal(prompts[:, None], prompts[None]), axis=-1)


def _mean_where(errors, weights):
    """The mean of errors, of examples or of pairs of them, over those whose weight is 1; 0 where there are none."""
    weights = ops.reshape(weights, (*ops.shape(weights), *[1] * (len(errors.shape) - len(weights.shape))))
    weights = ops.broadcast_to(weights, ops.shape(errors))
    return ops.sum(weights * errors) / ops.maximum(ops.sum(weights), 1.0)


def _colors(images):
    """The mean colour of each image, (N, channels), and the covariance of its pixels' colours."""
    count, height, width, channels = ops.shape(images)
    pixels = ops.reshape(images, (count, height * width, channels))
    mean = ops.mean(pixels, axis=1, keepdims=True)
    apart = pixels - mean
    return mean[:, 0], ops.matmul(ops.transpose(apart, (0, 2, 1)), apart) / (height * width)


def _shapes(generator):
    """(height, width, channels) of the images at each scale."""
    return [tuple(images.shape[1:]) for images in generator.outputs]


def _check_generator(generator):
    check_built("generator", generator)
    taken, made = generator.input_shape, _shapes(generator)
    codes = isinstance(taken, list) and [len(shape) for shape in taken] == [2, 2]
    if not codes or any(len(shape) != 3 for shape in made):
        raise ConfigurationError(
            "Expected a generator of [latents (N, K), codes (N, C)] to a list of images, the smallest first. Received: "
            f"one from {taken} to {made}."
        )
    for smaller, larger in zip(made, made[1:]):
        if (2 * smaller[0], 2 * smaller[1], smaller[2]) != larger:
            raise ConfigurationError(
                f"Expected a generator of images that are each twice as large as the one before. Received: {made}."
            )
    check_image_range("generator", generator)


def _check_texts(text_encoder, conditioner, generator, prompts):
    check_built("text_encoder", text_encoder)
    check_built("conditioner", conditioner)
    if text_encoder.input_shape != (None, *prompts.shape) or len(text_encoder.output_shape) != 2:
        raise ConfigurationError(
            f"Expected a text_encoder of word ids (N, {prompts.length}), for {prompts}, to (N, numbers). Received: one "
            f"from {text_encoder.input_shape} to {text_encoder.output_shape}."
        )
    for layer in text_encoder.layers:
        if isinstance(layer, layers.Embedding) and layer.input_dim <= len(prompts.vocabulary):
            raise ConfigurationError(
                f"Expected a text_encoder of {len(prompts.vocabulary)} words and the padding. Received: one of "
                f"{layer.input_dim} ids. Build it with build_text_encoder(prompts)."
            )
    wanted = text_encoder.output_shape, (None, 2 * generator.input_shape[1][-1])
    if (conditioner.input_shape, conditioner.output_shape) != wanted:
        raise ConfigurationError(
            f"Expected a conditioner from {wanted[0]}, encoded sentences, to {wanted[1]}, the generator's codes twice. "
            f"Received: one from {conditioner.input_shape} to {conditioner.output_shape}."
        )


def _check_discriminators(discriminators, generator, heads):
    """Refuses discriminators that do not judge what the generator makes; None is allowed, as in the zoo."""
    if discriminators is None:
        return
    made = _shapes(generator)
    if not isinstance(discriminators, (list, tuple)) or len(discriminators) != len(made):
        received = len(discriminators) if isinstance(discriminators, (list, tuple)) else f"{discriminators!r:.100}"
        raise ConfigurationError(
            f"Expected a list of {len(made)} discriminators, one for each scale. Received: {received}."
        )
    for shape, discriminator in zip(made, discriminators):
        check_built("each of the discriminators", discriminator)
        check_discriminator(discriminator, [generator.input_shape[1][1:], shape], logits=None)
        if discriminator.output_shape[-1] != heads:
            raise ConfigurationError(
                f"Expected discriminators with {heads} logits: of images with their sentences"
                f"{', and of images alone' if heads == 2 else ' alone, since unconditional_weight is 0'}. Received: "
                f"{discriminator.output_shape}."
            )
