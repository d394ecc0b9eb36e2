#include "native/heap/heap.h"

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <optional>
#include <stdexcept>
#include <thread>

#include "native/heap/allocator.h"
#include "native/heap/format.h"
#include "native/heap/planted_heap.h"
#include "native/heap/verify.h"
#include "native/storage/error.h"

namespace plugpull {

struct Heap::Impl {
  Impl(Storage& its_storage, HeapOptions its_options, std::unique_ptr<Backend> its_backend, bool fresh)
      : storage(its_storage),
        options(std::move(its_options)),
        backend(std::move(its_backend)),
        planted(storage, options.backend.path, options.backend.planted) {
    if (fresh) init_header(header(), options.layout, address(), backend->size() / kPageSize);
    allocator.emplace(*backend, options.backend.path, options.backend.planted, fresh);
  }

  HeapHeader& header() const { return *reinterpret_cast<HeapHeader*>(open_backend().data()); }
  std::uint64_t address() const { return reinterpret_cast<std::uintptr_t>(options.backend.fixed_address); }
  bool has(Bug bug) const { return options.backend.planted.has(bug); }

  Backend& open_backend() const {
    if (!backend) throw std::logic_error("the heap is closed");
    return *backend;
  }

  // For everything that changes the heap.
  Backend& writable(const char* operation) const {
    if (options.backend.read_only) throw OsError(operation, options.backend.path, EROFS);
    return open_backend();
  }

  Storage& storage;
  HeapOptions options;
  std::unique_ptr<Backend> backend;
  std::optional<Allocator> allocator;
  std::mutex allocating;
  std::shared_mutex writers;
  PlantedHeap planted;
};

namespace {

constexpr std::uintptr_t kFixedBase = 0x400000000000;
constexpr std::uint64_t kFixedSlots = 1024;

const BackendKind& kind_of(const HeapOptions& options) {
  const BackendKind* kind = backend_by_name(options.backend_name);
  if (kind == nullptr) throw std::invalid_argument("there is no backend named " + options.backend_name);
  return *kind;
}

HeapOptions complete(HeapOptions options) {
  if (!options.fixed_address) {
    options.backend.fixed_address = nullptr;
    return options;
  }
  options.backend.fixed_address = fixed_heap_address(options.backend.identity);
  if (std::max(options.backend.max_size, options.backend.size) > kFixedSlotBytes) {
    throw std::invalid_argument("a heap at a fixed address has at most 16 GiB");
  }
  return options;
}

void check_place(const HeapOptions& options, const Backend& backend) {
  if (!options.fixed_address || backend.data() == options.backend.fixed_address) return;
  throw FormatError(FormatError::Kind::kOtherAddress, options.backend.path,
                    "was mapped at another address than its own");
}

}  // namespace

// Between the random addresses that V8 asks for (below 64 TiB) and where the kernel puts programs
// and mappings (from 85 TiB up), and out of the way of the address sanitizer's shadow.
std::byte* fixed_heap_address(std::uint64_t identity) noexcept {
  return reinterpret_cast<std::byte*>(kFixedBase + identity % kFixedSlots * kFixedSlotBytes);
}

std::unique_ptr<Heap> Heap::create(Storage& storage, const HeapOptions& given) {
  HeapOptions options = complete(given);
  check_layout_name(options.layout);
  if (options.backend.size % kPageSize != 0 || options.backend.size < 2 * kPageSize) {
    throw std::invalid_argument("the size of a heap is a multiple of 4096 bytes, at least 8192");
  }
  auto backend = kind_of(options).create(storage, options.backend);
  check_place(options, *backend);
  return std::unique_ptr<Heap>(new Heap(std::make_unique<Impl>(storage, options, std::move(backend), true)));
}

std::unique_ptr<Heap> Heap::open(Storage& storage, const HeapOptions& given) {
  const HeapOptions options = complete(given);
  auto backend = kind_of(options).open(storage, options.backend);
  check_place(options, *backend);
  if (backend->size() < 2 * kPageSize) {
    throw FormatError(FormatError::Kind::kTruncated, options.backend.path,
                      "the file is cut short: " + std::to_string(backend->size()) + " bytes");
  }
  check_header(backend->data(),
               {options.backend.path, options.layout,
                reinterpret_cast<std::uintptr_t>(options.backend.fixed_address), backend->size()});
  auto impl = std::make_unique<Impl>(storage, options, std::move(backend), false);
  impl->planted.opened(*impl->allocator);
  return std::unique_ptr<Heap>(new Heap(std::move(impl)));
}

Heap::Heap(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Heap::~Heap() = default;

std::byte* Heap::data() const { return impl_->open_backend().data(); }
std::size_t Heap::size() const { return impl_->open_backend().size(); }
std::uint64_t Heap::sequence() const { return impl_->open_backend().sequence(); }
std::size_t Heap::last_commit_pages() const { return impl_->open_backend().last_commit_pages(); }
std::shared_mutex& Heap::writers() { return impl_->writers; }

bool Heap::fixed() const { return impl_->options.fixed_address; }
Offset Heap::root() const { return impl_->header().root; }

void Heap::set_root(Offset offset) {
  if (offset >= impl_->writable("set root").size())
    throw std::invalid_argument("the root lies outside the heap");
  impl_->header().root = offset;
  seal_header(impl_->header());
}

std::string Heap::layout() const {
  const char* name = impl_->header().layout;
  return {name, strnlen(name, kLayoutBytes)};
}

void Heap::set_layout(const std::string& name) {
  check_layout_name(name);
  impl_->writable("set layout");
  HeapHeader& header = impl_->header();
  std::memset(header.layout, 0, sizeof header.layout);
  std::memcpy(header.layout, name.data(), name.size());
  seal_header(header);
}

Offset Heap::allocate(std::size_t bytes) {
  const std::lock_guard lock(impl_->allocating);
  impl_->writable("allocate");
  const Offset block = impl_->allocator->allocate(bytes);
  impl_->planted.allocated(block, *impl_->allocator);
  return block;
}

void Heap::release(Offset block) {
  const std::lock_guard lock(impl_->allocating);
  impl_->writable("release");
  if (impl_->planted.keeps_released(block, *impl_->allocator)) return;
  impl_->allocator->release(block);
}

std::size_t Heap::usable_size(Offset block) const {
  const std::lock_guard lock(impl_->allocating);
  impl_->open_backend();
  return impl_->allocator->usable_size(block);
}

void Heap::trim() {
  const std::lock_guard lock(impl_->allocating);
  impl_->writable("trim");
  impl_->allocator->trim();
}

void Heap::commit(void (*on_captured)(void*), void* context) {
  struct Capture {
    std::unique_lock<std::shared_mutex> writers;
    std::unique_lock<std::mutex> allocating;
    Allocator& allocator;
    void (*then)(void*);
    void* context;

    static void done(void* self) {
      auto* capture = static_cast<Capture*>(self);
      if (!capture->writers.owns_lock()) return;
      capture->allocator.captured();
      capture->allocating.unlock();
      capture->writers.unlock();
      if (capture->then != nullptr) capture->then(capture->context);
    }
  };

  Backend& backend = impl_->writable("commit");
  Capture capture{std::unique_lock(impl_->writers), std::unique_lock(impl_->allocating), *impl_->allocator,
                  on_captured, context};
  impl_->planted.before_commit(*impl_->allocator);
  if (impl_->has(Bug::kHeapWritersReleasedEarly)) {
    Capture::done(&capture);
    // Long enough for a waiting thread to wake up and write.
    std::this_thread::sleep_for(std::chrono::microseconds(200));
  }
  backend.commit(Capture::done, &capture);
  Capture::done(&capture);
  if (!impl_->options.backend.planted.which()) return;
  const std::lock_guard lock(impl_->allocating);
  impl_->allocator->committed();
  impl_->planted.after_commit(*impl_->allocator);
}

void Heap::checkpoint() { impl_->writable("checkpoint").checkpoint(); }

HeapReport Heap::verify(const std::vector<Offset>* reachable) const {
  const std::lock_guard lock(impl_->allocating);
  impl_->open_backend();
  Problems problems;
  HeapReport report;
  Allocator& allocator = *impl_->allocator;
  const std::vector<Block> blocks =
      walk_pages(allocator.map(), allocator.page_count(), problems, report.free_pages);
  report.allocated_blocks = blocks.size();
  for (const Block& block : blocks) report.allocated_bytes += block.bytes;
  const Offset its_root = root();
  const auto at = std::lower_bound(blocks.begin(), blocks.end(), its_root,
                                   [](const Block& block, Offset offset) { return block.offset < offset; });
  if (its_root != 0 && (at == blocks.end() || at->offset != its_root)) {
    problems.add("the root " + std::to_string(its_root) + " is not an allocated block");
  }
  std::vector<std::string> list_problems;
  allocator.check_lists(list_problems);
  for (std::string& problem : list_problems) problems.add(std::move(problem));
  if (reachable != nullptr) check_reachable(blocks, *reachable, problems);
  report.problems = problems.take();
  return report;
}

void Heap::close() {
  if (!impl_->backend) return;
  impl_->allocator.reset();
  impl_->backend->close();
  impl_->backend.reset();
}

}  // namespace plugpull
