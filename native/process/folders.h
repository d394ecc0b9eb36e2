#pragma once
#include <optional>
#include <string>

namespace plugpull {

// These work on folders that a crash left behind, so files without read permission (a snapshot
// that is marked invalid) are read too, where the caller owns them. All throw OsError.

// Compares names, kinds, permissions and contents, sub-folders too. Nothing if all are equal,
// else the first difference in words.
std::optional<std::string> compare_folders(const std::string& a, const std::string& b);

// Copies a folder to a new folder `to`: contents (shared where the file system can, holes
// stay holes), permissions, times of change. Links, pipes and sockets are made again;
// devices are EINVAL.
void copy_folder(const std::string& from, const std::string& to);

// Can files in this folder be cloned (FICLONE)?
bool reflink_available(const std::string& folder);

}  // namespace plugpull
