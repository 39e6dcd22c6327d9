#include "block/context.h"

#include <utility>

#include "backend/cpu/cpu_backend.h"
#include "backend/reference/reference_backend.h"
#include "block/cuda_loader.h"
#include "core/error.h"

namespace layerwise {

namespace {

std::unique_ptr<Backend> make_backend(const std::string& device, int threads) {
  if (device == "cpu") return make_cpu_backend(threads);
  if (device == "reference") return make_reference_backend();
  if (is_cuda_device(device)) {
    CudaBackendOptions options;
    options.device = device.c_str();
    return open_cuda_backend(options);
  }
  fail(ErrorKind::device_unavailable, "there is no device '", device,
       "'; devices are: cpu, reference, cuda, cuda:0 and so on, cuda-on-host");
}

}  // namespace

Context::Context(const std::string& device, int threads, uint64_t seed)
    : seed_(seed), threads_(device == "reference" ? 1 : cpu_thread_count(threads)) {
  require(threads >= 0, "threads must be 0 (one per core) or more, not ", threads);
  backend_ = make_backend(device, threads);
  set_step(0, 0);
}

void Context::set_step(uint64_t step, double learning_rate) {
  step_ = {seed_, step, learning_rate};
  backend_->set_step_state(step_);
}

DeviceBuffer::DeviceBuffer(std::shared_ptr<Context> context, DataType type, const Shape& shape,
                           int64_t Context::* account)
    : context_(std::move(context)), account_(account), view_{nullptr, type, shape} {
  if (shape.elements() == 0) return;
  Backend& backend = context_->backend();
  view_.data = backend.allocate(view_.bytes());
  (*context_).*account_ += static_cast<int64_t>(view_.bytes());
  backend.fill_zero(view_.data, view_.bytes());
}

DeviceBuffer::~DeviceBuffer() {
  if (view_.data == nullptr) return;
  context_->backend().release(view_.data);
  (*context_).*account_ -= static_cast<int64_t>(view_.bytes());
}

DeviceBuffer::DeviceBuffer(DeviceBuffer&& other) noexcept
    : context_(std::move(other.context_)), account_(other.account_), view_(std::exchange(other.view_, {})) {}

DeviceBuffer& DeviceBuffer::operator=(DeviceBuffer&& other) noexcept {
  std::swap(context_, other.context_);
  std::swap(account_, other.account_);
  std::swap(view_, other.view_);
  return *this;
}

}  // namespace layerwise
