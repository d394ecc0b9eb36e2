#pragma once
#include <cstdint>
#include <optional>

#include "native/storage/storage.h"

namespace plugpull {

// The page behind the heap's pages in the files of `journal`, `snap` and `copy`: which
// commit the file holds, and how long the heap is. Heap offsets stay file offsets.
struct Footer {
  std::uint64_t sequence = 0;
  std::uint64_t size = 0;  // bytes of the heap, the footer not counted
};

// Writes it at offset `footer.size`; the file then ends behind it.
void write_footer(File& file, const Footer& footer, std::uint64_t identity);

// What the last page of the file says; nothing if the file has no valid footer, or
// belongs to another heap. Throws only for errors of the OS.
std::optional<Footer> read_footer(File& file, std::uint64_t identity);

// FormatError for a file without a valid footer, in the best words there are.
[[noreturn]] void throw_no_footer(File& file);

}  // namespace plugpull
