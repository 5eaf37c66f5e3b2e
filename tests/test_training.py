"""Runs of a variant on any data; whole runs are tested through the command line in test_cli.py."""

import numpy as np
import pytest

import keras_gans as kg
from keras_gans.training import variant_recipe


@pytest.mark.parametrize("variant, images_a_step", [(kg.DCGAN, 8), (kg.WGAN, 40)])
def test_each_update_of_the_discriminator_gets_the_asked_number_of_images(tmp_path, variant, images_a_step):
    np.savez(tmp_path / "images.npz", images=np.zeros((90, 16, 16, 1), "uint8"))
    run = variant_recipe(variant, tmp_path / "images.npz", batch_size=8)()
    assert run.dataset.batch_size == images_a_step
    assert len(run.dataset) == 90 // images_a_step
    assert run.dataset[0][0].shape == (images_a_step, 16, 16, 1)
