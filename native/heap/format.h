#pragma once
#include <bit>
#include <cstddef>
#include <cstdint>
#include <string>

#include "native/storage/storage.h"

namespace plugpull {

inline constexpr std::uint32_t kFormatVersion = 1;
inline constexpr std::size_t kLayoutBytes = 64;  // with the terminating zero

// Page 0 of a heap. All of it lies in the first sector, so that no tear can split it.
struct HeapHeader {
  std::uint64_t magic;
  std::uint32_t version;
  std::uint32_t page_size;
  std::uint64_t fingerprint;  // of everything that decides how the bytes are read
  std::uint64_t address;      // where the heap must be mapped; 0: anywhere
  char layout[kLayoutBytes];
  std::uint64_t page_count;
  std::uint64_t root;
  std::uint64_t checksum;  // of all that stands before it
};
static_assert(sizeof(HeapHeader) <= 512);

// Covers format version, page size, pointer size, byte order and the size classes.
std::uint64_t layout_fingerprint() noexcept;

// Writes a fresh header. `layout` must have passed check_layout_name.
void init_header(HeapHeader& header, const std::string& layout, std::uint64_t address,
                 std::uint64_t page_count) noexcept;

// To be called after every change of a field.
void seal_header(HeapHeader& header) noexcept;

// std::invalid_argument unless `name` has 1 to 63 printable bytes.
void check_layout_name(const std::string& name);

struct ExpectedHeader {
  std::string path;       // for messages
  std::string layout;     // empty: any
  std::uint64_t address;  // 0: anywhere
  std::size_t size;       // bytes that the backend recovered
};

// FormatError by kind for everything that is not as this program expects it.
// `page` is the whole of page 0.
void check_header(const std::byte* page, const ExpectedHeader& expected);

}  // namespace plugpull
