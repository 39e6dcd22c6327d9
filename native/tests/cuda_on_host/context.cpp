#include "cuda_on_host/context.h"

#include <pthread.h>
#include <sys/mman.h>

#include <new>

#ifdef __SANITIZE_ADDRESS__
#include <sanitizer/asan_interface.h>
#include <sanitizer/common_interface_defs.h>
#define LAYERWISE_SWITCHES_STACKS __attribute__((no_sanitize("address"), noinline))
#else
#define LAYERWISE_SWITCHES_STACKS __attribute__((noinline))
#endif

#ifndef __x86_64__
#error "CUDA on host switches stacks in x86-64 assembly: configure with -DLAYERWISE_CUDA_ON_HOST=OFF"
#endif

namespace layerwise::cuda_on_host {

namespace {

constexpr size_t page = 4096;
#ifdef __SANITIZE_ADDRESS__
constexpr size_t stack_bytes = 512 << 10;  // variables stand apart there
#else
constexpr size_t stack_bytes = 128 << 10;
#endif

}  // namespace

// Saves what a call must preserve, exchanges the stack pointers and restores.
extern "C" void layerwise_switch_stacks(void** save, void* load);
__asm__(R"(
.pushsection .text
.hidden layerwise_switch_stacks
.globl layerwise_switch_stacks
.type layerwise_switch_stacks,@function
layerwise_switch_stacks:
  pushq %rbp
  pushq %rbx
  pushq %r12
  pushq %r13
  pushq %r14
  pushq %r15
  movq %rsp, (%rdi)
  movq %rsi, %rsp
  popq %r15
  popq %r14
  popq %r13
  popq %r12
  popq %rbx
  popq %rbp
  ret
.size layerwise_switch_stacks,.-layerwise_switch_stacks
.popsection
)");

Context::~Context() {
  if (mapping_ == nullptr) return;
  unpoison_stack();  // the memory may become a thread's next
  munmap(mapping_, page + stack_bytes);
}

/// What the frames of functions that never returned have marked.
void Context::unpoison_stack() {
#ifdef __SANITIZE_ADDRESS__
  __asan_unpoison_memory_region(bottom_, bytes_);
#endif
}

void Context::adopt_own_stack() {
  pthread_attr_t attributes;
  pthread_getattr_np(pthread_self(), &attributes);
  void* bottom = nullptr;
  pthread_attr_getstack(&attributes, &bottom, &bytes_);
  bottom_ = bottom;
  pthread_attr_destroy(&attributes);
}

void Context::prepare(void (*entry)(), unsigned number) {
  if (mapping_ == nullptr) {
    void* mapped = mmap(nullptr, page + stack_bytes, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (mapped == MAP_FAILED) throw std::bad_alloc();
    mapping_ = static_cast<char*>(mapped);
    mprotect(mapping_, page, PROT_NONE);  // a kernel that needs a deeper stack stops here
    bottom_ = mapping_ + page;
    bytes_ = stack_bytes;
  }
  unpoison_stack();
  constexpr size_t step = 9 * 64;
  void** top = reinterpret_cast<void**>(mapping_ + page + stack_bytes - number * step % page);
  *--top = nullptr;  // where entry would return to
  *--top = reinterpret_cast<void*>(entry);
  for (int saved_register = 0; saved_register < 6; ++saved_register) *--top = nullptr;
  position_ = top;
}

LAYERWISE_SWITCHES_STACKS void Context::switch_between(Context& from, Context& to) {
#ifdef __SANITIZE_ADDRESS__
  void* suspended = nullptr;
  __sanitizer_start_switch_fiber(&suspended, to.bottom_, to.bytes_);
#endif
  layerwise_switch_stacks(&from.position_, to.position_);
#ifdef __SANITIZE_ADDRESS__
  __sanitizer_finish_switch_fiber(suspended, nullptr, nullptr);
#endif
}

LAYERWISE_SWITCHES_STACKS void Context::entered() {
#ifdef __SANITIZE_ADDRESS__
  __sanitizer_finish_switch_fiber(nullptr, nullptr, nullptr);
#endif
}

}  // namespace layerwise::cuda_on_host
