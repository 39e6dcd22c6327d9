#include "backend/profiled_backend.h"

#include <algorithm>
#include <sstream>

namespace layerwise {

namespace {

constexpr size_t most_timed = 4096;

}  // namespace

std::string ProfiledBackend::profile() {
  add_up();
  std::ostringstream text;
  text.precision(9);
  for (const auto& [key, total] : totals_)
    text << key.first << '\t' << key.second << '\t' << total.calls << '\t' << total.seconds << '\t' << total.fastest
         << '\t' << total.flops << '\t' << total.bytes << '\n';
  return text.str();
}

void ProfiledBackend::observe(const char* operation, OperationCosts costs, const std::function<void()>& run) {
  Total& total = totals_[{operation, std::move(costs.shapes)}];
  total.flops = costs.flops;
  total.bytes = costs.bytes;
  std::unique_ptr<Mark> begin = mark();
  run();
  timed_.push_back({&total, std::move(begin), mark()});
  if (timed_.size() == most_timed) add_up();
}

void ProfiledBackend::add_up() {
  for (const Timed& one : timed_) {
    const double seconds = seconds_between(*one.begin, *one.end);
    ++one.total->calls;
    one.total->seconds += seconds;
    one.total->fastest = std::min(one.total->fastest, seconds);
  }
  timed_.clear();
}

}  // namespace layerwise
