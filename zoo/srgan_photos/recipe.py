"""SRGAN on patches of photographs, 24x24 to 96x96: Ledig et al., 2017, https://arxiv.org/abs/1609.04802

    keras-gans train srgan_photos

First the squared error, as in `srresnet_photos`, then a discriminator. The content loss of the second phase compares
the convolutions of `classifier_cifar10` in the place of VGG19's. Budget: an hour on two CPU cores; card.json says what
it took.
"""

import keras

import keras_gans as kg
from keras_gans.models.srgan import build_discriminator, build_generator
from keras_gans.phases import Phase
from keras_gans.training import Recipe, fast_policy

SHAPE = (96, 96, 3)


def features():
    """The maps of the last convolution of a classifier of CIFAR-10, divided as VGG's are in the paper."""
    classifier = kg.zoo.load_classifier("classifier_cifar10")
    last = [layer for layer in classifier.layers if isinstance(layer, keras.layers.ReLU)][-1]
    maps = keras.Model(classifier.input, keras.layers.Rescaling(1 / 12.75)(last.output))
    larger = keras.models.clone_model(maps, input_tensors=keras.Input(SHAPE, dtype="float32"))
    larger.set_weights(maps.get_weights())
    return larger


def recipe(smoke=False):
    keras.config.set_dtype_policy(fast_policy())
    dataset = kg.data.load_patches("photo_patches", batch_size=16, take=32 if smoke else None)
    first, second = (1, 1) if smoke else (12, 6)
    generator = build_generator(filters=4 if smoke else 24, blocks=1 if smoke else 5, skip=True)
    discriminator = build_discriminator(SHAPE, filters=4 if smoke else 16, units=16 if smoke else 128)
    model = kg.SRGAN(generator, discriminator, features(), pretraining=True)
    adam, steps = kg.optimizers.FusedAdam, len(dataset)
    model.compile(adam(keras.optimizers.schedules.CosineDecay(5e-4, first * steps, alpha=0.02), beta_1=0.9))

    def against_a_discriminator(model):
        model = model.for_adversary()
        falling = keras.optimizers.schedules.PiecewiseConstantDecay([second * steps // 2], [1e-4, 1e-5])  # the paper's
        model.compile(adam(falling, beta_1=0.9), adam(falling, beta_1=0.9))
        return model

    return Recipe(
        title="Photographs four times as large, with textures",
        model=model,
        phases=[
            Phase(dataset, first, title="squared error"),
            Phase(dataset, second, prepare=against_a_discriminator, title="against a discriminator"),
        ],
        held_back=kg.data.load_patches("photo_patches", split="test", batch_size=1, take=64),
        limits="A small network, trained on few photographs: textures are made up.",
        not_good_for="Evidence: what it adds is what such photographs usually have, not what was there.",
    )
