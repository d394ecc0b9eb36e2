#include "native/addon/registry_binding.h"

#include <string>

#include "native/fams/backend.h"
#include "native/planted/planted.h"

namespace plugpull::addon {
namespace {

Napi::String string(Napi::Env env, std::string_view text) {
  return Napi::String::New(env, std::string(text));
}

Napi::Value backends(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  const Napi::Array result = Napi::Array::New(env);
  for (const BackendKind& kind : all_backends()) {
    const Napi::Array steps = Napi::Array::New(env);
    for (const std::string_view step : kind.steps) steps.Set(steps.Length(), string(env, step));
    const Napi::Object backend = Napi::Object::New(env);
    backend.Set("name", string(env, kind.name));
    backend.Set("summary", string(env, kind.summary));
    backend.Set("failureAtomic", Napi::Boolean::New(env, kind.failure_atomic));
    backend.Set("needsReflink", Napi::Boolean::New(env, kind.needs_reflink));
    backend.Set("steps", steps);
    result.Set(result.Length(), backend);
  }
  return result;
}

Napi::Value planted_bugs(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  const Napi::Array result = Napi::Array::New(env);
  for (const BugInfo& bug : all_bugs()) {
    const Napi::Object entry = Napi::Object::New(env);
    entry.Set("name", string(env, bug.name));
    entry.Set("subject", string(env, bug.subject));
    entry.Set("figureClass", Napi::Number::New(env, bug.figure_class));
    entry.Set("seenBy", string(env, seen_by_name(bug.seen_by)));
    entry.Set("workload", string(env, bug.workload));
    entry.Set("summary", string(env, bug.summary));
    result.Set(result.Length(), entry);
  }
  return result;
}

}  // namespace

void define_registry(Napi::Env env, Napi::Object exports) {
  exports.Set("backends", Napi::Function::New<backends>(env, "backends"));
  exports.Set("plantedBugs", Napi::Function::New<planted_bugs>(env, "plantedBugs"));
}

}  // namespace plugpull::addon
