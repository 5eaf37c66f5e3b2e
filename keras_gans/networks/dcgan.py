"""The networks of DCGAN: Radford, Metz and Chintala, 2015, https://arxiv.org/abs/1511.06434"""

import keras
from keras import initializers, layers

from keras_gans.errors import ConfigurationError
from keras_gans.fields import check_image_shape
from keras_gans.layers import FusedBatchNormalization
from keras_gans.networks.heads import image_values

SMALLEST_MAP = 4  # height or width of the smallest feature map: 4 at 64x64 and 32x32, 7 at 28x28


def _stages(image_shape):
    """How often an image can be halved until it has the size of the smallest map."""
    height, width, _ = image_shape
    stages = 0
    while height % 2 == width % 2 == 0 and min(height, width) // 2 >= SMALLEST_MAP:
        height, width, stages = height // 2, width // 2, stages + 1
    if stages == 0:
        raise ConfigurationError(
            f"Expected a height and width that are even and {2 * SMALLEST_MAP} or more. Received: "
            f"image_shape={tuple(image_shape)}. Resize the images, for instance to 32x32 or 64x64."
        )
    return stages


def _kernel():
    return initializers.RandomNormal(stddev=0.02)


def _batch_norm(name):
    return FusedBatchNormalization(
        momentum=0.9, epsilon=1e-5, gamma_initializer=initializers.RandomNormal(1.0, 0.02), name=name
    )


def build_generator(
    image_shape, latent_dim=100, *, base_filters=64, kernel_size=5, label_size=0, units=0, overshoot=0.0
):
    """The paper's generator: a projection to the smallest map, then transposed convolutions that double its size.

    Args:
        image_shape: (height, width, channels), both sizes even and 8 or more; 64x64 gives four stages, 32x32 three,
            28x28 two.
        latent_dim: size of the latents.
        base_filters: channels of the last hidden map; each smaller map has twice as many. At 64x64, the paper's figure
            1 has 128 and the authors' Torch code 64; at 28x28, the Theano code for MNIST has 64.
        kernel_size: 5 in the Theano code, 4 in the Torch code.
        label_size: size of the encoded labels that are concatenated to the latents; 0 without labels.
        units: of a dense layer before the projection, 1024 in the Theano code for MNIST; 0, as in the paper, for none.
        overshoot: the tanh is multiplied by 1 + overshoot and clipped to [-1, 1], so that it reaches pure black and
            white; 0, as in the paper, for neither.

    Returns:
        A Keras model, (N, latent_dim), or [(N, latent_dim), (N, label_size)], to (N, height, width, channels) in
        [-1, 1].

    Raises:
        ConfigurationError: sizes that cannot be halved, or a negative overshoot.
    """
    check_image_shape(image_shape)
    stages = _stages(image_shape)
    height, width, channels = image_shape
    smallest = (height >> stages, width >> stages, base_filters << (stages - 1))
    latents = x = inputs = keras.Input((latent_dim,), name="latents")
    if label_size:
        inputs = [latents, keras.Input((label_size,), name="labels")]
        x = layers.Concatenate(name="latents_and_labels")(inputs)
    if units:
        x = layers.Dense(units, use_bias=False, kernel_initializer=_kernel(), name="dense")(x)
        x = layers.ReLU(name="dense_relu")(_batch_norm("dense_norm")(x))
    x = layers.Dense(
        smallest[0] * smallest[1] * smallest[2], use_bias=False, kernel_initializer=_kernel(), name="project"
    )(x)
    x = layers.ReLU(name="project_relu")(_batch_norm("project_norm")(x))  # per unit: before the reshape, as in Theano
    x = layers.Reshape(smallest, name="reshape")(x)
    for stage in range(stages - 1):
        x = layers.Conv2DTranspose(
            base_filters << (stages - 2 - stage),
            kernel_size,
            strides=2,
            padding="same",
            use_bias=False,
            kernel_initializer=_kernel(),
            name=f"up{stage}",
        )(x)
        x = layers.ReLU(name=f"up{stage}_relu")(_batch_norm(f"up{stage}_norm")(x))
    x = layers.Conv2DTranspose(
        channels, kernel_size, strides=2, padding="same", use_bias=False, kernel_initializer=_kernel(), name="to_image"
    )(x)
    return keras.Model(inputs, image_values(x, overshoot), name="generator")


def build_discriminator(
    image_shape, *, base_filters=64, kernel_size=5, batch_norm=True, input_noise=0.0, label_size=0, logits=1, units=0
):
    """The paper's discriminator: strided convolutions, then one logit.

    Args:
        image_shape: (height, width, channels); see `build_generator`.
        base_filters: channels of the first map; each smaller map has twice as many.
        kernel_size: 5 in the Theano code, 4 in the Torch code.
        batch_norm: whether all convolutions except the first are normalised; gradient penalties do not allow batch
            norm.
        input_noise: standard deviation of the normal noise added to the images in training; 0, as in the paper, for
            none. Without it the discriminator recognises real images with flat colours too easily.
        label_size: size of the encoded labels, which are concatenated to the first map as constant channels, as in
            IcGAN (https://arxiv.org/abs/1611.06355); 0 without labels.
        logits: number of logits.
        units: of a dense layer after the convolutions, 1024 in the Theano code for MNIST; 0, as in the paper, for none.

    Returns:
        A Keras model, images, or [labels (N, label_size), images], to logits (N, logits).

    Raises:
        ConfigurationError: sizes that cannot be halved.
    """
    check_image_shape(image_shape)
    images = x = inputs = keras.Input(image_shape, name="images")
    if input_noise:
        x = layers.GaussianNoise(input_noise, dtype="float32", name="noise")(images)
    for stage in range(_stages(image_shape)):
        x = layers.Conv2D(
            base_filters << stage,
            kernel_size,
            strides=2,
            padding="same",
            use_bias=False,
            kernel_initializer=_kernel(),
            name=f"down{stage}",
        )(x)
        if stage and batch_norm:  # not in the first layer: it would hide the images' mean and contrast
            x = _batch_norm(f"down{stage}_norm")(x)
        x = layers.LeakyReLU(0.2, name=f"down{stage}_relu")(x)
        if label_size and stage == 0:
            labels = keras.Input((label_size,), name="labels")
            height, width = x.shape[1:3]
            planes = layers.Reshape((height, width, label_size), name="planes")(
                layers.RepeatVector(height * width, name="everywhere")(labels)
            )
            x, inputs = layers.Concatenate(name="map_and_labels")([x, planes]), [labels, images]
    x = layers.Flatten(name="flatten")(x)
    if units:
        x = layers.Dense(units, use_bias=False, kernel_initializer=_kernel(), name="dense")(x)
        x = layers.LeakyReLU(0.2, name="dense_relu")(_batch_norm("dense_norm")(x) if batch_norm else x)
    logits = layers.Dense(logits, use_bias=False, kernel_initializer=_kernel(), dtype="float32", name="logits")(x)
    return keras.Model(inputs, logits, name="discriminator")
