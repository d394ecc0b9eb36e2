#include "native/fams/footer.h"

#include <array>
#include <cstring>

#include "native/fams/hash.h"
#include "native/storage/error.h"
#include "native/storage/io.h"

namespace plugpull {
namespace {

constexpr std::uint64_t kMagic = magic("ppfooter");
constexpr std::uint32_t kVersion = 1;

struct OnDisk {
  std::uint64_t magic;
  std::uint32_t version;
  std::uint32_t page_size;
  std::uint64_t sequence;
  std::uint64_t size;
  std::uint64_t hash;  // of what is before it
};

std::uint64_t hash_of(const OnDisk& footer, std::uint64_t identity) {
  return hash64(ConstBytes(reinterpret_cast<const std::byte*>(&footer), offsetof(OnDisk, hash)), identity);
}

}  // namespace

void write_footer(File& file, const Footer& footer, std::uint64_t identity) {
  std::array<std::byte, kPageSize> page{};
  OnDisk on_disk{kMagic, kVersion, kPageSize, footer.sequence, footer.size, 0};
  on_disk.hash = hash_of(on_disk, identity);
  std::memcpy(page.data(), &on_disk, sizeof on_disk);
  write_all(file, page, footer.size);
}

std::optional<Footer> read_footer(File& file, std::uint64_t identity) {
  const std::uint64_t size = file.size();
  if (size < kPageSize || size % kPageSize != 0) return std::nullopt;
  OnDisk on_disk{};
  const Bytes out(reinterpret_cast<std::byte*>(&on_disk), sizeof on_disk);
  if (read_all(file, out, size - kPageSize) != out.size()) return std::nullopt;
  if (on_disk.magic != kMagic || on_disk.version != kVersion || on_disk.page_size != kPageSize)
    return std::nullopt;
  if (on_disk.size != size - kPageSize || on_disk.hash != hash_of(on_disk, identity)) return std::nullopt;
  return Footer{on_disk.sequence, on_disk.size};
}

void throw_no_footer(File& file) {
  if (file.size() == 0) throw FormatError(FormatError::Kind::kTruncated, file.path(), "the file is empty");
  throw FormatError(FormatError::Kind::kTruncated, file.path(),
                    "no valid footer page at the end: cut short, damaged, or not a heap of this kind");
}

}  // namespace plugpull
