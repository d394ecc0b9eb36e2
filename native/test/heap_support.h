#pragma once
#include <memory>
#include <string>

#include "native/heap/heap.h"
#include "native/storage/error.h"
#include "native/storage/posix.h"
#include "native/test/fams_support.h"

namespace plugpull::test {

// Options of a heap of 16 pages that may grow to 64 MiB, in `folder`.
inline HeapOptions heap_in(const TempFolder& folder, const std::string& backend = "redo") {
  HeapOptions options;
  options.backend_name = backend;
  options.layout = "test/1";
  options.backend.path = folder.file("heap.db");
  options.backend.size = 16 * kPageSize;
  options.backend.max_size = std::size_t{64} << 20;
  options.backend.identity = 77;
  return options;
}

inline std::unique_ptr<Heap> create_heap(const HeapOptions& options) {
  return Heap::create(posix_storage(), options);
}
inline std::unique_ptr<Heap> open_heap(const HeapOptions& options) {
  return Heap::open(posix_storage(), options);
}

inline std::string joined(const HeapReport& report) {
  std::string text;
  for (const std::string& problem : report.problems) text += problem + "\n";
  return text;
}

// The kind of the FormatError that opening ends with; nothing if it does not.
inline const char* refusal(const HeapOptions& options, std::string* message = nullptr) {
  try {
    open_heap(options);
    return nullptr;
  } catch (const FormatError& error) {
    if (message != nullptr) *message = error.what();
    return FormatError::name(error.kind());
  }
}

}  // namespace plugpull::test
