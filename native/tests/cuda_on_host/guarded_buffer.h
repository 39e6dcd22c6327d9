// Memory between guard bytes, which nobody may write to.
#pragma once

#include <cstddef>
#include <memory>

namespace layerwise::cuda_on_host {

/// Up to `capacity` bytes. Under AddressSanitizer touching the guards is an error at once, otherwise
/// writing to them is found by is_intact().
class GuardedBuffer {
 public:
  explicit GuardedBuffer(size_t capacity) : capacity_(capacity) {}
  ~GuardedBuffer();
  GuardedBuffer(const GuardedBuffer&) = delete;
  GuardedBuffer& operator=(const GuardedBuffer&) = delete;

  /// `bytes` bytes of 0xFF, a NaN in every floating-point type, aligned to 256 bytes.
  char* reset(size_t bytes);
  bool is_intact() const;
  char* data() const;
  size_t bytes() const { return bytes_; }

 private:
  struct Free {
    void operator()(char* memory) const noexcept;
  };
  size_t capacity_, bytes_ = 0;
  std::unique_ptr<char, Free> memory_;
};

}  // namespace layerwise::cuda_on_host
