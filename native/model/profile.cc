#include "native/model/profile.h"

#include <array>

namespace plugpull {
namespace {

constexpr std::string_view kPosixSync =
    "POSIX.1-2017, fsync() and fdatasync(); Linux man page fsync(2), NOTES";
constexpr std::string_view kAlice =
    "Pillai et al., All File Systems Are Not Created Equal, OSDI 2014, section 3.2 (abstract persistence "
    "model)";
constexpr std::string_view kExt4Admin = "Linux, Documentation/admin-guide/ext4.rst";
constexpr std::string_view kExt4Rename =
    "Linux, fs/ext4/namei.c (ext4_rename), fs/ext4/inode.c (ext4_should_dioread_nolock, "
    "ext4_alloc_da_blocks); seen on rig disk with 6.18";
constexpr std::string_view kJbd2 = "Linux, Documentation/filesystems/ext4/journal.rst";
constexpr std::string_view kXfsLog = "Linux, Documentation/filesystems/xfs/xfs-delayed-logging-design.rst";
constexpr std::string_view kXfsIo = "Linux, fs/xfs/xfs_aops.c (xfs_end_ioend, xfs_setfilesize)";
constexpr std::string_view kRemap = "Linux, fs/remap_range.c (generic_remap_file_range_prep)";
constexpr std::string_view kBtrfsRemap = "Linux, fs/btrfs/reflink.c (btrfs_remap_file_range_prep)";
constexpr std::string_view kBtrfsLog =
    "Linux, fs/btrfs/tree-log.c (btrfs_log_inode_parent, btrfs_log_new_name)";
constexpr std::string_view kBtrfsOrdered = "Linux, fs/btrfs/inode.c (btrfs_finish_one_ordered)";
constexpr std::string_view kBtrfsRename =
    "Linux commit 8d875f95da43 (btrfs: disable strict file flushes for renames and truncates)";

constexpr std::array kPosixRules{
    ProfileRule{"Data, size, mode and names persist by fsync of the file, and of the directory, alone.",
                kPosixSync},
    ProfileRule{"fdatasync does not make a change of mode durable.", kPosixSync},
    ProfileRule{"Pending changes persist in any subset; a write may be torn at sectors.", kAlice},
    ProfileRule{"Space that a file grew into may read as zeros or as garbage.", kAlice},
};

constexpr std::array kExt4OrderedRules{
    ProfileRule{"Metadata are committed in order; recovery replays a prefix of the transactions.", kJbd2},
    ProfileRule{
        "data=ordered: data of newly allocated blocks are written before the commit of their metadata.",
        kExt4Admin},
    ProfileRule{
        "auto_da_alloc only starts writing a new file's data when it is renamed over another: with "
        "dioread_nolock, the default, they count once they were written, and the rename does not wait.",
        kExt4Rename},
    ProfileRule{"Blocks overwritten in place have no order and may be torn.", kExt4Admin},
    ProfileRule{"fsync commits the transaction that changed the file, with all that came before it.",
                "Linux, fs/ext4/fsync.c (ext4_fsync_journal)"},
    ProfileRule{"No reflink.", "Linux man page ioctl_ficlone(2), ERRORS"},
};

constexpr std::array kExt4LockRules{
    ProfileRule{
        "As ext4-ordered, but with dioread_lock new blocks are marked as written when they are allocated.",
        kExt4Rename},
    ProfileRule{"auto_da_alloc: rename over an existing file writes the new file's data with the rename.",
                kExt4Admin},
};

constexpr std::array kExt4WritebackRules{
    ProfileRule{"Metadata are committed in order; recovery replays a prefix of the transactions.", kJbd2},
    ProfileRule{"data=writeback: no order between data and metadata; new blocks may hold stale data.",
                kExt4Admin},
    ProfileRule{"fsync commits the transaction that changed the file, with all that came before it.",
                "Linux, fs/ext4/fsync.c (ext4_fsync_journal)"},
    ProfileRule{"No reflink.", "Linux man page ioctl_ficlone(2), ERRORS"},
};

constexpr std::array kXfsRules{
    ProfileRule{"Metadata reach the log in order; recovery replays a prefix.", kXfsLog},
    ProfileRule{"fsync forces the log up to the file's last change, with all that came before it.",
                "Linux, fs/xfs/xfs_file.c (xfs_file_fsync)"},
    ProfileRule{"The size on disk grows only after the data were written.", kXfsIo},
    ProfileRule{"A clone first writes the source's dirty pages.", kRemap},
    ProfileRule{"Rename does not flush data: a new file may be found empty.", kXfsIo},
};

constexpr std::array kBtrfsRules{
    ProfileRule{"Metadata are committed by whole transactions, in order.",
                "Rodeh et al., BTRFS, ACM TOS 9(3), 2013"},
    ProfileRule{"Data are written to new blocks and become visible with the metadata that refer to them.",
                kBtrfsOrdered},
    ProfileRule{"Data checksums hide torn blocks: a block of 4096 bytes is there or not.",
                "Rodeh et al., BTRFS, ACM TOS 9(3), 2013"},
    ProfileRule{"fsync logs the file's own changes and its names, and nothing else.", kBtrfsLog},
    ProfileRule{"A clone first writes the source's dirty pages.", kBtrfsRemap},
    ProfileRule{"Rename only starts writing the data: a new file may be found empty.", kBtrfsRename},
};

constexpr std::array kProfiles{
    Profile{.name = "posix",
            .summary = "the weakest promises that POSIX allows",
            .stale = true,
            .rules = kPosixRules},
    Profile{.name = "ext4-ordered",
            .summary = "ext4 with data=ordered and auto_da_alloc, its defaults",
            .journal = true,
            .sync_names = true,
            .size_after_data = true,
            .reflink = false,
            .rules = kExt4OrderedRules},
    Profile{
        .name = "ext4-dioread-lock",
        .summary = "ext4 with data=ordered, auto_da_alloc and dioread_lock (the default before Linux 5.6)",
        .journal = true,
        .sync_names = true,
        .size_after_data = true,
        .rename_flushes = true,
        .reflink = false,
        .rules = kExt4LockRules},
    Profile{.name = "ext4-writeback",
            .summary = "ext4 with data=writeback",
            .journal = true,
            .sync_names = true,
            .stale = true,
            .reflink = false,
            .rules = kExt4WritebackRules},
    Profile{.name = "xfs",
            .summary = "XFS",
            .journal = true,
            .sync_names = true,
            .size_after_data = true,
            .clone_flushes = true,
            .rules = kXfsRules},
    Profile{.name = "btrfs",
            .summary = "btrfs",
            .journal = true,
            .sync_own_only = true,
            .sync_names = true,
            .size_after_data = true,
            .clone_flushes = true,
            .data_with_journal = true,
            .sector = 4096,
            .rules = kBtrfsRules},
};

}  // namespace

std::span<const Profile> all_profiles() noexcept { return kProfiles; }

const Profile* profile_by_name(std::string_view name) noexcept {
  for (const Profile& profile : kProfiles) {
    if (profile.name == name) return &profile;
  }
  return nullptr;
}

}  // namespace plugpull
