"""Semi-supervised GAN on MNIST with 100 labels: Salimans et al., 2016, https://arxiv.org/abs/1606.03498

    keras-gans train improved_gan_mnist

The paper's networks at reduced width, fully connected, with less noise and a moving average of the generator; Adam's
rate falls from the paper's 0.003 to 0.001. The generator that matches features alone, as in the paper, trains the
better classifier and leaves a third of its digits smeared; here it is also asked that each image be a digit. The
classifier is in the run's checkpoint.keras, not in model.keras, which holds what sampling needs;
`benchmarks/semi_supervised.py` reports its test error, without that. Budget: half an hour on two CPU cores;
card.json says what it took.
"""

import keras

import keras_gans as kg
from keras_gans.models.improved_gan import build_discriminator, build_generator
from keras_gans.training import Recipe

SHAPE = (28, 28, 1)
EPOCHS = 40


def recipe(smoke=False):
    dataset = kg.data.load("mnist", split="train", batch_size=100, take=400 if smoke else None)
    dataset = kg.data.semi_supervised(dataset, labels_per_class=10)
    epochs = 1 if smoke else EPOCHS
    discriminator = build_discriminator(SHAPE, units=(300, 150, 100), noise=0.3)
    kg.layers.initialize_from_data(discriminator, dataset.images[:500] / 127.5 - 1)  # the paper's start
    model = kg.ImprovedGAN(
        build_generator(SHAPE, latent_dim=100, units=(400, 400)),
        discriminator,
        adversarial_weight=0.3,
        discriminator_ema_decay=0.999,
        ema_decay=0.999,
    )
    rate = keras.optimizers.schedules.PolynomialDecay(3e-3, epochs * len(dataset), 1e-3)
    many = 1 if keras.backend.backend() == "torch" else 20  # steps this small are mostly overhead
    g_optimizer, d_optimizer = (kg.optimizers.FusedAdam(rate, beta_1=0.5, epsilon=1e-4) for _ in range(2))
    model.compile(g_optimizer, d_optimizer, steps_per_execution=many)
    return Recipe(
        title="Handwritten digits, 28x28, from a classifier that saw 100 labels",
        dataset=dataset,
        model=model,
        epochs=epochs,
        limits="Fully connected networks, briefly trained: strokes are soft, and some digits are between two.",
        not_good_for="Digits on demand: it takes no labels, and the zoo's file holds no classifier.",
    )
