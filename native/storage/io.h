#pragma once
#include <cstdint>
#include <string>

#include "native/storage/storage.h"

namespace plugpull {

// Reads until `out` is full or the file ends; returns the bytes read.
std::size_t read_all(File& file, Bytes out, std::uint64_t offset);

// Writes all of `in`, continuing after short writes; a write of zero bytes is EIO.
void write_all(File& file, ConstBytes in, std::uint64_t offset);

// The directory part of a path ("." if it has none).
std::string directory_of(const std::string& path);

// fsync of `directory` and of every directory above it up to "/", so that a file
// created there is reachable after a power cut. Parents that may not be opened by
// this user end the walk; other errors are thrown. A relative path ends it at ".".
void sync_directory_chain(Storage& storage, const std::string& directory);

}  // namespace plugpull
