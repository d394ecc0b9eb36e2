#pragma once
#include <cstddef>
#include <span>
#include <string_view>

namespace plugpull {

// One promise of a file system that narrows what a power cut can leave, and who says so.
struct ProfileRule {
  std::string_view rule;
  std::string_view source;
};

// What storage promises beyond POSIX. With everything false it promises nothing more: each
// elementary change (the sectors of a write, a size, a mode, a name) persists or not by itself
// until the right file or directory is synced.
struct Profile {
  std::string_view name;
  std::string_view summary;
  // Changes of names, modes, clones and truncations reach the medium in the order they were made:
  // what a cut leaves of them is a prefix.
  bool journal = false;
  // A sync makes only the file's (or directory's) own changes durable, not all that the journal held before.
  bool sync_own_only = false;
  // fsync of a file makes the name it was created with durable.
  bool sync_names = false;
  // A file's new size is on the medium only if the data that made it grow are.
  bool size_after_data = false;
  // Renaming over an existing file flushes the data of the new one first.
  bool rename_flushes = false;
  // A clone flushes the data of its source first.
  bool clone_flushes = false;
  // Overwritten data become visible only with a commit of the metadata (copy on write).
  bool data_with_journal = false;
  // Space that a file grew into may hold what was there before.
  bool stale = false;
  bool reflink = true;
  // What the device writes whole: 512, or more where a checksum hides a torn block.
  std::size_t sector = 512;
  std::span<const ProfileRule> rules;
};

std::span<const Profile> all_profiles() noexcept;
// nullptr if there is none of that name.
const Profile* profile_by_name(std::string_view name) noexcept;

}  // namespace plugpull
