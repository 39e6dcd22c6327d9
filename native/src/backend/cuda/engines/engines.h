// The engines of one device: who does its large products (product.h).
//
// An engine is a row of the registry in engines.cpp: a name, what it supports, how it does a product, and its plans where
// it has several ways of doing one. The first engine, this project's own kernels, supports everything. Under "auto" the
// fastest engine and plan is found by timing (engine_choice.h), and none is trusted before its results have been compared
// with those of the first on the operands at hand: a kernel or library that is wrong for a shape never trains a network.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "backend/cuda/engines/engine_choice.h"
#include "backend/cuda/launch_order.h"
#include "backend/cuda/product.h"
#include "backend/cuda/engines/vendor_engine.h"

namespace layerwise::cuda {

struct Engine {
  const char* name;
  /// What a user asks for with --engine to have it: its own name, or that of a group.
  const char* asked_for_as;
  bool (*supports)(const Device& device, const Product& product);
  /// By the plan of that name, or the one that the engine likes best where the name is empty. False, with nothing done
  /// that matters, where it turns out that the engine does not do it, or has no such plan.
  bool (*run)(Device& device, const Product& product, const std::string& plan);
  /// Names of the plans that are worth timing, of an engine that has some; null otherwise.
  std::vector<std::string> (*plans)(Device& device, const Product& product);
};

/// All engines, in the order in which they are preferred where times are equal.
const std::vector<Engine>& engine_registry();

struct Engines {
  std::string asked_for;                 // "auto", or the engines that the user wants wherever they do a product
  std::unique_ptr<VendorEngine> vendor;  // or null
  EngineChoice choice;
  bool chooses;  // by timing, among all engines
  Phase phase = Phase::usual;

  void run(Device& device, const Product& product);
};

/// Opens what `options` ask for, on the device with these properties; choices are kept by card and driver.
/// Throws Error(device_unavailable) where an engine is asked for that this device cannot have, or where libraries are asked
/// for, or were used by the run that the options' choices come from, and are not there.
Engines open_engines(cudaStream_t stream, Arena& arena, const DeviceOptions& options,
                     const cudaDeviceProp& properties);

/// A name for the sources that kernels are made of: what was found out with others may not hold.
const char* kernel_revision();

// Of the registry.
bool supports_cublas(const Device& device, const Product& product);
bool supports_cudnn(const Device& device, const Product& product);
bool run_by_cublas(Device& device, const Product& product, const std::string& plan);
bool run_by_cudnn(Device& device, const Product& product, const std::string& plan);
std::vector<std::string> plans_of_cudnn(Device& device, const Product& product);

}  // namespace layerwise::cuda
