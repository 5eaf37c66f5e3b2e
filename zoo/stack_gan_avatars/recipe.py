"""StackGAN++ on avatars and their captions, 16x16, 32x32 and 64x64 in colour: Zhang et al., 2018,
https://arxiv.org/abs/1710.10916

    keras-gans train stack_gan_avatars

Captions such as "a face with long red hair, smiling, wearing green clothes" name the hair, beard, glasses, hat, mouth
and clothes. First a joint embedding of images and captions, then the game with its text encoder: the paper's networks
with three eighths of the channels or fewer, one residual block a stage, and a moving average of the generator. Drawings
are flat colours, by which the discriminators would soon tell them from generated images: the generator's tanh is
stretched until it reaches pure white, and the discriminators have R1. Both players' rate is 1e-3. Budget: 40 minutes on
two CPU cores; card.json says what it took.

The data set (10,000 faces by the avatar library of Pablo Stanley) is not in TFDS's catalogue: prepare it as TFDS
"avatars".
"""

import keras

import keras_gans as kg
from keras_gans.models.stack_gan import (
    build_conditioner,
    build_discriminators,
    build_generator,
    build_image_encoder,
    build_text_encoder,
)
from keras_gans.training import Phase, Recipe, fast_policy

SHAPE = (64, 64, 3)


def recipe(smoke=False):
    keras.config.set_dtype_policy(fast_policy())
    dataset = kg.data.load_captions("avatars", batch_size=32, take=128 if smoke else None)
    about = dataset.about
    prompts = kg.fields.Prompts(about["vocabulary"], about["length"])
    filters, judges, text = (4, 2, 8) if smoke else (24, 16, 64)
    model = kg.StackGAN(
        build_generator(SHAPE, latent_dim=32, condition_dim=16, filters=filters, blocks=1, overshoot=0.1),
        build_conditioner(text, 16),
        build_text_encoder(prompts, text_dim=text, word_dim=32, filters=8 if smoke else 64),
        build_discriminators(SHAPE, condition_dim=16, filters=judges),
        build_image_encoder(SHAPE, text_dim=text, filters=2 if smoke else 16),
        prompts=prompts,
        pretraining=True,
        r1_weight=0.1,
        ema_decay=0.999,
    )
    model.compile()
    adam = kg.optimizers.FusedAdam

    def the_game(model):
        model = model.for_game()
        model.compile(adam(1e-3, beta_1=0.5), adam(1e-3, beta_1=0.5))
        return model

    return Recipe(
        title="Drawn faces of sentences, 64x64 in colour",
        model=model,
        phases=[
            Phase(dataset, epochs=1 if smoke else 4, title="joint embedding of images and captions"),
            Phase(dataset, epochs=1 if smoke else 24, prepare=the_game, title="images of captions"),
        ],
        held_back=kg.data.load_captions(
            "avatars",
            split="test",
            batch_size=1,
            take=64,
            vocabulary=prompts.vocabulary,
            length=prompts.length,
        ),
        limits="Small networks and forty minutes: glasses, hats and long hair mostly follow the sentence, colours of "
        "hair and clothes in half of the images, smiles by chance.",
        not_good_for="Sentences about anything else: it knows 22 words, and leaves out all others.",
    )
