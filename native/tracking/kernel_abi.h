#pragma once
// The parts of <linux/userfaultfd.h> and <linux/fs.h> that Linux 6.7 added and that the
// headers of older distributions lack.
#include <linux/ioctl.h>
#include <linux/types.h>

#include <cstdint>

namespace plugpull::kernel {

inline constexpr int kUffdUserModeOnly = 1;
inline constexpr std::uint64_t kUffdApi = 0xAA;
inline constexpr std::uint64_t kFeatureWpUnpopulated = 1U << 13U;
inline constexpr std::uint64_t kFeatureWpAsync = 1U << 15U;

struct UffdioApi {
  std::uint64_t api, features, ioctls;
};
struct UffdioRange {
  std::uint64_t start, length;
};
struct UffdioRegister {
  UffdioRange range;
  std::uint64_t mode, ioctls;
};
struct UffdioWriteprotect {
  UffdioRange range;
  std::uint64_t mode;
};

inline constexpr std::uint64_t kRegisterModeWp = 1U << 1U;
inline constexpr std::uint64_t kWriteprotectModeWp = 1U << 0U;

inline constexpr unsigned long kUffdioApi = _IOWR(0xAA, 0x3F, UffdioApi);
inline constexpr unsigned long kUffdioRegister = _IOWR(0xAA, 0x00, UffdioRegister);
inline constexpr unsigned long kUffdioWriteprotect = _IOWR(0xAA, 0x06, UffdioWriteprotect);

struct PageRegion {
  std::uint64_t start, end, categories;
};
struct PmScanArg {
  std::uint64_t size, flags, start, end, walk_end, vec, vec_len, max_pages;
  std::uint64_t category_inverted, category_mask, category_anyof_mask, return_mask;
};

inline constexpr std::uint64_t kPageIsWritten = 1U << 1U;
inline constexpr std::uint64_t kScanWpMatching = 1U << 0U;
inline constexpr std::uint64_t kScanCheckWpAsync = 1U << 1U;
inline constexpr unsigned long kPagemapScan = _IOWR('f', 16, PmScanArg);

}  // namespace plugpull::kernel
