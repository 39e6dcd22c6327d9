#include "context/data_set.h"

#include <utility>

#include "context/transfer.h"
#include "core/error.h"

namespace layerwise {

DataSet::DataSet(std::shared_ptr<Context> context, const Shape& shape, const uint8_t* pixels, const int32_t* labels,
                 int32_t classes, const float* mean, const float* deviation, bool in_place)
    : context_(std::move(context)), classes_(classes) {
  require(shape.n > 0 && shape.h > 0 && shape.w > 0 && shape.c > 0, "a data set of ", shape.to_string(),
          " images is empty");
  require(classes >= 2, "a data set needs at least 2 classes, not ", classes);
  for (int64_t i = 0; i < shape.n; ++i)
    require(labels[i] >= 0 && labels[i] < classes, "label ", labels[i], " of image ", i, " is not in 0 … ",
            classes - 1);
  for (int64_t c = 0; c < shape.c; ++c)
    require(deviation[c] > 0, "the deviation of channel ", c, " must be positive, not ", deviation[c]);

  Backend& backend = context_->backend();
  const auto make = [&](DataType type, const Shape& of) {
    return DeviceBuffer(context_, type, of, &Context::dataset_bytes);
  };
  if (in_place && backend.uses_host_memory()) {
    pixels_ = {const_cast<uint8_t*>(pixels), DataType::uint8, shape};  // operations only read them
  } else {
    copy_ = make(DataType::uint8, shape);
    backend.copy_to_device(copy_.view().data, pixels, copy_.view().bytes());
    pixels_ = copy_.view();
  }
  labels_ = make(DataType::int32, Shape::vector(shape.n));
  mean_ = make(backend.parameter_type(), Shape::vector(shape.c));
  deviation_ = make(backend.parameter_type(), Shape::vector(shape.c));
  upload(backend, labels, labels_.view());
  upload(backend, mean, mean_.view());
  upload(backend, deviation, deviation_.view());
}

void DataSet::choose(const int32_t* indices, int64_t count) {
  const int64_t images = pixels_.shape.n;
  require(count > 0, "a batch needs at least one image");
  for (int64_t i = 0; i < count; ++i)
    require(indices[i] >= 0 && indices[i] < images, "index ", indices[i], " is not in 0 … ", images - 1);
  if (!chosen_ || chosen_.view().shape.elements() < count)
    chosen_ = DeviceBuffer(context_, DataType::int32, Shape::vector(count), &Context::dataset_bytes);
  chosen_count_ = count;
  upload(context_->backend(), indices, chosen());
}

Tensor DataSet::chosen() const { return {chosen_.view().data, DataType::int32, Shape::vector(chosen_count_)}; }

DataSet::Batch DataSet::batch(const Augmentation& augmentation, const Mixing& mixing) {
  require_state(chosen_count_ > 0, "no images of the data set have been chosen");
  require(augmentation.crop_padding >= 0, "crop padding must not be negative, but is ", augmentation.crop_padding);
  require(augmentation.holes >= 0 && augmentation.hole_length >= 0, "cutout needs a number of holes and a length, not ",
          augmentation.holes, " and ", augmentation.hole_length);
  require(mixing.mixup_alpha >= 0 && mixing.cutmix_alpha >= 0, "the alphas of mixup and cutmix must not be negative, but are ",
          mixing.mixup_alpha, " and ", mixing.cutmix_alpha);
  if (!mixing.is_on()) return load(augmentation);

  Backend& backend = context_->backend();
  DataParallel& data_parallel = context_->data_parallel();
  const Shape& images = pixels_.shape;
  Batch mixed;
  mixed.images = backend.arena().take(backend.activation_type(), {chosen_count_, images.h, images.w, images.c});
  mixed.labels = backend.arena().take(backend.parameter_type(), Shape::matrix(chosen_count_, classes_));
  const Batch own = load(augmentation);
  const GatheredRows all_images = data_parallel.gather(own.images), all_labels = data_parallel.gather(own.labels);
  MixBatch op;
  op.mixing = mixing;
  op.images = all_images.all;
  op.labels = all_labels.all;
  op.first_row = data_parallel.first_statistics_sample();
  op.mixed = mixed.images;
  op.targets = mixed.labels;
  backend.mix_batch(op);
  return mixed;
}

DataSet::Batch DataSet::load(const Augmentation& augmentation) const {
  const Shape& images = pixels_.shape;
  const int64_t count = chosen_count_;
  Backend& backend = context_->backend();
  Batch batch;
  batch.images = backend.arena().take(backend.activation_type(), {count, images.h, images.w, images.c});
  batch.labels = backend.arena().take(DataType::int32, Shape::vector(count));
  LoadBatch op;
  op.pixels = pixels_;
  op.dataset_labels = labels_.view();
  op.indices = chosen();
  op.mean = mean_.view();
  op.deviation = deviation_.view();
  op.augmentation = augmentation;
  op.images = batch.images;
  op.labels = batch.labels;
  backend.load_batch(op);
  return batch;
}

}  // namespace layerwise
