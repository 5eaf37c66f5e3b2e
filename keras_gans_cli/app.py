"""The command `keras-gans`. Commands that need no model answer before Keras is imported."""

import sys

import click

from keras_gans_cli import (
    demo,
    export,
    latent,
    measure,
    predict_frames,
    push,
    report,
    sample,
    train,
    translate,
    upscale,
    zoo,
)
from keras_gans_core.errors import KerasGansError


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="keras-gans")
def app():
    """Generative adversarial networks: pretrained models to sample from, and recipes to train them.

    \b
    keras-gans list                          the pretrained models
    keras-gans sample dcgan_mnist            64 images, as grid.png
    keras-gans translate pix2pix_avatars maps/ -o faces/
    keras-gans upscale runs/large photos/ -o large/
    keras-gans predict-frames runs/clips clip.gif -o next.gif
    keras-gans reconstruct ali_mnist digits/ -o copies/
    keras-gans interpolate dcgan_mnist       from image to image; also: mix, arithmetic, invert, inpaint, traverse
    keras-gans demo dcgan_mnist              a page to play with it in the browser
    keras-gans train dcgan --data photos/    a model on your own folder of images
    keras-gans report runs/dcgan             a page about the run: curves, samples, the doctor's verdicts
    keras-gans export dcgan_mnist serving/dcgan
    keras-gans push runs/dcgan hf://user/model
    keras-gans evaluate dcgan_mnist          how good it is, and by which protocol
    keras-gans verify                        whether all files match their cards
    """


for command in (
    zoo.list_presets,
    zoo.info,
    sample.sample,
    translate.translate,
    translate.reconstruct,
    upscale.upscale,
    predict_frames.predict_frames,
    train.train,
    report.report,
    export.export,
    push.push,
    measure.evaluate,
    measure.compare,
    measure.verify,
    latent.interpolate,
    latent.mix,
    latent.arithmetic,
    latent.invert,
    latent.inpaint,
    latent.traverse,
    demo.demo,
):
    app.add_command(command)


def main():
    """Runs the command; an error of the library ends it with code 2 and without a traceback."""
    try:
        app()
    except KerasGansError as error:
        click.echo(f"Error: {error}", err=True)
        sys.exit(2)


if __name__ == "__main__":
    main()
