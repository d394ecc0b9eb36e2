#include "native/explore/minimize.h"

namespace plugpull {
namespace {

std::string name_of(const Pending& p, OpKind kind) {
  switch (p.change) {
    case Change::kData:
      return "write";
    case Change::kGrow:
      return "size";
    case Change::kTruncate:
      return "truncation";
    case Change::kMode:
      return "mode";
    case Change::kClone:
      return "clone";
    case Change::kNames:
      return kind == OpKind::kCreate ? "creation" : kind == OpKind::kRename ? "rename" : "unlink";
  }
  return {};
}

}  // namespace

std::vector<ChangeFate> describe_changes(Explorer& explorer) {
  std::vector<ChangeFate> all;
  Scene& scene = explorer.scene();
  const auto count = static_cast<PendingId>(scene.pending().size());
  for (PendingId id = 0; id < count; ++id) {
    const Scene::Known known = scene.known(id);
    const Pending p = scene.pending()[id];
    const Recording* from = explorer.recording_of(p);
    if (p.forced || from == nullptr) continue;
    const Op& op = from->ops()[explorer.index_of(p)];
    ChangeFate fate;
    fate.fate = static_cast<ChangeFate::Fate>(known.fate);
    fate.cut = explorer.cut_of(p);
    fate.op = explorer.index_of(p) + 1;
    fate.what = name_of(p, op.kind);
    if (op.path != kNone) fate.file = explorer.names().at(op.path);
    if (op.other != kNone) fate.other = explorer.names().at(op.other);
    fate.offset = p.change == Change::kData ? p.offset : 0;
    fate.length = p.length;
    if (op.step != kNone) fate.step = explorer.steps().at(op.step);
    if (fate.fate >= ChangeFate::Fate::kLost && p.change == Change::kData) {
      fate.detail = scene.family(id).describe(known.candidate);
    }
    all.push_back(std::move(fate));
  }
  return all;
}

}  // namespace plugpull
