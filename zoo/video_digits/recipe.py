"""Video prediction on two moving digits, 32x32: Mathieu, Couprie and LeCun, 2016, https://arxiv.org/abs/1511.05440

    keras-gans train video_digits

Four frames are seen and the next is predicted, by the adversarial, the absolute and the gradient difference loss. The
generator is that of the authors' training script, the discriminators have a quarter of its filters. Budget: twenty
minutes on two CPU cores; card.json says what it took.
"""

import keras

import keras_gans as kg
from keras_gans.models.video_prediction_gan import build_discriminators, build_generator
from keras_gans.training import Recipe, fast_policy

SHAPE = (32, 32, 1)


def recipe(smoke=False):
    keras.config.set_dtype_policy(fast_policy())
    dataset = kg.data.load_clips("moving_digits", batch_size=16, take=64 if smoke else None)
    epochs = 1 if smoke else 24
    model = kg.VideoPredictionGAN(
        build_generator(1, filters=2 if smoke else 16),
        build_discriminators(SHAPE, filters=2 if smoke else 8, units=(8,) if smoke else (128, 64)),
        ema_decay=0.999,
    )
    steps = epochs * len(dataset)
    # At a rate of 1e-3 from the first step on, two of the four scales stayed black.
    falling = keras.optimizers.schedules.CosineDecay(
        0.0, steps - steps // 12, alpha=0.05, warmup_target=4e-4, warmup_steps=steps // 12
    )
    model.compile(kg.optimizers.FusedAdam(falling, beta_1=0.9), kg.optimizers.FusedAdam(1e-4, beta_1=0.9))
    return Recipe(
        title="The next frames of two moving digits",
        dataset=dataset,
        model=model,
        epochs=epochs,
        held_back=kg.data.load_clips("moving_digits", split="test", length=5, batch_size=1, take=64),
        limits="Small networks, trained on the first predicted frame alone: errors grow from frame to frame.",
        not_good_for="Other motion than straight lines and reflections, or clips that are no bright digits on black.",
    )
