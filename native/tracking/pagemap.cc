#include "native/tracking/pagemap.h"

#include <fcntl.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <cerrno>

#include "native/storage/error.h"
#include "native/tracking/kernel_abi.h"

namespace plugpull {
namespace {

constexpr const char* kSubject = "(changed-page tracking)";

}  // namespace

PagemapTracker::PagemapTracker() {
  userfaultfd_ =
      static_cast<int>(::syscall(SYS_userfaultfd, O_CLOEXEC | O_NONBLOCK | kernel::kUffdUserModeOnly));
  if (userfaultfd_ < 0) throw OsError("userfaultfd", kSubject, errno);
  kernel::UffdioApi api{kernel::kUffdApi, kernel::kFeatureWpAsync | kernel::kFeatureWpUnpopulated, 0};
  if (::ioctl(userfaultfd_, kernel::kUffdioApi, &api) != 0) {
    const int error = errno;
    ::close(userfaultfd_);
    throw OsError("UFFDIO_API", kSubject, error);
  }
  // Not shared with children: the file stays bound to the memory of whoever opened it.
  pagemap_ = ::open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
  if (pagemap_ < 0) {
    const int error = errno;
    ::close(userfaultfd_);
    throw OsError("open", "/proc/self/pagemap", error);
  }
}

// Closing the descriptor takes the protection off whatever is still mapped.
PagemapTracker::~PagemapTracker() {
  ::close(pagemap_);
  ::close(userfaultfd_);
}

void PagemapTracker::arm(std::byte* base, std::size_t size) {
  const std::size_t known = base == base_ ? std::min(size, size_) : 0;
  if (size > known) {
    const kernel::UffdioRange range{reinterpret_cast<std::uint64_t>(base) + known, size - known};
    kernel::UffdioRegister registration{range, kernel::kRegisterModeWp, 0};
    if (::ioctl(userfaultfd_, kernel::kUffdioRegister, &registration) != 0) {
      throw OsError("UFFDIO_REGISTER", kSubject, errno);
    }
    kernel::UffdioWriteprotect protection{range, kernel::kWriteprotectModeWp};
    if (::ioctl(userfaultfd_, kernel::kUffdioWriteprotect, &protection) != 0) {
      throw OsError("UFFDIO_WRITEPROTECT", kSubject, errno);
    }
  }
  base_ = base;
  size_ = size;
}

std::vector<std::uint32_t> PagemapTracker::collect() {
  std::vector<std::uint32_t> changed;
  if (size_ == 0) return changed;
  std::array<kernel::PageRegion, 512> regions;
  const auto base = reinterpret_cast<std::uint64_t>(base_);
  kernel::PmScanArg scan{};
  scan.size = sizeof scan;
  scan.flags = kernel::kScanWpMatching | kernel::kScanCheckWpAsync;
  scan.start = base;
  scan.end = base + size_;
  scan.vec = reinterpret_cast<std::uint64_t>(regions.data());
  scan.vec_len = regions.size();
  scan.category_mask = kernel::kPageIsWritten;
  scan.return_mask = kernel::kPageIsWritten;
  while (scan.start < scan.end) {
    const int found = ::ioctl(pagemap_, kernel::kPagemapScan, &scan);
    if (found < 0) {
      if (errno == EINTR) continue;
      throw OsError("PAGEMAP_SCAN", kSubject, errno);
    }
    for (int i = 0; i < found; ++i) {
      const kernel::PageRegion& region = regions[static_cast<std::size_t>(i)];
      for (std::uint64_t at = region.start; at < region.end; at += kPageSize) {
        changed.push_back(static_cast<std::uint32_t>((at - base) / kPageSize));
      }
    }
    scan.start = scan.walk_end;
  }
  return changed;
}

}  // namespace plugpull
