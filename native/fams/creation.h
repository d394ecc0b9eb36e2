#pragma once
#include <string>

#include "native/fams/backend.h"

namespace plugpull {

// How a heap comes into being, the same for all backends: everything is prepared beside
// it, the file itself under a temporary name; the rename to the real name is what makes
// it a heap. So a creation that was cut leaves no heap, or a whole one.

std::string temporary_name(const std::string& path);

// Throws OsError EEXIST if there is a heap, std::invalid_argument for a wrong size.
void check_creation(Storage& storage, const BackendOptions& options);

// Opens the file under its temporary name, whatever a cut creation left there.
std::unique_ptr<File> open_temporary(Storage& storage, const std::string& path);

// Opens the heap's file. FormatError kAbsent if there is none.
std::unique_ptr<File> open_heap_file(Storage& storage, const std::string& path, bool write);

// Removes a file that an earlier, cut creation may have left.
void remove_leftover(Storage& storage, const std::string& path);

}  // namespace plugpull
