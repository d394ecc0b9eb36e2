#include "native/addon/explore_convert.h"

#include <algorithm>
#include <cstdio>
#include <span>

#include "native/fams/hash.h"

namespace plugpull::addon {
namespace {

Napi::Number number(Napi::Env env, double value) { return Napi::Number::New(env, value); }

const char* fate_name(ChangeFate::Fate fate) {
  switch (fate) {
    case ChangeFate::Fate::kUnread:
      return "unread";
    case ChangeFate::Fate::kKept:
      return "kept";
    case ChangeFate::Fate::kLost:
      return "lost";
    case ChangeFate::Fate::kTorn:
      return "torn";
  }
  return "unread";
}

const char* kind_name(OpKind kind) {
  switch (kind) {
    case OpKind::kCreate:
      return "create";
    case OpKind::kRename:
      return "rename";
    case OpKind::kUnlink:
      return "unlink";
    case OpKind::kWrite:
      return "write";
    case OpKind::kTruncate:
      return "truncate";
    case OpKind::kChmod:
      return "chmod";
    case OpKind::kClone:
      return "clone";
    case OpKind::kSync:
      return "fsync";
    case OpKind::kDataSync:
      return "fdatasync";
    case OpKind::kRangeSync:
      return "msync";
    case OpKind::kSyncDirectory:
      return "fsync of the directory";
    case OpKind::kAck:
      return "ack";
    case OpKind::kStep:
      return "step";
  }
  return "step";
}

}  // namespace

Napi::Value explored_object(Napi::Env env, const Explored& explored) {
  const Napi::Object result = Napi::Object::New(env);
  result.Set("states", number(env, static_cast<double>(explored.states)));
  result.Set("distinct", number(env, static_cast<double>(explored.distinct)));
  result.Set("of", number(env, explored.of));
  result.Set("exhaustive", explored.exhaustive);
  result.Set("points", number(env, static_cast<double>(explored.points)));
  result.Set("nested", number(env, static_cast<double>(explored.nested)));
  result.Set("stopped", explored.stopped);
  const Napi::Object verdicts = Napi::Object::New(env);
  for (const auto& [verdict, count] : explored.verdicts) {
    verdicts.Set(std::to_string(verdict), number(env, static_cast<double>(count)));
  }
  result.Set("verdicts", verdicts);
  const Napi::Object steps = Napi::Object::New(env);
  for (const auto& [step, count] : explored.steps) steps.Set(step, number(env, static_cast<double>(count)));
  result.Set("steps", steps);
  const Napi::Array violations = Napi::Array::New(env);
  for (const Violation& violation : explored.violations) {
    const Napi::Object one = Napi::Object::New(env);
    one.Set("path", violation.path.text());
    one.Set("verdict", number(env, violation.verdict));
    one.Set("acked", number(env, static_cast<double>(violation.acked)));
    violations.Set(violations.Length(), one);
  }
  result.Set("violations", violations);
  return result;
}

Napi::Value minimized_object(Napi::Env env, const Minimized& minimized) {
  const Napi::Object result = Napi::Object::New(env);
  result.Set("reproduced", minimized.reproduced);
  result.Set("verdict", number(env, minimized.verdict));
  result.Set("acked", number(env, static_cast<double>(minimized.acked)));
  result.Set("path", minimized.path.text());
  result.Set("point", number(env, minimized.point));
  result.Set("tries", number(env, minimized.tries));
  const Napi::Array changes = Napi::Array::New(env);
  for (const ChangeFate& change : minimized.changes) {
    const Napi::Object one = Napi::Object::New(env);
    one.Set("fate", fate_name(change.fate));
    one.Set("cut", number(env, change.cut));
    one.Set("operation", number(env, change.op));
    one.Set("what", change.what);
    one.Set("file", change.file);
    one.Set("other", change.other);
    one.Set("offset", number(env, static_cast<double>(change.offset)));
    one.Set("length", number(env, static_cast<double>(change.length)));
    one.Set("step", change.step);
    one.Set("detail", change.detail);
    changes.Set(changes.Length(), one);
  }
  result.Set("changes", changes);
  return result;
}

Napi::Value operations_array(Napi::Env env, const Trace& trace, std::uint64_t from, std::uint64_t to) {
  const std::vector<Op>& ops = trace.recording.ops();
  const Napi::Array result = Napi::Array::New(env);
  for (std::uint64_t i = from; i < std::min<std::uint64_t>(to, ops.size()); ++i) {
    const Op& op = ops[i];
    const Napi::Object one = Napi::Object::New(env);
    one.Set("kind", kind_name(op.kind));
    if (op.path != kNone) one.Set("file", trace.paths.at(op.path));
    if (op.other != kNone) one.Set("other", trace.paths.at(op.other));
    if (op.step != kNone) one.Set("step", trace.steps.at(op.step));
    one.Set("offset", number(env, static_cast<double>(op.offset)));
    one.Set("length", number(env, static_cast<double>(op.length)));
    result.Set(result.Length(), one);
  }
  return result;
}

std::string trace_hash(const Trace& trace) {
  std::uint64_t hash = 0;
  const auto mix = [&](const void* data, std::size_t length) {
    hash = hash64(ConstBytes(static_cast<const std::byte*>(data), length), hash);
  };
  for (const Op& op : trace.recording.ops()) {
    const std::uint64_t numbers[] = {static_cast<std::uint64_t>(op.kind),
                                     op.mapped,
                                     op.replaces,
                                     op.mode,
                                     op.inode,
                                     op.source,
                                     op.path,
                                     op.other,
                                     op.step,
                                     op.offset,
                                     op.length};
    mix(numbers, sizeof numbers);
    if (op.kind == OpKind::kWrite) mix(trace.recording.bytes(op), op.length);
  }
  char text[17];
  std::snprintf(text, sizeof text, "%016llx", static_cast<unsigned long long>(hash));
  return text;
}

}  // namespace plugpull::addon
