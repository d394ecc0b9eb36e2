#pragma once
#include <cstdint>
#include <string>
#include <string_view>

namespace plugpull {

// Marks: what a workload says of itself while its machine is about to lose power, so each is out before the
// call returns. There is one place for them in a process.

struct MarkPlaces {
  std::string port;          // each mark is a line here, with one write(2); empty: nowhere
  std::string device;        // each mark is one sector here, written with O_DIRECT; empty: nowhere
  std::uint64_t offset = 0;  // of that sector in bytes, a multiple of 512
};

// Opens the places; what was open before is closed. Throws OsError.
void open_marks(const MarkPlaces& places);

// Writes a mark: at most 400 bytes, without a newline. Throws OsError.
void mark(std::string_view text);

// The same where nothing may be thrown; a place that takes no marks any more is left alone.
void mark_quietly(std::string_view text) noexcept;

// Are there places?
bool marking() noexcept;

}  // namespace plugpull
