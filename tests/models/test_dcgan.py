from contract import VariantContract
from keras_gans.models.dcgan import DCGAN, build_discriminator, build_generator


class TestDCGAN(VariantContract):
    def make(self, **options):
        generator = build_generator(self.shape, latent_dim=4, base_filters=4)
        return DCGAN(generator, build_discriminator(self.shape, base_filters=4), **options)
