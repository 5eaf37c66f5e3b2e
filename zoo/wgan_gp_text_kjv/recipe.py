"""WGAN-GP's language model on the King James Bible: Gulrajani et al., 2017, https://arxiv.org/abs/1704.00028

    keras-gans train wgan_gp_text_kjv

The first 32 characters of each verse, of 62 characters and the padding. The networks are the paper's with 64 channels
in place of 512 and 3 residual blocks in place of 5; 5 critic steps in place of 10, which the published code allows; and
Adam at 5e-4 in place of 1e-4, at which so small a network had learned little after 300 steps. Its 75 epochs took
66 minutes on two CPU cores that did other work beside it.

The logs js1 to js4 are Jensen-Shannon divergences in bits: of the n-grams of 640 generated lines and of all lines of
the data. For 640 lines of the data and the rest they are 0.001, 0.008, 0.05 and 0.15.

The data set (31,102 verses, public domain) is not in TFDS's catalogue: prepare it as TFDS "kjv_text" with the feature
"text", or pass a text file of your own to `keras-gans train wgan_gp_text --data FILE`.
"""

import keras

import keras_gans as kg
from keras_gans.models.wgan_gp_text import build_discriminator, build_generator
from keras_gans.training import Recipe


class Divergences(keras.callbacks.Callback):
    """Logs js1 to js4 after each epoch."""

    def __init__(self, lines):
        super().__init__()
        self.lines = lines

    def on_epoch_end(self, epoch, logs=None):
        made = self.model.generate(640, seed=0)
        for n in (1, 2, 3, 4):
            logs[f"js{n}"] = kg.metrics.ngram_divergence(real=self.lines, fake=made, n=n)


def recipe(smoke=False):
    dataset = kg.data.load_text("kjv_text", split="train", batch_size=5 * 64, take=640 if smoke else None)
    alphabet = dataset.about["alphabet"]
    sizes = {"width": 8, "blocks": 1} if smoke else {"width": 64, "blocks": 3}
    model = kg.WGANGPText(
        build_generator(32, len(alphabet), **sizes),
        build_discriminator(32, len(alphabet), **sizes),
        alphabet=alphabet,
        discriminator_steps=5,
        ema_decay=0.999,
    )
    adam = kg.optimizers.FusedAdam
    model.compile(adam(5e-4, beta_1=0.5, beta_2=0.9), adam(5e-4, beta_1=0.5, beta_2=0.9))
    return Recipe(
        title="The beginnings of Bible verses, 32 characters",
        dataset=dataset,
        model=model,
        epochs=1 if smoke else 75,
        callbacks=[Divergences(dataset.arrays["tokens"])],
        limits="An eighth of the paper's channels, three of its five blocks, and an hour: many words are "
        "none, and none is chosen for its sense.",
        not_good_for="Sentences: it spells common words and many that are none, and knows nothing of what it says.",
    )
