// Trainings of small networks by one process, or by several that each have a slice of every batch.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <ostream>
#include <string>
#include <vector>

#include "block/block.h"
#include "context/context.h"
#include "context/transfer.h"
#include "processes/communicator.h"

namespace layerwise::testing {

using Values = std::vector<double>;

/// What a run leaves: by name, what must be the same in every process; and rows, of which every process has its own;
/// a device that records steps keeps none.
struct Results {
  std::map<std::string, Values> same;
  std::vector<Values> rows;
  BlockMetrics metrics;
  int replayed = 0;  // steps that the device had recorded
};

/// This process's samples of a step's batch.
struct Slice {
  int64_t first, count;
  uint32_t images;  // which random images the batch has
};

/// The sizes of the slices of each step's batch.
using Split = std::vector<std::vector<int64_t>>;

/// The slices that a rank has.
std::vector<Slice> slices_of(const Split& split, int rank, bool same_images = false);

/// The slice of a batch of random activations and of labels 0, 1, 2, 0, …
struct SliceOfBatch {
  SliceOfBatch(const std::shared_ptr<Context>& context, const Shape& sample, const Slice& slice);

  Activation x;
  ArenaTensor memory;
  Labels labels;
};

/// Tells the context of the slice, the step's number and a learning rate of 0.125.
void begin_step(Context& context, size_t step, const Slice& slice);

/// SGD with momentum: Adam would blow the rounding of a gradient that is almost 0 up to a step's size.
layerwise_optimizer momentum();

Values values_of(Backend& backend, const Tensor& tensor);

/// Trains on slices of the steps' batches.
using Training = std::function<void(const std::shared_ptr<Context>&, const std::vector<Slice>&, Results&)>;

struct TrainingCase {
  const char* name;
  Training training;
};

inline void PrintTo(const TrainingCase& training_case, std::ostream* out) { *out << training_case.name; }

/// All losses, batch norm, dropout, residual networks, backpropagation, and augmentation. Batches have at most 9 images.
std::vector<TrainingCase> training_cases();

/// How a test opens its devices.
using Open = std::function<std::unique_ptr<Backend>()>;

/// What one process ends with. `same_images`: every batch has the same ones; a device that records steps records them, too.
Results alone(const TrainingCase& training_case, const Open& open, const Split& whole_batches, bool same_images = false);

/// What threads in the place of processes end with, together. Expects that all have the same bits.
Results in_parallel(const TrainingCase& training_case, const Open& open, const Split& split, bool same_images = false);

/// Everything in the results, by name.
std::map<std::string, Values> all_values(const Results& results);

/// The largest difference, as a part of the largest value, but at least of 0.1: some values are what rounding leaves of terms
/// of that size, such as a shift in front of another batch norm, whose gradient is 0. Infinite where the shapes differ or
/// something is no number.
double difference(const Values& of, const Values& from);

}  // namespace layerwise::testing
