"""The part of liblayerwise's C API that is needed to compare products."""

import ctypes
import pathlib
import re

HEADER = pathlib.Path(__file__).resolve().parents[2] / "native/include/layerwise.h"
TYPES = {"int32_t": ctypes.c_int32, "int64_t": ctypes.c_int64, "uint64_t": ctypes.c_uint64, "double": ctypes.c_double,
         "const char*": ctypes.c_char_p, "layerwise_communicator*": ctypes.c_void_p}


def declarations(header):
    """The structures and the enumerations' constants of the header: ({name: class}, {name: number})."""
    text = re.sub(r"/\*.*?\*/", "", header.read_text(encoding="utf-8"), flags=re.DOTALL)
    types = dict(TYPES)
    for name, body in re.findall(r"typedef struct (\w+) \{(.*?)\}", text, flags=re.DOTALL):
        fields = []
        for kind, names in re.findall(r"((?:const )?\w+\*?) ([^;]+);", body):
            for field, length in re.findall(r"(\w+)(?:\[(\d+)\])?", names):
                fields.append((field, types[kind] * int(length) if length else types[kind]))
        types[name] = type(name, (ctypes.Structure,), {"_fields_": fields})
    constants = {name: int(number) for name, number in re.findall(r"(LAYERWISE_\w+) = (\d+)", text)}
    return types, constants


STRUCTURES, CONSTANTS = declarations(HEADER)


class Library:
    """`path`: liblayerwise.so. Calls raise RuntimeError with the library's error message."""

    def __init__(self, path):
        self.native = ctypes.CDLL(str(path))
        self.native.layerwise_error_message.restype = ctypes.c_char_p

    def check(self, status):
        if status != 0:
            raise RuntimeError(self.native.layerwise_error_message().decode())

    def convolution(self, device, precision, shape, engine="auto"):
        return Convolution(self, device, precision, shape, engine)


class Convolution:
    """A 3×3 convolution with stride 1 and padding 1 on a device, shape (N, C, H, W, O). Arrays are ctypes arrays of
    float in PyTorch's order, (N, C, H, W) and (O, C, 3, 3)."""

    def __init__(self, library, device, precision, shape, engine):
        self.library, self.shape = library, shape
        native = library.native
        options = STRUCTURES["layerwise_context_options"]()
        native.layerwise_context_options_defaults(ctypes.byref(options))
        options.device = device.encode()
        if device != "reference":
            options.engine = engine.encode()
            options.precision = CONSTANTS["LAYERWISE_PRECISION_" + precision.upper()]
        self.context = ctypes.c_void_p()
        library.check(native.layerwise_context_create(ctypes.byref(options), ctypes.byref(self.context)))
        config = STRUCTURES["layerwise_block_config"]()
        native.layerwise_block_config_defaults(ctypes.byref(config))
        config.name, config.kind = b"product", CONSTANTS["LAYERWISE_SHORTCUT"]
        geometry = config.geometry
        _, geometry.in_channels, geometry.in_height, geometry.in_width, geometry.out_channels = shape
        config.bias = config.batch_norm = 0
        config.losses.loss = CONSTANTS["LAYERWISE_LOSS_NONE"]
        config.optimizer.optim = CONSTANTS["LAYERWISE_OPTIM_SGD"]
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
