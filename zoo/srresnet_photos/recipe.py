"""SRResNet on patches of photographs, 24x24 to 96x96: Ledig et al., 2017, https://arxiv.org/abs/1609.04802

    keras-gans train srresnet_photos

The first phase of SRGAN alone: a generator with 24 of the paper's 64 filters and 5 of its 16 blocks, trained by the
squared error. Its output is added to the enlarged image. Budget: half an hour on two CPU cores; card.json says what it
took.
"""

import keras

import keras_gans as kg
from keras_gans.models.srgan import build_generator
from keras_gans.training import Recipe, fast_policy


def recipe(smoke=False):
    keras.config.set_dtype_policy(fast_policy())
    dataset = kg.data.load_patches("photo_patches", batch_size=16, take=32 if smoke else None)
    epochs = 1 if smoke else 12
    model = kg.SRGAN(build_generator(filters=4 if smoke else 24, blocks=1 if smoke else 5, skip=True), pretraining=True)
    falling = keras.optimizers.schedules.CosineDecay(5e-4, epochs * len(dataset), alpha=0.02)
    model.compile(kg.optimizers.FusedAdam(falling, beta_1=0.9))
    return Recipe(
        title="Photographs four times as large, by the squared error",
        dataset=dataset,
        model=model,
        epochs=epochs,
        held_back=kg.data.load_patches("photo_patches", split="test", batch_size=1, take=64),
        limits="A small network, trained on few photographs: textures stay soft.",
        not_good_for="Evidence: what it adds is what such photographs usually have, not what was there.",
    )
