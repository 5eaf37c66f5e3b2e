"""ALI on MNIST, 28x28: Dumoulin et al., 2017, https://arxiv.org/abs/1606.00704

    keras-gans train ali_mnist

The paper's networks for 32x32 with a coarsest map of 3x3, in half the width and with half the latents, Adam at twice
its rate, and a moving average of the generator. Intended budget: about 45 minutes on two CPU cores with bfloat16.
"""

import keras

import keras_gans as kg
from keras_gans.models.ali import build_discriminator, build_encoder, build_generator
from keras_gans.training import Recipe

SHAPE = (28, 28, 1)


def recipe(smoke=False):
    keras.config.set_dtype_policy("mixed_bfloat16")
    filters = 2 if smoke else 16
    dataset = kg.data.load("mnist", split="train", batch_size=100, take=400 if smoke else None)
    model = kg.ALI(
        *(build(SHAPE, latent_dim=32, base_filters=filters) for build in (build_generator, build_discriminator)),
        build_encoder(SHAPE, latent_dim=32, base_filters=filters),
        ema_decay=0.999,
    )
    model.initialize_from_data(dataset.images)
    adam = kg.optimizers.FusedAdam
    model.compile(adam(2e-4, beta_1=0.5), adam(2e-4, beta_1=0.5))
    return Recipe(
        title="Handwritten digits, 28x28, with the way back: encode and reconstruct",
        dataset=dataset,
        model=model,
        epochs=1 if smoke else 15,
        not_good_for="Exact copies: a reconstruction keeps what kind of digit it is more than how it is written.",
    )
