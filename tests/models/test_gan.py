from contract import VariantContract
from keras_gans.models.gan import GAN, build_discriminator, build_generator


class TestGAN(VariantContract):
    def make(self, **options):
        generator = build_generator(self.shape, latent_dim=4, units=8)
        return GAN(generator, build_discriminator(self.shape, units=6, pieces=2), **options)
