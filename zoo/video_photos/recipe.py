"""Video prediction on windows that move over photographs, 32x32: Mathieu, Couprie and LeCun, 2016,
https://arxiv.org/abs/1511.05440

    keras-gans train video_photos

Like `video_digits`, on photographs that are panned and zoomed. Budget: half an hour on two CPU cores; card.json says
what it took.
"""

import keras

import keras_gans as kg
from keras_gans.models.video_prediction_gan import build_discriminators, build_generator
from keras_gans.training import Recipe, fast_policy

SHAPE = (32, 32, 3)


def recipe(smoke=False):
    keras.config.set_dtype_policy(fast_policy())
    dataset = kg.data.load_clips("moving_photos", batch_size=16, take=64 if smoke else 4096)
    epochs = 1 if smoke else 40
    model = kg.VideoPredictionGAN(
        build_generator(3, filters=2 if smoke else 16),
        build_discriminators(SHAPE, filters=2 if smoke else 8, units=(8,) if smoke else (128, 64)),
        ema_decay=0.999,
    )
    falling = keras.optimizers.schedules.CosineDecay(4e-4, epochs * len(dataset), alpha=0.05)
    model.compile(kg.optimizers.FusedAdam(falling, beta_1=0.9), kg.optimizers.FusedAdam(1e-4, beta_1=0.9))
    return Recipe(
        title="The next frames of a window that moves over a photograph",
        dataset=dataset,
        model=model,
        epochs=epochs,
        held_back=kg.data.load_clips("moving_photos", split="test", length=5, batch_size=1, take=64),
        limits="Small networks, trained on the first predicted frame alone: errors grow from frame to frame.",
        not_good_for="Films, in which things move by themselves: here the whole picture moves and becomes larger.",
    )
