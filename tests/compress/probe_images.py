"""Probes that convolve: what an image, sound or video network is made of."""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional as F

from compress.probe import Probes, images, numbers

PROBES = Probes()
IMAGE, WIDE, SOUND = images(), images(2, 3, 12, 8), numbers(2, 4, 24)


def conv(i, o, k=3, **named):
    return nn.Conv2d(i, o, k, padding=k // 2, **named)


def conv_bn(i, o, k=3, **named):
    return nn.Sequential(conv(i, o, k, bias=False, **named), nn.BatchNorm2d(o), nn.ReLU(inplace=True))


def head(c, *between):
    return nn.Sequential(*between, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(c, 5))


# -- convolutions of every form ---------------------------------------------------------------------------------------


@PROBES.add("vgg", "conv plain, flatten", IMAGE, cuts="0 1 5 10")
def vgg():
    return nn.Sequential(
        conv(3, 8),
        nn.BatchNorm2d(8),
        nn.ReLU(inplace=True),
        nn.Dropout2d(0.1),
        nn.MaxPool2d(2),
        conv(8, 12),
        nn.ReLU(inplace=True),
        nn.AdaptiveAvgPool2d((2, 2)),
        nn.Flatten(),
        nn.Dropout(),
        nn.Linear(48, 16),
        nn.ReLU(inplace=True),
        nn.Linear(16, 5),
    )


@PROBES.add("maxout", "maxout: pieces of a unit go together", IMAGE, cuts="first second norm hidden last", longer=WIDE)
def maxout():
    class Maxout(nn.Module):
        def __init__(self):
            super().__init__()
            self.first, self.second = nn.Conv2d(3, 12, 3, padding=1), nn.Conv2d(6, 15, 3, padding=1)
            self.norm, self.hidden, self.last = nn.BatchNorm2d(6), nn.Linear(5, 8), nn.Linear(4, 5)

        def forward(self, x):
            x = self.norm(self.first(x).unflatten(1, (-1, 2)).amax(2))
            x = self.second(x)
            x = x.view(len(x), -1, 3, *x.shape[2:]).max(dim=2).values
            x = self.hidden(x.mean((2, 3)))
            return self.last(x.view(len(x), -1, 2).amax(-1))

    return Maxout()


@PROBES.add("group means", "statistics of groups whose number the code states", IMAGE, cuts="second", longer=WIDE)
def group_means():
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.first, self.second = nn.Conv2d(3, 16, 3, padding=1), nn.Conv2d(16, 24, 3)
            self.last = nn.Linear(24, 5)

        def forward(self, x):
            x = self.first(x)
            b, c, h, w = x.shape
            groups = x.view(b, 4, c // 4, h, w)
            groups = groups - groups.mean((2, 3, 4), keepdim=True)
            return self.last(self.second(groups.reshape(b, c, h, w).relu()).mean((2, 3)))

    return Net()


@PROBES.add(
    "shuffled attention", "channel shuffle, then a sum over all channels", IMAGE, cuts="first second", longer=WIDE
)
def shuffled_attention():
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.first, self.second, self.last = nn.Conv2d(3, 16, 3), nn.Conv2d(16, 8, 1), nn.Linear(8, 5)

        def forward(self, x):
            x = self.first(x)
            b, c, h, w = x.shape
            x = x.view(b, 2, c // 2, h, w).transpose(1, 2).reshape(b, c, h, w)
            return self.last(self.second(x * x.sum(1, keepdim=True).sigmoid()).mean((2, 3)))

    return Net()


@PROBES.add(
    "shuffle, maxout", "channel shuffle behind a maxout, a maxout beside", numbers(2, 8), cuts="first other wide"
)
def shuffle_and_maxout():
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.first, self.wide, self.other = nn.Linear(8, 32), nn.Linear(16, 32), nn.Linear(8, 12)
            self.last = nn.Linear(32 + 6, 5)

        def forward(self, x):
            y = self.first(x).unflatten(1, (-1, 2)).amax(2)
            y = self.wide(y).view(len(x), 4, -1).transpose(1, 2).reshape(len(x), -1)
            return self.last(torch.cat([y, self.other(x).unflatten(1, (-1, 2)).amax(2)], 1))

    return Net()


@PROBES.add("grouped", "conv grouped", IMAGE, cuts="0 2 4", longer=WIDE)
def grouped():
    return nn.Sequential(conv(3, 16), nn.ReLU(), conv(16, 16, groups=4), nn.ReLU(), conv(16, 24, groups=4), head(24))


@PROBES.add("multiplier", "depthwise with multiplier 2", IMAGE, cuts="0 2 3", longer=WIDE)
def multiplier():
    return nn.Sequential(conv(3, 8), nn.ReLU(), conv(8, 16, groups=8), nn.BatchNorm2d(16), nn.ReLU(), head(16))


@PROBES.add("mobilenet_v1", "depthwise", IMAGE, cuts="0.0 1.0 1.1 2.0", longer=WIDE)
def mobilenet_v1():
    return nn.Sequential(
        conv_bn(3, 8), conv_bn(8, 8, groups=8), conv_bn(8, 16, 1), conv_bn(16, 16, groups=16), head(16)
    )


@PROBES.add("decoder", "conv transposed", IMAGE, cuts="0 2 3", longer=WIDE)
def decoder():
    return nn.Sequential(
        conv(3, 8, stride=2),
        nn.ReLU(),
        nn.ConvTranspose2d(8, 12, 4, stride=2, padding=1),
        nn.BatchNorm2d(12),
        nn.LeakyReLU(0.2),
        conv(12, 3),
        nn.Tanh(),
    )


@PROBES.add("grouped_transposed", "conv grouped transposed", IMAGE, cuts="0 2 4", longer=WIDE)
def grouped_transposed():
    return nn.Sequential(
        conv(3, 8),
        nn.ReLU(),
        nn.ConvTranspose2d(8, 12, 2, stride=2, groups=2),
        nn.ReLU(),
        nn.ConvTranspose2d(12, 8, 3, groups=4),
        nn.ReLU(),
        conv(8, 2),
    )


@PROBES.add("depthwise_transposed", "conv grouped transposed", IMAGE, cuts="0 2", longer=WIDE)
def depthwise_transposed():
    return nn.Sequential(
        conv(3, 8), nn.ReLU(), nn.ConvTranspose2d(8, 8, 4, stride=2, padding=1, groups=8), nn.ReLU(), conv(8, 2)
    )


@PROBES.add("sound", "conv 1-D", SOUND, cuts="0 1 3", longer=numbers(2, 4, 31))
def sound():
    return nn.Sequential(
        nn.Conv1d(4, 12, 7, stride=2, padding=3),
        nn.BatchNorm1d(12),
        nn.SiLU(),
        nn.Conv1d(12, 12, 3, padding=1, padding_mode="circular"),
        nn.ReLU(),
        nn.ConvTranspose1d(12, 4, 2, stride=2),
    )


@PROBES.add("video", "conv 3-D", numbers(2, 3, 4, 6, 6), cuts="0 1 4 5", longer=numbers(2, 3, 6, 6, 8))
def video():
    return nn.Sequential(
        nn.Conv3d(3, 8, 3, padding=1),
        nn.BatchNorm3d(8),
        nn.ReLU(),
        nn.MaxPool3d((1, 2, 2)),
        nn.Conv3d(8, 8, (3, 1, 1), padding=(1, 0, 0), groups=8),
        nn.Conv3d(8, 12, 1),
        nn.ReLU(),
        nn.AdaptiveAvgPool3d(1),
        nn.Flatten(),
        nn.Linear(12, 4),
    )


@PROBES.add("tdnn", "TDNN", SOUND, cuts="frames.0 frames.3 embed", longer=numbers(2, 4, 40))
class TDNN(nn.Module):
    """An x-vector network: dilated convolutions over time, pooled as mean and deviation."""

    def __init__(self):
        super().__init__()
        self.frames = nn.Sequential(
            nn.Conv1d(4, 12, 5), nn.ReLU(), nn.BatchNorm1d(12), nn.Conv1d(12, 10, 3, dilation=2), nn.ReLU()
        )
        self.embed, self.out = nn.Linear(20, 12), nn.Linear(12, 6)

    def forward(self, x):
        x = self.frames(x)
        x = torch.cat([x.mean(dim=2), x.std(dim=2)], dim=1)
        return self.out(F.relu(self.embed(x)))


# -- normalization ----------------------------------------------------------------------------------------------------


class Normed(nn.Module):
    def __init__(self, norm, act=F.relu):
        super().__init__()
        self.a, self.norm1, self.b, self.norm2 = conv(3, 16), norm(16), conv(16, 16), norm(16)
        self.act, self.head = act, nn.Linear(16, 5)

    def forward(self, x):
        x = self.act(self.norm1(self.a(x)))
        x = x + self.act(self.norm2(self.b(x)))
        return self.head(x.mean((2, 3)))


for _name, _kind, _norm in (
    ("batch_norm", "BatchNorm", nn.BatchNorm2d),
    ("batch_norm_bare", "BatchNorm", lambda c: nn.BatchNorm2d(c, affine=False)),
    ("group_norm", "GroupNorm", lambda c: nn.GroupNorm(4, c)),
    ("group_norm_one", "GroupNorm", lambda c: nn.GroupNorm(1, c)),
    ("group_norm_bare", "GroupNorm", lambda c: nn.GroupNorm(4, c, affine=False)),
    ("instance_norm", "InstanceNorm", nn.InstanceNorm2d),
    ("instance_norm_affine", "InstanceNorm", lambda c: nn.InstanceNorm2d(c, affine=True)),
    ("instance_norm_tracked", "InstanceNorm", lambda c: nn.InstanceNorm2d(c, affine=True, track_running_stats=True)),
):
    PROBES.add(_name, _kind, IMAGE, cuts="a b", longer=WIDE)(lambda norm=_norm: Normed(norm))


class ChannelNorm(nn.LayerNorm):
    """LayerNorm over the channels of NCHW, as timm writes it."""

    def forward(self, x):
        x = x.permute(0, 2, 3, 1)
        x = F.layer_norm(x, self.normalized_shape, self.weight, self.bias, self.eps)
        return x.permute(0, 3, 1, 2)


@PROBES.add("channel_norm", "LayerNorm NHWC", IMAGE, cuts="a b norm1 norm2", longer=WIDE)
def channel_norm():
    return Normed(ChannelNorm, F.gelu)


@PROBES.add("nhwc", "NHWC", images(2, 8, 8, 3), cuts="conv norm up", longer=images(2, 12, 8, 3))
class Nhwc(nn.Module):
    """Channels last all through: linear layers, LayerNorm, one convolution between permutes."""

    def __init__(self):
        super().__init__()
        self.inp, self.norm, self.conv = nn.Linear(3, 12), nn.LayerNorm(12), conv(12, 12)
        self.up, self.out = nn.Linear(12, 16), nn.Linear(16, 4)

    def forward(self, x):
        x = self.norm(self.inp(x))
        x = self.conv(x.permute(0, 3, 1, 2)).permute(0, 2, 3, 1)
        return self.out(F.gelu(self.up(x)).mean(dim=(1, 2)))


@PROBES.add(
    "convnext",
    "ConvNeXt block",
    IMAGE,
    cuts="stem blocks.0.dwconv blocks.0.norm blocks.0.pwconv1 blocks.0",
    longer=WIDE,
)
class ConvNext(nn.Module):
    class Block(nn.Module):
        def __init__(self, dim):
            super().__init__()
            self.dwconv, self.norm = conv(dim, dim, 7, groups=dim), nn.LayerNorm(dim, eps=1e-6)
            self.pwconv1, self.act, self.pwconv2 = nn.Linear(dim, 4 * dim), nn.GELU(), nn.Linear(4 * dim, dim)
            self.gamma = nn.Parameter(1e-6 * torch.ones(dim))

        def forward(self, x):
            shortcut = x
            x = self.dwconv(x).permute(0, 2, 3, 1)  # (N, C, H, W) -> (N, H, W, C)
            x = self.gamma * self.pwconv2(self.act(self.pwconv1(self.norm(x))))
            return shortcut + x.permute(0, 3, 1, 2)

    def __init__(self):
        super().__init__()
        self.stem = nn.Conv2d(3, 8, 2, stride=2)
        self.blocks = nn.Sequential(self.Block(8), self.Block(8))
        self.norm, self.head = nn.LayerNorm(8), nn.Linear(8, 5)

    def forward(self, x):
        return self.head(self.norm(self.blocks(self.stem(x)).mean([-2, -1])))


# -- residual, concatenation, split -----------------------------------------------------------------------------------


@PROBES.add(
    "resnet_basic",
    "residual add",
    IMAGE,
    cuts="conv1 bn1 layer1.conv1 layer1.conv2 layer2.conv1 layer2.down.0",
    longer=WIDE,
)
class ResNet(nn.Module):
    class Basic(nn.Module):
        def __init__(self, i, o, stride=1):
            super().__init__()
            self.conv1, self.bn1 = conv(i, o, stride=stride, bias=False), nn.BatchNorm2d(o)
            self.conv2, self.bn2, self.relu = conv(o, o, bias=False), nn.BatchNorm2d(o), nn.ReLU(inplace=True)
            self.down = None
            if stride != 1 or i != o:
                self.down = nn.Sequential(nn.Conv2d(i, o, 1, stride, bias=False), nn.BatchNorm2d(o))

        def forward(self, x):
            identity = x if self.down is None else self.down(x)
            out = self.relu(self.bn1(self.conv1(x)))
            out = self.bn2(self.conv2(out))
            out += identity
            return self.relu(out)

    def __init__(self):
        super().__init__()
        self.conv1, self.bn1 = conv(3, 8, bias=False), nn.BatchNorm2d(8)
        self.layer1, self.layer2, self.fc = self.Basic(8, 8), self.Basic(8, 12, 2), nn.Linear(12, 5)

    def forward(self, x):
        x = self.layer2(self.layer1(F.relu(self.bn1(self.conv1(x)))))
        return self.fc(torch.flatten(F.adaptive_avg_pool2d(x, 1), 1))


@PROBES.add("bottleneck", "ResNet bottleneck", IMAGE, cuts="stem.0 a.0.0 a.1.0 a.2.0 short.0 b.1.0", longer=WIDE)
class Bottleneck(nn.Module):
    def __init__(self):
        super().__init__()
        self.stem, self.short = conv_bn(3, 8), nn.Sequential(conv(8, 16, 1, bias=False), nn.BatchNorm2d(16))
        self.a = nn.Sequential(conv_bn(8, 4, 1), conv_bn(4, 4), nn.Sequential(conv(4, 16, 1), nn.BatchNorm2d(16)))
        self.b = nn.Sequential(conv_bn(16, 4, 1), conv_bn(4, 4), nn.Sequential(conv(4, 16, 1), nn.BatchNorm2d(16)))
        self.head = head(16)

    def forward(self, x):
        x = self.stem(x)
        x = F.relu(self.a(x) + self.short(x))
        return self.head(F.relu(self.b(x) + x))


@PROBES.add(
    "densenet", "DenseNet concat", IMAGE, cuts="first layers.0.conv1 layers.0.conv2 layers.2.norm1 trans", longer=WIDE
)
class DenseNet(nn.Module):
    class Layer(nn.Module):
        def __init__(self, i, growth):
            super().__init__()
            self.norm1, self.conv1 = nn.BatchNorm2d(i), conv(i, 2 * growth, 1, bias=False)
            self.norm2, self.conv2 = nn.BatchNorm2d(2 * growth), conv(2 * growth, growth, bias=False)

        def forward(self, features):
            x = torch.cat(features, 1)
            return self.conv2(F.relu(self.norm2(self.conv1(F.relu(self.norm1(x))))))

    def __init__(self):
        super().__init__()
        self.first, self.layers = conv(3, 8), nn.ModuleList(self.Layer(8 + 4 * i, 4) for i in range(3))
        self.trans, self.norm, self.head = conv(20, 10, 1), nn.BatchNorm2d(10), nn.Linear(10, 5)

    def forward(self, x):
        features = [self.first(x)]
        for layer in self.layers:
            features.append(layer(features))
        x = F.avg_pool2d(self.trans(torch.cat(features, 1)), 2)
        return self.head(F.relu(self.norm(x)).mean((2, 3)))


@PROBES.add(
    "inception", "Inception concat", IMAGE, cuts="stem.0 one.0 three.0.0 three.1.0 pool.1.0 after.0", longer=WIDE
)
class Inception(nn.Module):
    def __init__(self):
        super().__init__()
        self.stem, self.one, self.three = (
            conv_bn(3, 8),
            conv_bn(8, 6, 1),
            nn.Sequential(conv_bn(8, 4, 1), conv_bn(4, 8)),
        )
        self.pool = nn.Sequential(nn.MaxPool2d(3, 1, 1), conv_bn(8, 4, 1))
        self.after, self.head = conv_bn(18, 10, 1), head(10)

    def forward(self, x):
        x = self.stem(x)
        return self.head(self.after(torch.cat((self.one(x), self.three(x), self.pool(x)), dim=1)))


@PROBES.add("unet", "U-Net skip concat", IMAGE, cuts="enc1.0 enc2.0 mid.0 up2 dec2.0 up1 dec1.0", longer=WIDE)
class UNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.enc1, self.enc2, self.mid = conv_bn(3, 6), conv_bn(6, 8), conv_bn(8, 12)
        self.up2, self.dec2 = nn.ConvTranspose2d(12, 8, 2, 2), conv_bn(16, 8)
        self.up1, self.dec1, self.out = nn.ConvTranspose2d(8, 6, 2, 2), conv_bn(12, 6), nn.Conv2d(6, 2, 1)

    def forward(self, x):
        e1 = self.enc1(x)
        e2 = self.enc2(F.max_pool2d(e1, 2))
        m = self.mid(F.max_pool2d(e2, 2))
        d2 = self.dec2(torch.cat([self.up2(m), e2], dim=1))
        d1 = self.dec1(torch.cat([self.up1(d2), e1], dim=1))
        return self.out(d1)


@PROBES.add("pyramid", "residual add", IMAGE, cuts="c1.0 c2.0 lat1 lat2 smooth", longer=WIDE)
class Pyramid(nn.Module):
    """A feature pyramid: coarse features are resized and added to fine ones; two outputs."""

    def __init__(self):
        super().__init__()
        self.c1, self.c2 = conv_bn(3, 8), conv_bn(8, 12, stride=2)
        self.lat1, self.lat2, self.smooth, self.out = conv(8, 8, 1), conv(12, 8, 1), conv(8, 8), conv(8, 2, 1)

    def forward(self, x):
        c1 = self.c1(x)
        p2 = self.lat2(self.c2(c1))
        p1 = self.lat1(c1) + F.interpolate(p2, size=c1.shape[-2:], mode="nearest")
        return self.out(F.relu(self.smooth(p1))), self.out(F.relu(self.smooth(p2)))


@PROBES.add("fire", "concat", IMAGE, cuts="squeeze left right last")
class Fire(nn.Module):
    def __init__(self):
        super().__init__()
        self.squeeze, self.left, self.right = conv(3, 6, 1), conv(6, 8, 1), conv(6, 8)
        self.last, self.fc = conv(16, 4), nn.Linear(4 * 16, 5)

    def forward(self, x):
        x = F.relu(self.squeeze(x))
        x = torch.cat([F.relu(self.left(x)), F.relu(self.right(x))], 1)
        x = F.max_pool2d(F.relu(self.last(x)), 2)
        return self.fc(x.view(x.size(0), -1))


@PROBES.add("c2f", "chunk", IMAGE, cuts="cv1.0 m.0.0.0 m.1.1.0 cv2.0", longer=WIDE)
class C2f(nn.Module):
    """YOLO's block: one half goes on, each step is kept, all are concatenated."""

    def __init__(self):
        super().__init__()
        self.cv1, self.cv2 = conv_bn(3, 12, 1), conv_bn(24, 10, 1)
        self.m = nn.ModuleList(nn.Sequential(conv_bn(6, 6), conv_bn(6, 6)) for _ in range(2))
        self.head = head(10)

    def forward(self, x):
        y = list(self.cv1(x).chunk(2, 1))
        y.extend(m(y[-1]) for m in self.m)
        return self.head(self.cv2(torch.cat(y, 1)))


@PROBES.add("split_sizes", "split by attributes", IMAGE, cuts="stem left right last", longer=WIDE)
class SplitSizes(nn.Module):
    def __init__(self):
        super().__init__()
        self.left_channels, self.right_channels = 8, 4
        self.stem, self.left, self.right, self.last = conv(3, 12), conv(8, 6), conv(4, 6), conv(6, 8)
        self.head = head(8)

    def forward(self, x):
        a, b = torch.split(self.stem(x), [self.left_channels, self.right_channels], dim=1)
        return self.head(F.relu(self.last(F.relu(self.left(a)) + F.relu(self.right(b)))))


@PROBES.add("split_half", "split by attributes", IMAGE, cuts="stem body last", longer=WIDE)
class SplitHalf(nn.Module):
    """ResNeSt, Res2Net: equal parts by a width the module knows."""

    def __init__(self):
        super().__init__()
        self.width = 6
        self.stem, self.body, self.last, self.head = conv(3, 18, 1), conv(6, 6), conv(18, 8, 1), head(8)

    def forward(self, x):
        parts = torch.split(self.stem(x), self.width, dim=1)
        y = F.relu(self.body(parts[0]))
        z = F.relu(self.body(y + parts[1]))
        return self.head(F.relu(self.last(torch.cat([y, z, parts[2]], dim=1))))


@PROBES.add("shufflenet_v2", "channel shuffle", IMAGE, cuts="stem.0 branch.0.0.0 branch.0.1 branch.1.3.0", longer=WIDE)
class ShuffleV2(nn.Module):
    def __init__(self):
        super().__init__()
        self.stem = conv_bn(3, 16)
        self.branch = nn.ModuleList(
            nn.Sequential(conv_bn(8, 8, 1), conv(8, 8, groups=8), nn.BatchNorm2d(8), conv_bn(8, 8, 1)) for _ in range(2)
        )
        self.last, self.head = conv_bn(16, 12, 1), head(12)

    def forward(self, x):
        x = self.stem(x)
        for branch in self.branch:
            x1, x2 = x.chunk(2, dim=1)
            x = torch.cat((x1, branch(x2)), dim=1)
            b, c, h, w = x.size()
            x = x.view(b, 2, c // 2, h, w).transpose(1, 2).contiguous().view(b, -1, h, w)
        return self.head(self.last(x))


@PROBES.add("shufflenet_v1", "channel shuffle", IMAGE, cuts="stem a b c", longer=WIDE)
class ShuffleV1(nn.Module):
    def __init__(self):
        super().__init__()
        self.stem, self.a, self.b, self.c = (
            conv(3, 18),
            conv(18, 18, 1, groups=3),
            conv(18, 18, groups=18),
            conv(18, 18, 1, groups=3),
        )
        self.shuffle, self.head = nn.ChannelShuffle(3), head(18)

    def forward(self, x):
        x = self.stem(x)
        y = self.c(self.b(self.shuffle(F.relu(self.a(x)))))
        return self.head(F.relu(x + y))


# -- gates and shuffled pixels ----------------------------------------------------------------------------------------


@PROBES.add("squeeze_excite", "squeeze-excite", IMAGE, cuts="stem se.fc1 se.fc2 last", longer=WIDE)
class SqueezeExcite(nn.Module):
    class Gate(nn.Module):
        def __init__(self, c, r):
            super().__init__()
            self.pool, self.fc1, self.fc2 = nn.AdaptiveAvgPool2d(1), nn.Conv2d(c, r, 1), nn.Conv2d(r, c, 1)

        def forward(self, x):
            return x * torch.sigmoid(self.fc2(F.relu(self.fc1(self.pool(x)))))

    def __init__(self):
        super().__init__()
        self.stem, self.se, self.last, self.head = conv(3, 12), self.Gate(12, 6), conv(12, 8), head(8)

    def forward(self, x):
        return self.head(F.relu(self.last(self.se(F.relu(self.stem(x))))))


@PROBES.add("squeeze_linear", "squeeze-excite", IMAGE, cuts="stem fc.0 fc.2", longer=WIDE)
class SqueezeLinear(nn.Module):
    """The original form: linear layers and a view back to the image."""

    def __init__(self):
        super().__init__()
        self.stem, self.head = conv(3, 12), head(12)
        self.fc = nn.Sequential(nn.Linear(12, 4, bias=False), nn.ReLU(), nn.Linear(4, 12, bias=False), nn.Sigmoid())

    def forward(self, x):
        x = self.stem(x)
        b, c, _, _ = x.size()
        y = self.fc(F.adaptive_avg_pool2d(x, 1).view(b, c)).view(b, c, 1, 1)
        return self.head(x * y.expand_as(x))


@PROBES.add("mobilenet_v2", "MobileNet inverted residual", IMAGE, cuts="stem.0 expand.0 depth.0 project.0", longer=WIDE)
class InvertedResidual(nn.Module):
    def __init__(self):
        super().__init__()
        self.stem, self.expand, self.head = conv_bn(3, 8), conv_bn(8, 24, 1), head(8)
        self.depth = nn.Sequential(conv(24, 24, groups=24, bias=False), nn.BatchNorm2d(24), nn.ReLU6(inplace=True))
        self.project = nn.Sequential(conv(24, 8, 1, bias=False), nn.BatchNorm2d(8))

    def forward(self, x):
        x = self.stem(x)
        return self.head(x + self.project(self.depth(self.expand(x))))


@PROBES.add(
    "mobilenet_v3", "MobileNet inverted residual", IMAGE, cuts="stem expand.0 depth.0 se1 se2 project.0", longer=WIDE
)
class InvertedResidualV3(nn.Module):
    def __init__(self):
        super().__init__()
        self.stem, self.act = conv(3, 8, stride=2), nn.Hardswish(inplace=True)
        self.expand = nn.Sequential(conv(8, 16, 1, bias=False), nn.BatchNorm2d(16))
        self.depth = nn.Sequential(conv(16, 16, 5, groups=16, bias=False), nn.BatchNorm2d(16))
        self.se1, self.se2 = nn.Conv2d(16, 6, 1), nn.Conv2d(6, 16, 1)
        self.project, self.head = nn.Sequential(conv(16, 8, 1, bias=False), nn.BatchNorm2d(8)), head(8)

    def forward(self, x):
        x = self.act(self.stem(x))
        y = self.act(self.expand(x))
        y = self.act(self.depth(y))
        scale = F.hardsigmoid(self.se2(F.relu(self.se1(F.adaptive_avg_pool2d(y, 1)))))
        return self.head(self.project(scale * y) + x)


@PROBES.add("glu", "GLU", IMAGE, cuts="0 2", longer=WIDE)
def glu():
    return nn.Sequential(conv(3, 16), nn.GLU(dim=1), conv(8, 12), nn.GLU(dim=1), head(6))


@PROBES.add("wavenet", "WaveNet", SOUND, cuts="inp dilated.0 residual.0 skip.0 skip.1 post", longer=numbers(2, 4, 30))
class WaveNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.channels = 8
        self.inp, self.post, self.out = nn.Conv1d(4, 8, 1), nn.Conv1d(12, 10, 1), nn.Conv1d(10, 6, 1)
        self.dilated = nn.ModuleList(nn.Conv1d(8, 16, 2, dilation=2**i) for i in range(3))
        self.residual = nn.ModuleList(nn.Conv1d(8, 8, 1) for _ in range(3))
        self.skip = nn.ModuleList(nn.Conv1d(8, 12, 1) for _ in range(3))

    def forward(self, x):
        x, total = self.inp(x), 0
        for i, (dilated, residual, skip) in enumerate(zip(self.dilated, self.residual, self.skip, strict=True)):
            value, gate = dilated(F.pad(x, (2**i, 0))).chunk(2, dim=1)
            y = torch.tanh(value) * torch.sigmoid(gate)
            total = total + skip(y)
            x = x + residual(y)
        return self.out(F.relu(self.post(F.relu(total))))


@PROBES.add("pixel_shuffle", "pixel-shuffle", IMAGE, cuts="0 2 5", longer=WIDE)
def pixel_shuffle():
    return nn.Sequential(
        conv(3, 8), nn.ReLU(), conv(8, 24), nn.PixelShuffle(2), nn.PReLU(6), conv(6, 12), nn.PixelShuffle(2), conv(3, 3)
    )


@PROBES.add("pixel_unshuffle", "pixel-unshuffle", IMAGE, cuts="a b c", longer=WIDE)
class Unshuffle(nn.Module):
    def __init__(self):
        super().__init__()
        self.a, self.b, self.c, self.out = conv(3, 6), conv(24, 12), conv(12, 24), conv(6, 3)

    def forward(self, x):
        y = F.relu(self.a(x))
        z = F.relu(self.c(F.relu(self.b(F.pixel_unshuffle(y, 2)))))
        return self.out(F.pixel_shuffle(z, 2) + y)


@PROBES.add("generator", "reshape", numbers(2, 6), cuts="fc up1 up2")
class Generator(nn.Module):
    """DCGAN: a linear layer whose output becomes an image of as many channels as the module knows."""

    def __init__(self):
        super().__init__()
        self.channels = 12
        self.fc, self.up1, self.up2 = (
            nn.Linear(6, 12 * 4 * 4),
            nn.ConvTranspose2d(12, 8, 4, 2, 1),
            nn.ConvTranspose2d(8, 6, 4, 2, 1),
        )
        self.norm, self.out = nn.BatchNorm2d(8), conv(6, 1)

    def forward(self, z):
        x = F.relu(self.fc(z).view(-1, self.channels, 4, 4))
        return torch.tanh(self.out(F.relu(self.up2(F.relu(self.norm(self.up1(x)))))))


@PROBES.add("cbam", "squeeze-excite", IMAGE, cuts="mlp.0 last", longer=WIDE)
class Cbam(nn.Module):
    """Channel and spatial attention; the spatial one averages over channels."""

    def __init__(self):
        super().__init__()
        self.stem, self.mlp = conv(3, 12), nn.Sequential(nn.Linear(12, 6), nn.ReLU(), nn.Linear(6, 12))
        self.spatial, self.last, self.head = conv(2, 1, 7), conv(12, 8), head(8)

    def forward(self, x):
        x = F.relu(self.stem(x))
        gate = torch.sigmoid(self.mlp(x.mean((2, 3))) + self.mlp(x.amax((2, 3))))
        x = x * gate.unsqueeze(-1).unsqueeze(-1)
        maps = torch.cat([x.mean(1, keepdim=True), x.max(1, keepdim=True)[0]], 1)
        return self.head(F.relu(self.last(x * torch.sigmoid(self.spatial(maps)))))


@PROBES.add(
    "siamese", "shared layers", (IMAGE, images(2, 3, 8, 8) + 0.5), cuts="body.0 body.2 fc", longer=(WIDE, WIDE * 0.5)
)
class Siamese(nn.Module):
    def __init__(self):
        super().__init__()
        self.body = nn.Sequential(conv(3, 8), nn.ReLU(), conv(8, 10), nn.ReLU(), nn.AdaptiveMaxPool2d(1), nn.Flatten())
        self.fc, self.out = nn.Linear(20, 12), nn.Linear(12, 1)

    def forward(self, a, b):
        a, b = self.body(a), self.body(b)
        return self.out(F.relu(self.fc(torch.cat([torch.abs(a - b), a * b], dim=-1))))
