#include "native/heap/format.h"

#include <algorithm>
#include <cstdio>
#include <cstring>
#include <stdexcept>

#include "native/heap/size_class.h"
#include "native/storage/error.h"

namespace plugpull {
namespace {

constexpr std::uint64_t kMagic = 0x7061656870677570;  // "pugpheap"

// FNV-1a, 64 bits (Fowler, Noll, Vo): enough for 120 bytes that are rarely checked.
std::uint64_t fnv1a(const void* data, std::size_t length, std::uint64_t hash = 0xcbf29ce484222325) noexcept {
  const auto* bytes = static_cast<const unsigned char*>(data);
  for (std::size_t i = 0; i < length; ++i) hash = (hash ^ bytes[i]) * 0x100000001b3;
  return hash;
}

std::uint64_t checksum_of(const HeapHeader& header) noexcept {
  return fnv1a(&header, offsetof(HeapHeader, checksum));
}

std::string hex(std::uint64_t value) {
  char text[32];
  std::snprintf(text, sizeof text, "0x%llx", static_cast<unsigned long long>(value));
  return text;
}

std::string address_words(std::uint64_t address) {
  return address == 0 ? std::string("at any address") : "at address " + hex(address);
}

}  // namespace

std::uint64_t layout_fingerprint() noexcept {
  const std::uint64_t facts[] = {kFormatVersion, kPageSize, sizeof(void*),
                                 std::endian::native == std::endian::little ? 1u : 2u, kClassCount};
  return fnv1a(kClassSizes.data(), sizeof kClassSizes, fnv1a(facts, sizeof facts));
}

void init_header(HeapHeader& header, const std::string& layout, std::uint64_t address,
                 std::uint64_t page_count) noexcept {
  std::memset(&header, 0, sizeof header);
  header.magic = kMagic;
  header.version = kFormatVersion;
  header.page_size = kPageSize;
  header.fingerprint = layout_fingerprint();
  header.address = address;
  std::memcpy(header.layout, layout.data(), std::min(layout.size(), kLayoutBytes - 1));
  header.page_count = page_count;
  seal_header(header);
}

void seal_header(HeapHeader& header) noexcept { header.checksum = checksum_of(header); }

void check_layout_name(const std::string& name) {
  if (name.empty() || name.size() >= kLayoutBytes) {
    throw std::invalid_argument("a layout name has 1 to 63 bytes, this one has " +
                                std::to_string(name.size()));
  }
  const bool printable = std::all_of(name.begin(), name.end(), [](char c) { return c > ' ' && c < 127; });
  if (!printable) throw std::invalid_argument("a layout name has printable ASCII characters only");
}

void check_header(const std::byte* page, const ExpectedHeader& expected) {
  using Kind = FormatError::Kind;
  const auto refuse = [&](Kind kind, const std::string& why) { throw FormatError(kind, expected.path, why); };

  if (expected.size < 2 * kPageSize) {
    refuse(Kind::kTruncated, "the file is cut short: " + std::to_string(expected.size) +
                                 " bytes, a heap has at least two pages");
  }
  HeapHeader header;
  std::memcpy(&header, page, sizeof header);
  if (header.magic != kMagic) {
    if (header.magic == __builtin_bswap64(kMagic)) {
      refuse(Kind::kOtherLayout, "the heap was written on a machine with the other byte order");
    }
    if (std::all_of(page, page + kPageSize, [](std::byte b) { return b == std::byte{0}; })) {
      refuse(Kind::kAbsent, "there is no heap: its creation was never committed");
    }
    refuse(Kind::kNotAHeap, "this is not a heap: it begins with " + hex(header.magic));
  }
  if (header.version != kFormatVersion) {
    refuse(Kind::kOtherVersion, "holds format version " + std::to_string(header.version) +
                                    ", this program reads version " + std::to_string(kFormatVersion));
  }
  if (header.checksum != checksum_of(header)) {
    refuse(Kind::kCorrupt, "the header's checksum does not match: " + hex(header.checksum) + " is stored, " +
                               hex(checksum_of(header)) + " computed");
  }
  if (header.page_size != kPageSize || header.fingerprint != layout_fingerprint()) {
    refuse(Kind::kOtherLayout, "was written by a build with another page size, pointer size or size classes");
  }
  if (!expected.layout.empty() && expected.layout != header.layout) {
    refuse(Kind::kOtherLayout,
           "holds layout " + std::string(header.layout) + ", this program expects " + expected.layout);
  }
  if (header.address != expected.address) {
    refuse(Kind::kOtherAddress, "lives " + address_words(header.address) + ", this program maps it " +
                                    address_words(expected.address));
  }
  const std::uint64_t pages = expected.size / kPageSize;
  if (header.page_count > pages) {
    refuse(Kind::kTruncated, "the file is cut short: the header counts " + std::to_string(header.page_count) +
                                 " pages, there are " + std::to_string(pages));
  }
  if (header.page_count < pages) {
    refuse(Kind::kCorrupt, "the header counts " + std::to_string(header.page_count) + " pages, there are " +
                               std::to_string(pages));
  }
}

}  // namespace plugpull
