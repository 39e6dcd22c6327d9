// Stacks between which a thread of the operating system switches.
#pragma once

#include <cstddef>

namespace layerwise::cuda_on_host {

/// A stack and where execution on it stands. Not movable: a running function knows its address.
/// Switches tell AddressSanitizer which stack is in use.
class Context {
 public:
  Context() = default;
  ~Context();
  Context(const Context&) = delete;
  Context& operator=(const Context&) = delete;

  /// Makes this the stack on which the calling thread runs already.
  void adopt_own_stack();

  /// Lets the next switch to this context call `entry`, which must not return. What was suspended here
  /// is forgotten without destructors being run. `number` spreads the stacks over the sets of the caches.
  void prepare(void (*entry)(), unsigned number);
  bool is_prepared() const { return position_ != nullptr; }
  void forget() { position_ = nullptr; }

  /// Whether an address lies in this stack.
  bool holds(const void* address) const {
    const char* const begin = static_cast<const char*>(bottom_);
    return address >= begin && address < begin + bytes_;
  }

  /// Suspends `from`, on which the caller runs, and continues `to`.
  static void switch_between(Context& from, Context& to);

  /// The first thing that an entry function does.
  static void entered();

 private:
  void unpoison_stack();

  void* position_ = nullptr;   // stack pointer while suspended
  char* mapping_ = nullptr;    // guard page, stack
  const void* bottom_ = nullptr;
  size_t bytes_ = 0;
};

}  // namespace layerwise::cuda_on_host
