#include "native/process/page_cache.h"

#include <fcntl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>

#include "native/process/descriptor.h"
#include "native/storage/error.h"

namespace plugpull {
namespace {

// As in the kernel's <linux/mman.h>, which older headers lack.
constexpr long kCachestat = 451;
struct CachestatRange {
  std::uint64_t offset;
  std::uint64_t length;  // 0: to the end
};
struct Cachestat {
  std::uint64_t cached;
  std::uint64_t dirty;
  std::uint64_t writeback;
  std::uint64_t evicted;
  std::uint64_t recently_evicted;
};

}  // namespace

std::optional<std::uint64_t> unwritten_pages(const std::string& path) {
  const Descriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK));
  if (file.get() < 0) throw OsError("open", path, errno);
  CachestatRange range{0, 0};
  Cachestat counts{};
  if (::syscall(kCachestat, file.get(), &range, &counts, 0) < 0) {
    // EOPNOTSUPP: not a file with a page cache, or one that may not be asked.
    if (errno == ENOSYS || errno == EOPNOTSUPP || errno == EPERM) return std::nullopt;
    throw OsError("cachestat", path, errno);
  }
  return counts.dirty + counts.writeback;
}

}  // namespace plugpull
