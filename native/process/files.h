#pragma once
#include <sys/stat.h>

#include <string>
#include <vector>

#include "native/process/descriptor.h"

namespace plugpull {

// Names in a folder, sorted.
std::vector<std::string> names_in(const std::string& folder);

// lstat.
struct stat status_of(const std::string& path);

// Opens a file for reading. Where its permissions forbid that and the caller owns it, they
// are lifted for the moment of opening; they and the time of change stay as they were.
Descriptor open_to_read(const std::string& path, const struct stat& status);

std::string read_link(const std::string& path);

// The next range of a file at or after `from` that holds data: [start, end). Both are `size` where
// only a hole is left. File systems that know no holes give everything.
struct DataRange {
  off_t start;
  off_t end;
};
DataRange next_data(const Descriptor& file, off_t from, off_t size);

}  // namespace plugpull
