// What step_benchmark is asked for, and the networks that it knows.
#pragma once

#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <sstream>
#include <stdexcept>
#include <string>
#include <vector>

#include "layerwise.h"

namespace layerwise::benchmark {

inline const char* const usage =
    "usage: step_benchmark MODEL [OPTION...]\n"
    "  MODEL              mlp (3x1024, 28x28 images, 10 classes), vgg8b or vgg11b (32x32 images, 100 classes)\n"
    "  --multiple X       factor of the convolutions' channels (default: 1)\n"
    "  --device D         cpu, cuda, cuda:1, cuda-on-host, ... (default: cpu)\n"
    "  --engine E         auto, or what the device has: fused, hopper, cudnn (default: auto)\n"
    "  --precision P      auto, f32 or bf16 (default: auto)\n"
    "  --batch-size N     images per step (default: 128)\n"
    "  --steps N          that are measured (default: 20)\n"
    "  --warmup N         before those (default: 3)\n"
    "  --threads N        of the cpu (default: 2)\n"
    "  --record yes|no    let the device record and replay steps, where it can (default: yes)\n"
    "  --operations       what each operation takes by the device's clock, in lines of tabs: operation, shapes,\n"
    "                     calls, seconds, fastest call, flops, bytes; instead of whole steps\n"
    "  --json             one JSON object instead of text\n";

struct Options {
  std::string model, device = "cpu", engine = "auto";
  double multiple = 1;
  int32_t precision = LAYERWISE_PRECISION_AUTO;
  int batch = 128, steps = 20, warmup = 3, threads = 2;
  bool record = true, operations = false, json = false;
};

struct Layer {
  layerwise_block_kind kind;
  int32_t outputs;
  bool max_pool;
};

struct Model {
  int32_t channels, side, classes;
  std::vector<Layer> layers;
};

/// `multiple`: of the convolutions' channels, rounded down.
inline Model model_of(const std::string& name, double multiple) {
  const Layer linear{LAYERWISE_LINEAR, 1024, false};
  if (name == "mlp") return {1, 28, 10, {linear, linear, linear, {LAYERWISE_OUTPUT, 10, false}}};
  const bool is_vgg8b = name == "vgg8b";
  if (!is_vgg8b && name != "vgg11b")
    throw std::invalid_argument("there is no model '" + name + "' here; ask for mlp, vgg8b or vgg11b");
  Model model{3, 32, 100, {}};
  std::istringstream features(is_vgg8b ? "128 256 M 256 512 M 512 M 512 M"
                                       : "128 128 128 256 M 256 512 M 512 512 M 512 M");
  for (std::string item; features >> item;) {
    if (item == "M") {
      model.layers.back().max_pool = true;
    } else {
      const auto channels = static_cast<int32_t>(std::stoi(item) * multiple);
      if (channels < 1) throw std::invalid_argument("--multiple leaves no channels");
      model.layers.push_back({LAYERWISE_CONVOLUTION, channels, false});
    }
  }
  model.layers.push_back(linear);
  model.layers.push_back({LAYERWISE_OUTPUT, model.classes, false});
  return model;
}

/// Of a step: forward and weight gradient of every layer, three passes through each similarity convolution and local
/// classifier, as the command line's `bench step` counts them. Multiplications and additions.
inline double flops_per_image(const Model& model) {
  constexpr double most_features = 4096;  // of a local classifier
  double flops = 0, channels = model.channels, side = model.side;
  for (const Layer& layer : model.layers) {
    const bool is_convolution = layer.kind == LAYERWISE_CONVOLUTION;
    const double positions = is_convolution ? side * side : 1, taps = is_convolution ? 9 : side * side;
    const double outputs = layer.outputs;
    flops += 2 * 2 * positions * taps * channels * outputs;
    if (layer.kind != LAYERWISE_OUTPUT) {
      flops += 3 * 2 * positions * (is_convolution ? 9 : 1) * outputs * outputs;
      double height = positions > 1 ? side : 1, width = height;
      for (int kernel = 2; outputs * height * width > most_features && height > 1; kernel *= 2) {
        height = std::ceil(side / kernel);
        if (outputs * height * width > most_features) width = std::ceil(side / kernel);
      }
      flops += 3 * 2 * outputs * height * width * model.classes;
    }
    channels = outputs;
    side = is_convolution ? side / (layer.max_pool ? 2 : 1) : 1;
  }
  return flops;
}

inline int whole_number(const std::string& option, const std::string& value, int least) {
  size_t read = 0;
  int number = 0;
  try {
    number = std::stoi(value, &read);
  } catch (const std::exception&) {
    read = 0;
  }
  if (read != value.size() || read == 0 || number < least || number > 1'000'000)
    throw std::invalid_argument(option + " takes a whole number from " + std::to_string(least) + " on, not '" + value +
                                "'");
  return number;
}

inline double multiple_of(const std::string& value) {
  char* end = nullptr;
  const double multiple = std::strtod(value.c_str(), &end);
  if (*end != '\0' || !(multiple > 0 && multiple <= 64))
    throw std::invalid_argument("--multiple takes a number above 0, up to 64, not '" + value + "'");
  return multiple;
}

/// False where help is asked for. Throws std::invalid_argument, one sentence.
inline bool parse(int argc, char** argv, Options& options) {
  const std::vector<std::string> arguments(argv + 1, argv + argc);
  for (size_t i = 0; i < arguments.size(); ++i) {
    const std::string& argument = arguments[i];
    const auto value = [&]() -> const std::string& {
      if (i + 1 == arguments.size()) throw std::invalid_argument(argument + " needs a value");
      return arguments[++i];
    };
    if (argument == "--help") return false;
    if (argument == "--operations") {
      options.operations = true;
    } else if (argument == "--json") {
      options.json = true;
    } else if (argument == "--device") {
      options.device = value();
    } else if (argument == "--engine") {
      options.engine = value();
    } else if (argument == "--batch-size") {
      options.batch = whole_number(argument, value(), 1);
    } else if (argument == "--steps") {
      options.steps = whole_number(argument, value(), 1);
    } else if (argument == "--warmup") {
      options.warmup = whole_number(argument, value(), 0);
    } else if (argument == "--threads") {
      options.threads = whole_number(argument, value(), 1);
    } else if (argument == "--multiple") {
      options.multiple = multiple_of(value());
    } else if (argument == "--record") {
      const std::string& text = value();
      if (text != "yes" && text != "no") throw std::invalid_argument("--record takes yes or no, not '" + text + "'");
      options.record = text == "yes";
    } else if (argument == "--precision") {
      const std::string& text = value();
      if (text != "auto" && text != "f32" && text != "bf16")
        throw std::invalid_argument("--precision takes auto, f32 or bf16, not '" + text + "'");
      options.precision = text == "f32"    ? LAYERWISE_PRECISION_F32
                          : text == "bf16" ? LAYERWISE_PRECISION_BF16
                                           : LAYERWISE_PRECISION_AUTO;
    } else if (argument.rfind("-", 0) == 0 || !options.model.empty()) {
      throw std::invalid_argument("there is no option '" + argument + "'");
    } else {
      options.model = argument;
    }
  }
  if (options.model.empty()) throw std::invalid_argument("no MODEL is given");
  model_of(options.model, options.multiple);
  return true;
}

}  // namespace layerwise::benchmark
