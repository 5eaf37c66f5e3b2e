"""Adversarial objectives: pure functions of logits or critic scores, in pairs, one for each player."""

from keras_gans.losses.adversarial import (
    cross_entropy,
    hinge_discriminator_loss,
    hinge_generator_loss,
    least_squares_discriminator_loss,
    least_squares_generator_loss,
    minimax_discriminator_loss,
    minimax_generator_loss,
    non_saturating_discriminator_loss,
    non_saturating_generator_loss,
    wasserstein_discriminator_loss,
    wasserstein_generator_loss,
)
from keras_gans.losses.f_divergences import (
    FDivergence,
    GANDivergence,
    JensenShannon,
    KullbackLeibler,
    Neyman,
    Pearson,
    ReverseKullbackLeibler,
    SquaredHellinger,
    TotalVariation,
    WeightedJensenShannon,
    f_gan_discriminator_loss,
    f_gan_generator_loss,
    f_gan_practical_generator_loss,
)
from keras_gans.losses.gradient_difference import gradient_difference_loss
from keras_gans.losses.information import categorical_information, continuous_information
from keras_gans.losses.laplacian import laplacian_loss
from keras_gans.losses.relativistic import (
    relativistic_average_discriminator_loss,
    relativistic_average_generator_loss,
    relativistic_pairing_discriminator_loss,
    relativistic_pairing_generator_loss,
)
from keras_gans.losses.semi_supervised import (
    feature_matching_discriminator_loss,
    feature_matching_loss,
    semi_supervised_labelled_loss,
    semi_supervised_unlabelled_loss,
)

__all__ = [
    "FDivergence",
    "GANDivergence",
    "JensenShannon",
    "KullbackLeibler",
    "Neyman",
    "Pearson",
    "ReverseKullbackLeibler",
    "SquaredHellinger",
    "TotalVariation",
    "WeightedJensenShannon",
    "categorical_information",
    "continuous_information",
    "cross_entropy",
    "f_gan_discriminator_loss",
    "f_gan_generator_loss",
    "f_gan_practical_generator_loss",
    "feature_matching_discriminator_loss",
    "feature_matching_loss",
    "gradient_difference_loss",
    "hinge_discriminator_loss",
    "hinge_generator_loss",
    "laplacian_loss",
    "least_squares_discriminator_loss",
    "least_squares_generator_loss",
    "minimax_discriminator_loss",
    "minimax_generator_loss",
    "non_saturating_discriminator_loss",
    "non_saturating_generator_loss",
    "relativistic_average_discriminator_loss",
    "relativistic_average_generator_loss",
    "relativistic_pairing_discriminator_loss",
    "relativistic_pairing_generator_loss",
    "semi_supervised_labelled_loss",
    "semi_supervised_unlabelled_loss",
    "wasserstein_discriminator_loss",
    "wasserstein_generator_loss",
]
