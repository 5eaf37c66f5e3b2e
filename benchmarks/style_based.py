"""The networks and the PyTorch loop of train_step.py's workload style_gan2.

Two mapping layers and 64 channels up to 16x16, half as many at 32x32; modulated convolutions by scaling inputs and
outputs on both sides; R1 every 16 steps, the path length penalty every 4, style mixing. PyTorch runs it in eager mode.
"""

import math

SIDES = {"style_gan2": ("images",)}
STYLE, R1_INTERVAL, PATH_INTERVAL, GAMMA = 64, 16, 4, 0.1


def widths_of(shape):
    """Channels of each size from 4x4 on."""
    sides = [4 << i for i in range(int(math.log2(shape[0])) - 1)]
    return sides, [max(8, min(64, 1024 // side)) for side in sides]


def networks(workload, shape):
    """Ours: (generator, discriminator, mapping)."""
    from keras_gans.models import style_gan2
    from keras_gans.networks.mapping import build_mapping

    mapping = build_mapping(STYLE, STYLE, depth=2)
    return style_gan2.build_generator(shape, STYLE), style_gan2.build_discriminator(shape), mapping


def model(workload, shape):
    """Ours, not compiled."""
    import keras_gans as kg

    return kg.StyleGAN2(*networks(workload, shape))


def data(workload, count, shape):
    """{field: array} of random examples."""
    import numpy as np

    return {"images": np.random.default_rng(0).uniform(-1, 1, (count, *shape)).astype("float32")}


def torch_networks(workload, shape):
    """In PyTorch what `networks` gives."""
    import torch
    from torch import nn
    from torch.nn import functional

    sides, widths = widths_of(shape)
    kernel = torch.tensor([1.0, 3.0, 3.0, 1.0])
    kernel = torch.outer(kernel, kernel) / 64

    def filtered(x, padding, gain=1.0, stride=1):
        weight = (gain * kernel).to(x).expand(x.shape[1], 1, 4, 4)
        return functional.conv2d(functional.pad(x, padding), weight, stride=stride, groups=x.shape[1])

    def enlarged(x):
        weight = (4.0 * kernel).to(x).expand(x.shape[1], 1, 4, 4)
        return functional.conv_transpose2d(x, weight, stride=2, padding=1, groups=x.shape[1])

    def activated(x):
        return functional.leaky_relu(x, 0.2) * math.sqrt(2)

    class Equalized(nn.Module):
        def __init__(self, *sizes, bias=0.0, rate=1.0):
            super().__init__()
            self.weight = nn.Parameter(torch.randn(sizes) / rate)
            self.bias = None if bias is None else nn.Parameter(torch.full(sizes[:1], bias / rate))
            self.rate, self.scale = rate, rate / math.sqrt(math.prod(sizes[1:]))

        def forward(self, x, **options):
            bias = None if self.bias is None else self.bias * self.rate
            if self.weight.ndim == 2:
                return functional.linear(x, self.weight * self.scale, bias)
            return functional.conv2d(x, self.weight * self.scale, bias, **options)

    class Mapping(nn.Module):
        def __init__(self):
            super().__init__()
            self.layers = nn.ModuleList(Equalized(STYLE, STYLE, rate=0.01) for _ in range(2))

        def forward(self, z):
            z = z * torch.rsqrt(z.square().mean(1, keepdim=True) + 1e-8)
            for layer in self.layers:
                z = activated(layer(z))
            return z

    class Modulated(nn.Module):
        def __init__(self, taken, made, size, up=False):
            super().__init__()
            self.style = Equalized(taken, STYLE, bias=1.0)
            self.weight, self.bias = nn.Parameter(torch.randn(made, taken, size, size)), nn.Parameter(torch.zeros(made))
            self.up, self.size = up, size
            if size == 3:
                self.strength = nn.Parameter(torch.zeros(()))

        def forward(self, x, w):
            s = self.style(w)
            if self.size == 1:
                s = s / math.sqrt(x.shape[1])
            x = x * s[:, :, None, None]
            if self.up:
                x = functional.conv_transpose2d(x, self.weight.transpose(0, 1), stride=2)
                x = filtered(x, (1, 1, 1, 1), gain=4.0)
            else:
                x = functional.conv2d(x, self.weight, padding=self.size // 2)
            if self.size == 1:
                return x + self.bias[None, :, None, None]
            x = x * torch.rsqrt(s.square() @ self.weight.square().sum((2, 3)).T + 1e-8)[:, :, None, None]
            noise = torch.randn(len(x), 1, *x.shape[2:], device=x.device)
            return activated(x + noise * self.strength + self.bias[None, :, None, None])

    class Generator(nn.Module):
        def __init__(self):
            super().__init__()
            self.constant = nn.Parameter(torch.randn(1, widths[0], 4, 4))
            pairs = list(zip([widths[0], *widths], widths))
            self.first = nn.ModuleList(Modulated(*pair, 3, up=True) for pair in pairs[1:])
            self.second = nn.ModuleList(Modulated(width, width, 3) for width in widths)
            self.images = nn.ModuleList(Modulated(width, shape[-1], 1) for width in widths)

        def forward(self, styles):
            x, image = self.constant.expand(len(styles), -1, -1, -1), None
            for i in range(len(widths)):
                if i:
                    x = self.first[i - 1](x, styles[:, 2 * i - 1])
                x = self.second[i](x, styles[:, 2 * i])
                part = self.images[i](x, styles[:, 2 * i + 1])
                image = part if image is None else enlarged(image) + part
            return image

    class Discriminator(nn.Module):
        def __init__(self):
            super().__init__()
            self.first = Equalized(widths[-1], shape[-1], 1, 1)
            pairs = list(zip(widths[:0:-1], widths[-2::-1]))
            self.convs = nn.ModuleList(Equalized(a, a, 3, 3) for a, _ in pairs)
            self.halves = nn.ModuleList(Equalized(b, a, 3, 3) for a, b in pairs)
            self.skips = nn.ModuleList(Equalized(b, a, 1, 1, bias=None) for a, b in pairs)
            self.last = Equalized(widths[0], widths[0] + 1, 3, 3)
            self.features = Equalized(widths[0], 16 * widths[0])
            self.logits = Equalized(1, widths[0])

        def forward(self, x):
            x = activated(self.first(x))
            for conv, half, skip in zip(self.convs, self.halves, self.skips):
                y = skip(filtered(x, (1, 1, 1, 1), stride=2)) * math.sqrt(0.5)
                x = filtered(activated(conv(x, padding=1)), (2, 2, 2, 2))
                x = functional.leaky_relu(half(x, stride=2), 0.2) + y
            groups = x.reshape(min(4, len(x)), -1, *x.shape[1:])
            deviation = (groups.var(0, unbiased=False) + 1e-8).sqrt().mean((1, 2, 3))
            deviation = deviation.repeat(len(groups))[:, None, None, None].expand(-1, 1, 4, 4)
            x = activated(self.last(torch.cat([x, deviation], 1), padding=1))
            return self.logits(activated(self.features(x.flatten(1))))

    return Generator(), Discriminator(), Mapping()


def torch_tutorial(workload, examples, batch, rate, device="cpu", bfloat16=False):
    """A function that takes one step for each batch of `examples`, {field: array}; with bfloat16 by autocast."""
    import torch
    from torch.nn import functional

    images = torch.from_numpy(examples["images"].copy()).permute(0, 3, 1, 2).contiguous()
    generator, discriminator, mapping = (
        network.to(device) for network in torch_networks(workload, examples["images"].shape[1:])
    )
    layers, steps = 2 * len(generator.images), 0
    path_mean = style_mean = torch.zeros((), device=device)
    optimizers = [
        torch.optim.Adam(
            [p for network in networks for p in network.parameters()],
            lr=rate["learning_rate"] * k / (k + 1),
            betas=(rate["beta_1"] ** (k / (k + 1)), 0.99 ** (k / (k + 1))),
        )
        for networks, k in (((generator, mapping), PATH_INTERVAL), ((discriminator,), R1_INTERVAL))
    ]

    def latents(count):
        return torch.randn(count, STYLE, device=device)

    def styles(count):
        nonlocal style_mean
        w = mapping(latents(count))
        style_mean = style_mean + 0.005 * (w.detach().mean(0) - style_mean)
        w, others = (one[:, None].expand(-1, layers, -1) for one in (w, mapping(latents(count))))
        first = int(torch.randint(1, layers, ())) if float(torch.rand(())) < 0.9 else layers
        return torch.cat([w[:, :first], others[:, first:]], 1)

    def generator_loss(real):
        return functional.softplus(-discriminator(generator(styles(len(real))))).mean()

    def path_loss(real):
        nonlocal path_mean
        ws = styles((len(real) + 1) // 2)
        made = generator(ws)
        noise = torch.randn_like(made) / math.sqrt(made.shape[2] * made.shape[3])
        (slopes,) = torch.autograd.grad((made * noise).sum(), ws, create_graph=True)
        lengths = slopes.square().sum(2).mean(1).sqrt()
        mean = path_mean + 0.01 * (lengths.mean() - path_mean)
        path_mean = mean.detach()
        return 2.0 * PATH_INTERVAL * (lengths - mean).square().mean()

    def discriminator_loss(real):
        with torch.no_grad():
            fake = generator(styles(len(real)))
        return functional.softplus(-discriminator(real)).mean() + functional.softplus(discriminator(fake)).mean()

    def penalty(real):
        seen = real.clone().requires_grad_(True)
        (slopes,) = torch.autograd.grad(discriminator(seen).sum(), seen, create_graph=True)
        return 0.5 * GAMMA * R1_INTERVAL * slopes.square().sum((1, 2, 3)).mean()

    def update(optimizer, loss_fn, real):
        with torch.autocast(device, torch.bfloat16, enabled=bfloat16):
            loss = loss_fn(real)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return loss

    def epoch():
        nonlocal steps
        for real in images.split(batch):
            real = real.to(device)
            discriminator.requires_grad_(False)
            g_loss = update(optimizers[0], generator_loss, real)
            if steps % PATH_INTERVAL == 0:
                update(optimizers[0], path_loss, real)
            discriminator.requires_grad_(True)
            d_loss = update(optimizers[1], discriminator_loss, real)
            if steps % R1_INTERVAL == 0:
                update(optimizers[1], penalty, real)
            steps += 1
            g_loss.item(), d_loss.item()

    return epoch
