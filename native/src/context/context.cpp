#include "context/context.h"

#include <utility>

#include "core/error.h"
#include "core/notice.h"

namespace layerwise {

Context::Context(std::unique_ptr<Backend> backend, uint64_t seed, bool profiled,
                 std::unique_ptr<Collectives> collectives, Statistics statistics)
    : backend_(std::move(backend)) {
  if (profiled) {
    auto timed = std::make_unique<ProfiledBackend>(std::move(backend_));
    profiled_ = timed.get();
    backend_ = std::move(timed);
  }
  data_parallel_ = std::make_unique<DataParallel>(*backend_, std::move(collectives), statistics);
  state_.seed = seed;
  set_step(0, 0);
}

std::string Context::profile() {
  require_state(profiled_ != nullptr, "the context does not time its operations");
  return profiled_->profile();
}

void Context::set_step(uint64_t step, double learning_rate) {
  state_.step = step;
  state_.learning_rate = learning_rate;
  backend_->set_step_state(state_);
}

void Context::set_epoch(uint64_t epoch) {
  state_.epoch = epoch;
  backend_->set_step_state(state_);
}

void Context::set_batch(int64_t samples) {
  if (data_parallel_->is_alone()) return;
  data_parallel_->set_batch(samples);
  state_.first_sample = data_parallel_->first_sample();
  backend_->set_step_state(state_);
}

// ---- recorded steps -------------------------------------------------------------------------------

bool Context::begin_step(int64_t kind) {
  require_state(step_of_ == nullptr, "a step is under way already");
  if (!records_ || !backend_->can_record()) return false;
  const Arena& arena = backend_->arena();
  if (!arena.is_empty()) return false;  // what lies there would be overwritten by a replay
  if (routines_at_ != arena.changes()) forget_recordings();
  routines_at_ = changes_before_ = arena.changes();
  Routine& routine = routines_[{data_parallel_->split(), kind}];
  if (routine.recording) return replay(routine);
  is_recording_ = routine.settled && begin_recording();
  if (records_) step_of_ = &routine;
  return false;
}

bool Context::end_step() {
  if (step_of_ == nullptr) return false;  // nothing is kept of this step
  Routine& routine = *std::exchange(step_of_, nullptr);
  if (!std::exchange(is_recording_, false)) {
    routine.settled = backend_->arena().changes() == changes_before_;
    return false;
  }
  try {
    routine.recording = backend_->end_recording();
  } catch (const Error& error) {
    stop_recording(error.what());
    return true;
  }
  return !replay(routine);
}

bool Context::cancel_step() noexcept {
  const bool was_recording = std::exchange(is_recording_, false);
  step_of_ = nullptr;
  if (was_recording) {
    std::string reason = "a part of it failed while it was recorded";
    try {
      backend_->end_recording();
    } catch (const std::exception& error) {
      reason = error.what();
    }
    stop_recording(reason);
  }
  forget_recordings();
  return was_recording;
}

bool Context::begin_recording() {
  try {
    backend_->begin_recording();
    return true;
  } catch (const Error& error) {
    stop_recording(error.what());
    return false;
  }
}

/// False where the device does not take the recording: nothing has been done.
bool Context::replay(const Routine& routine) {
  try {
    routine.recording->replay();
  } catch (const Error& error) {
    stop_recording(error.what());
    return false;
  }
  for (const std::function<void()>& host_part : routine.host_parts) host_part();
  return true;
}

void Context::stop_recording(const std::string& reason) noexcept {
  records_ = false;
  routines_.clear();
  notice("steps are no longer recorded, and take longer: " + reason);
}

void Context::each_time(std::function<void()> host_part) {
  if (is_recording_)
    step_of_->host_parts.push_back(std::move(host_part));
  else
    host_part();
}

void Context::forget_recordings() noexcept {
  if (step_of_ == nullptr) routines_.clear();
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
  context_->forget_recordings();
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
