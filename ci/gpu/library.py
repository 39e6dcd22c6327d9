"""The part of liblayerwise's C API that is needed to compare products."""

import ctypes

KIND_SHORTCUT = 4  # a convolution alone
LOSS_NONE = 0
OPTIMIZER_SGD = 0
PRECISIONS = {"auto": 0, "f32": 1, "bf16": 2}


class Options(ctypes.Structure):
    _fields_ = [
        ("device", ctypes.c_char_p),
        ("threads", ctypes.c_int32),
        ("seed", ctypes.c_uint64),
        ("precision", ctypes.c_int32),
        ("engine", ctypes.c_char_p),
        ("tf32", ctypes.c_int32),
        ("engine_choices", ctypes.c_char_p),
        ("profiled", ctypes.c_int32),
    ]


class BlockConfig(ctypes.Structure):
    _fields_ = (
        [("name", ctypes.c_char_p), ("index", ctypes.c_int32), ("kind", ctypes.c_int32)]
        + [(name, ctypes.c_int32) for name in ("in_channels", "in_height", "in_width", "out_channels")]
        + [(name, ctypes.c_int32) for name in ("kernel", "stride", "padding", "bias", "batch_norm")]
        + [("negative_slope", ctypes.c_double), ("dropout", ctypes.c_double)]
        + [("max_pool", ctypes.c_int32), ("normalize_input", ctypes.c_int32), ("input_dropout", ctypes.c_double)]
        + [("average_pool", ctypes.c_int32), ("affine", ctypes.c_int32), ("norm_momentum", ctypes.c_double)]
        + [("loss", ctypes.c_int32), ("beta", ctypes.c_double)]
        + [(name, ctypes.c_int32) for name in ("similarity_std", "dim_in_decoder", "classes", "unsupervised")]
        + [("alpha", ctypes.c_double), ("bio", ctypes.c_int32), ("target_proj_size", ctypes.c_int32)]
        + [("loss_scale", ctypes.c_double), ("zero_start", ctypes.c_int32), ("optimizer", ctypes.c_int32)]
        + [("momentum", ctypes.c_double), ("weight_decay", ctypes.c_double)]
    )


class Library:
    """`path`: liblayerwise.so. Calls raise RuntimeError with the library's error message."""

    def __init__(self, path):
        self.native = ctypes.CDLL(str(path))
        self.native.layerwise_error_message.restype = ctypes.c_char_p

    def check(self, status):
        if status != 0:
            raise RuntimeError(self.native.layerwise_error_message().decode())

    def convolution(self, device, precision, shape):
        return Convolution(self, device, precision, shape)


class Convolution:
    """A 3×3 convolution with stride 1 and padding 1 on a device, shape (N, C, H, W, O). Arrays are ctypes arrays of
    float in PyTorch's order, (N, C, H, W) and (O, C, 3, 3)."""

    def __init__(self, library, device, precision, shape):
        self.library, self.shape = library, shape
        native = library.native
        options = Options()
        native.layerwise_context_options_defaults(ctypes.byref(options))
        options.device = device.encode()
        if device != "reference":
            options.engine = b"fused"
            options.precision = PRECISIONS[precision]
        self.context = ctypes.c_void_p()
        library.check(native.layerwise_context_create(ctypes.byref(options), ctypes.byref(self.context)))
        config = BlockConfig()
        native.layerwise_block_config_defaults(ctypes.byref(config))
        config.name, config.kind = b"product", KIND_SHORTCUT
        _, config.in_channels, config.in_height, config.in_width, config.out_channels = shape
        config.bias = config.batch_norm = 0
        config.loss, config.optimizer = LOSS_NONE, OPTIMIZER_SGD
        self.block = ctypes.c_void_p()
        library.check(native.layerwise_block_create(self.context, ctypes.byref(config), ctypes.byref(self.block)))

    def run(self, x, weight, d_y):
        """(y, gradient of the weights, gradient of x)."""
        n, c, h, w, o = self.shape
        native, check = self.library.native, self.library.check
        check(native.layerwise_block_tensor_write(self.block, b"0.weight", weight, ctypes.c_int64(len(weight))))
        # One step of plain gradient descent with learning rate 1: the weights decrease by their gradient.
        check(native.layerwise_context_set_step(self.context, ctypes.c_uint64(0), ctypes.c_double(1)))
        input_tensor = self.upload(x, n, c, h, w)
        output = ctypes.c_void_p()
        check(native.layerwise_block_forward(self.block, input_tensor, None, None, ctypes.byref(output)))
        y = self.download(output, n * o * h * w)
        gradient, d_input = self.upload(d_y, n, o, h, w), ctypes.c_void_p()
        check(native.layerwise_block_backward(self.block, gradient, ctypes.byref(d_input), None))
        d_x = self.download(d_input, n * c * h * w)
        after = (ctypes.c_float * len(weight))()
        check(native.layerwise_block_tensor_read(self.block, b"0.weight", after, ctypes.c_int64(len(weight))))
        for tensor in (input_tensor, output, gradient, d_input):
            native.layerwise_tensor_close(tensor)
        return y, after, d_x

    def upload(self, values, *shape):
        tensor = ctypes.c_void_p()
        extents = [ctypes.c_int64(extent) for extent in shape]
        native = self.library.native
        self.library.check(native.layerwise_tensor_create(self.context, values, *extents, ctypes.byref(tensor)))
        return tensor

    def download(self, tensor, count):
        values = (ctypes.c_float * count)()
        self.library.check(self.library.native.layerwise_tensor_read(tensor, values, ctypes.c_int64(count)))
        return values

    def close(self):
        self.library.native.layerwise_block_close(self.block)
        self.library.native.layerwise_context_close(self.context)
