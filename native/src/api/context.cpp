// The C API: contexts, tensors and data sets. Handles, validation and exception → status; no arithmetic.
#include "api/handles.h"
#include "context/transfer.h"
#include "devices/open_device.h"
#include "processes/host_collectives.h"

namespace layerwise {

namespace {

thread_local std::string last_error;

Precision precision_of(int32_t value) {
  switch (value) {
    case LAYERWISE_PRECISION_AUTO: return Precision::automatic;
    case LAYERWISE_PRECISION_F32: return Precision::f32;
    case LAYERWISE_PRECISION_BF16: return Precision::bf16;
    default: fail(ErrorKind::invalid_argument, value, " is not a precision that can be requested");
  }
}

HorizontalFlip flip_of(int32_t value) {
  switch (value) {
    case 0: return HorizontalFlip::none;
    case 1: return HorizontalFlip::random;
    case 2: return HorizontalFlip::alternating;
    default: fail(ErrorKind::invalid_argument, "horizontal_flip must be 0, 1 or 2, not ", value);
  }
}

}  // namespace

void remember_error(const char* message) noexcept {
  try {
    last_error = message;
  } catch (...) {
    last_error.clear();
  }
}

layerwise_status status_of(ErrorKind kind) noexcept {
  switch (kind) {
    case ErrorKind::invalid_argument: return LAYERWISE_INVALID_ARGUMENT;
    case ErrorKind::invalid_state: return LAYERWISE_INVALID_STATE;
    case ErrorKind::out_of_memory: return LAYERWISE_OUT_OF_MEMORY;
    case ErrorKind::device_unavailable: return LAYERWISE_DEVICE_UNAVAILABLE;
    case ErrorKind::internal: break;
  }
  return LAYERWISE_INTERNAL_ERROR;
}

}  // namespace layerwise

using namespace layerwise;

const char* layerwise_error_message(void) { return last_error.c_str(); }

const char* layerwise_version(void) { return LAYERWISE_VERSION; }

const char* layerwise_cpu_features(void) {
  static const std::string features = processor_features();
  return features.c_str();
}

// ---- context --------------------------------------------------------------------------------------

void layerwise_context_options_defaults(layerwise_context_options* options) {
  if (options != nullptr) *options = {"cpu", 0, 0, LAYERWISE_PRECISION_AUTO, "auto", 0, nullptr, nullptr, 0, 0, 0};
}

layerwise_status layerwise_context_create(const layerwise_context_options* options, layerwise_context** context) {
  return guarded([&] {
    given(context, "context") = nullptr;
    given(options, "options");
    DeviceOptions chosen;
    chosen.threads = options->threads;
    chosen.precision = precision_of(options->precision);
    chosen.engine = &given(options->engine, "engine");
    chosen.tf32 = options->tf32 != 0;
    if (options->engine_choices != nullptr) chosen.engine_choices = options->engine_choices;
    std::unique_ptr<Backend> backend = open_device(&given(options->device, "device"), chosen);
    std::unique_ptr<Collectives> collectives;
    if (options->communicator != nullptr)
      collectives = backend->open_collectives(std::make_unique<HostCollectives>(
          options->communicator->communicator, options->engine_reduce != 0 ? Reduce::engine : Reduce::ordered));
    *context = new layerwise_context{std::make_shared<Context>(std::move(backend), options->seed, options->profiled != 0,
                                                               std::move(collectives),
                                                               options->local_statistics != 0 ? Statistics::local
                                                                                              : Statistics::global)};
  });
}

void layerwise_context_close(layerwise_context* context) { delete context; }

layerwise_status layerwise_context_set_step(layerwise_context* context, uint64_t step, double learning_rate) {
  return guarded([&] { given(context, "context").context->set_step(step, learning_rate); });
}

layerwise_status layerwise_context_set_epoch(layerwise_context* context, uint64_t epoch) {
  return guarded([&] {
    Context& on = *given(context, "context").context;
    require(epoch > 0, "epochs are counted from 1");
    on.backend().enter();
    on.set_epoch(epoch);
  });
}

layerwise_status layerwise_context_set_batch(layerwise_context* context, int64_t samples) {
  return guarded([&] {
    Context& on = *given(context, "context").context;
    on.backend().enter();
    on.set_batch(samples);
  });
}

layerwise_status layerwise_context_precision(const layerwise_context* context, int32_t* precision) {
  return guarded([&] {
    switch (given(context, "context").context->backend().activation_type()) {
      case DataType::float64: given(precision, "precision") = LAYERWISE_PRECISION_F64; break;
      case DataType::bfloat16: given(precision, "precision") = LAYERWISE_PRECISION_BF16; break;
      default: given(precision, "precision") = LAYERWISE_PRECISION_F32;
    }
  });
}

layerwise_status layerwise_context_engine_choices(const layerwise_context* context, char* text, int64_t capacity,
                                                  int64_t* length) {
  return guarded([&] {
    give_text(given(context, "context").context->backend().engine_choices(), text, capacity, length);
  });
}

layerwise_status layerwise_context_profile(layerwise_context* context, char* text, int64_t capacity,
                                           int64_t* length) {
  return guarded([&] {
    Context& on = *given(context, "context").context;
    on.backend().enter();
    give_text(on.profile(), text, capacity, length);
  });
}

layerwise_status layerwise_context_exchanged(const layerwise_context* context, layerwise_exchanged* exchanged) {
  return guarded([&] {
    const Exchanged of = given(context, "context").context->data_parallel().exchanged();
    given(exchanged, "exchanged") = {of.exchanges, of.received_bytes, of.seconds};
  });
}

layerwise_status layerwise_context_synchronize(layerwise_context* context) {
  return guarded([&] {
    Backend& backend = given(context, "context").context->backend();
    backend.enter();
    backend.synchronize();
  });
}

layerwise_status layerwise_context_begin_step(layerwise_context* context, int64_t kind, int32_t* replayed) {
  return guarded([&] {
    Context& on = *given(context, "context").context;
    on.backend().enter();
    given(replayed, "replayed") = on.begin_step(kind) ? 1 : 0;
  });
}

layerwise_status layerwise_context_end_step(layerwise_context* context, int32_t* again) {
  return guarded([&] {
    Context& on = *given(context, "context").context;
    on.backend().enter();
    given(again, "again") = on.end_step() ? 1 : 0;
  });
}

int32_t layerwise_context_cancel_step(layerwise_context* context) {
  return context != nullptr && context->context->cancel_step() ? 1 : 0;
}

layerwise_status layerwise_context_memory(const layerwise_context* context, layerwise_memory* memory) {
  return guarded([&] {
    const Context& of = *given(context, "context").context;
    const Arena& arena = of.backend().arena();
    given(memory, "memory") = {static_cast<int64_t>(arena.reserved_bytes()), static_cast<int64_t>(arena.peak_bytes()),
                               of.parameter_bytes, of.dataset_bytes};
  });
}

layerwise_status layerwise_context_threads(const layerwise_context* context, int32_t* threads) {
  return guarded([&] { given(threads, "threads") = given(context, "context").context->threads(); });
}

// ---- tensors --------------------------------------------------------------------------------------

layerwise_status layerwise_tensor_create(layerwise_context* context, const float* values, int64_t n, int64_t c,
                                         int64_t h, int64_t w, layerwise_tensor** tensor) {
  return guarded([&] {
    const std::shared_ptr<Context>& on = given(context, "context").context;
    given(values, "values");
    given(tensor, "tensor") = nullptr;
    require(n > 0 && c > 0 && h > 0 && w > 0, "a tensor of ", Shape{n, h, w, c}.to_string(), " is empty");
    Backend& backend = on->backend();
    backend.enter();
    ArenaTensor created = backend.arena().take(backend.activation_type(), {n, h, w, c});
    upload(backend, values, created);
    *tensor = make_handle(on, std::move(created));
  });
}

layerwise_status layerwise_labels_create(layerwise_context* context, const int32_t* labels, int64_t n,
                                         layerwise_tensor** tensor) {
  return guarded([&] {
    const std::shared_ptr<Context>& on = given(context, "context").context;
    given(labels, "labels");
    given(tensor, "tensor") = nullptr;
    require(n > 0, "there are no labels");
    Backend& backend = on->backend();
    backend.enter();
    ArenaTensor created = backend.arena().take(DataType::int32, Shape::vector(n));
    const Labels uploaded = upload_labels(backend, labels, n, created);
    *tensor = make_handle(on, std::move(created), uploaded.limit);
  });
}

layerwise_status layerwise_tensor_shape(const layerwise_tensor* tensor, int64_t* shape) {
  return guarded([&] {
    const Shape& of = given(tensor, "tensor").view().shape;
    given(shape, "shape");
    shape[0] = of.n;
    shape[1] = of.c;
    shape[2] = of.h;
    shape[3] = of.w;
  });
}

layerwise_status layerwise_tensor_read(const layerwise_tensor* tensor, float* values, int64_t count) {
  return guarded([&] {
    const Tensor& from = given(tensor, "tensor").view();
    given(values, "values");
    require(count == from.shape.elements(), "the tensor has ", from.shape.elements(), " elements, not ", count);
    tensor->context->backend().enter();
    download(tensor->context->backend(), from, values);
  });
}

layerwise_status layerwise_tensor_add(layerwise_tensor* sum, const layerwise_tensor* addend) {
  return guarded([&] {
    const Tensor& to = given(sum, "sum").view();
    const Tensor& from = given(addend, "addend").view();
    require(sum->context == addend->context, "the tensors belong to different contexts");
    Backend& backend = sum->context->backend();
    require(to.shape == from.shape && to.type == from.type && to.type == backend.activation_type(), "a tensor of ",
            from.shape.to_string(), " cannot be added to one of ", to.shape.to_string());
    backend.enter();
    backend.add_tensor({from, to});
  });
}

void layerwise_tensor_close(layerwise_tensor* tensor) { delete tensor; }

// ---- data set -------------------------------------------------------------------------------------

layerwise_status layerwise_dataset_create(layerwise_context* context, const uint8_t* pixels, const int32_t* labels,
                                          int64_t count, int32_t channels, int32_t height, int32_t width,
                                          int32_t classes, const float* mean, const float* deviation,
                                          int32_t in_place, layerwise_dataset** dataset) {
  return guarded([&] {
    const std::shared_ptr<Context>& on = given(context, "context").context;
    given(pixels, "pixels");
    given(labels, "labels");
    given(mean, "mean");
    given(deviation, "deviation");
    given(dataset, "dataset") = nullptr;
    on->backend().enter();
    *dataset = new layerwise_dataset{std::make_unique<DataSet>(on, Shape{count, height, width, channels}, pixels,
                                                               labels, classes, mean, deviation, in_place != 0)};
  });
}

void layerwise_dataset_close(layerwise_dataset* dataset) { delete dataset; }

layerwise_status layerwise_dataset_choose(layerwise_dataset* dataset, const int32_t* indices, int32_t count) {
  return guarded([&] {
    DataSet& from = *given(dataset, "dataset").data_set;
    given(indices, "indices");
    from.context()->backend().enter();
    from.choose(indices, count);
  });
}

layerwise_status layerwise_dataset_batch(layerwise_dataset* dataset, const layerwise_augmentation* augmentation,
                                         layerwise_tensor** images, layerwise_tensor** labels) {
  return guarded([&] {
    DataSet& from = *given(dataset, "dataset").data_set;
    given(images, "images") = nullptr;
    given(labels, "labels") = nullptr;
    Augmentation how;
    Mixing mixing;
    if (augmentation != nullptr) {
      how = {augmentation->crop_padding, flip_of(augmentation->horizontal_flip), augmentation->n_holes,
             augmentation->length};
      mixing = {augmentation->mixup, augmentation->cutmix};
    }
    from.context()->backend().enter();
    DataSet::Batch batch = from.batch(how, mixing);
    std::unique_ptr<layerwise_tensor> image_handle(make_handle(from.context(), std::move(batch.images)));
    *labels = make_handle(from.context(), std::move(batch.labels), from.classes());
    *images = image_handle.release();
  });
}
