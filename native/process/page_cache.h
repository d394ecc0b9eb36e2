#pragma once
#include <cstdint>
#include <optional>
#include <string>

namespace plugpull {

// Pages of a file that the page cache holds and that the medium has not got yet: changed, or being written
// just now. Nothing where the kernel cannot tell (cachestat(2), Linux 6.5). Throws OsError.
std::optional<std::uint64_t> unwritten_pages(const std::string& path);

}  // namespace plugpull
