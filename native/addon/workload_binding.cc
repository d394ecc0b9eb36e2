#include "native/addon/workload_binding.h"

#include <algorithm>
#include <memory>
#include <optional>

#include "native/addon/convert.h"
#include "native/addon/heap_binding.h"
#include "native/addon/instance.h"
#include "native/workloads/stl_map.h"
#include "native/workloads/threads_work.h"

namespace plugpull::addon {
namespace {

std::uint32_t small_number(const Napi::Value& value, const std::string& name) {
  const std::uint64_t number = whole_number(value, name);
  if (number > 0xffffffff) throw Napi::RangeError::New(value.Env(), name + " must fit into 32 bits");
  return static_cast<std::uint32_t>(number);
}

class NativeStlMap : public Napi::ObjectWrap<NativeStlMap> {
 public:
  explicit NativeStlMap(const Napi::CallbackInfo& info) : Napi::ObjectWrap<NativeStlMap>(info) {
    NativeHeap& heap = NativeHeap::of(info[0]);
    guarded(info.Env(), [&] { map_.emplace(heap.shared()); });
    heap_ = Napi::Persistent(info[0].As<Napi::Object>());
  }

  static void define(Napi::Env env) {
    const Napi::Function constructor = DefineClass(
        env, "NativeStlMap",
        {InstanceMethod<&NativeStlMap::insert>("insert"), InstanceMethod<&NativeStlMap::erase>("erase"),
         InstanceMethod<&NativeStlMap::get>("get"), InstanceAccessor<&NativeStlMap::size>("size"),
         InstanceMethod<&NativeStlMap::entries>("entries"), InstanceMethod<&NativeStlMap::blocks>("blocks")});
    Instance::of(env).stl_map = Napi::Persistent(constructor);
  }

 private:
  // Throws where the heap was closed under the map.
  StlMap& map() {
    NativeHeap::of(heap_.Value());
    return *map_;
  }

  void insert(const Napi::CallbackInfo& info) {
    const std::uint64_t key = whole_number(info[0], "key");
    const std::uint64_t value = whole_number(info[1], "value");
    guarded(info.Env(), [&] { map().insert(key, value); });
  }

  Napi::Value erase(const Napi::CallbackInfo& info) {
    const std::uint64_t key = whole_number(info[0], "key");
    return Napi::Boolean::New(info.Env(), guarded(info.Env(), [&] { return map().erase(key); }));
  }

  Napi::Value get(const Napi::CallbackInfo& info) {
    const std::uint64_t key = whole_number(info[0], "key");
    const std::optional<std::uint64_t> value = guarded(info.Env(), [&] { return map().get(key); });
    if (!value) return info.Env().Undefined();
    return Napi::Number::New(info.Env(), static_cast<double>(*value));
  }

  Napi::Value size(const Napi::CallbackInfo& info) {
    return Napi::Number::New(info.Env(), static_cast<double>(map().size()));
  }

  Napi::Value entries(const Napi::CallbackInfo& info) {
    const StlMap::Contents contents = guarded(info.Env(), [&] { return map().read(); });
    Napi::Float64Array array = Napi::Float64Array::New(info.Env(), contents.pairs.size() * 2);
    double* out = array.Data();
    for (const auto& [key, value] : contents.pairs) {
      *out++ = static_cast<double>(key);
      *out++ = static_cast<double>(value);
    }
    return array;
  }

  Napi::Value blocks(const Napi::CallbackInfo& info) {
    const StlMap::Contents contents = guarded(info.Env(), [&] { return map().read(); });
    Napi::Float64Array array = Napi::Float64Array::New(info.Env(), contents.blocks.size());
    std::transform(contents.blocks.begin(), contents.blocks.end(), array.Data(),
                   [](Offset offset) { return static_cast<double>(offset); });
    return array;
  }

  Napi::ObjectReference heap_;
  std::optional<StlMap> map_;
};

class NativeThreads : public Napi::ObjectWrap<NativeThreads> {
 public:
  explicit NativeThreads(const Napi::CallbackInfo& info) : Napi::ObjectWrap<NativeThreads>(info) {
    NativeHeap& heap = NativeHeap::of(info[0]);
    const Napi::Object from = object(info[1], "options");
    ThreadsPlan plan;
    plan.threads = small_number(from.Get("threads"), "threads");
    plan.slots = small_number(from.Get("slots"), "slots");
    plan.array = whole_number(from.Get("array"), "array");
    plan.seed = static_cast<std::uint32_t>(whole_number(from.Get("seed"), "seed"));
    plan.from = small_number(from.Get("from"), "from");
    const Napi::Value writes = from.Get("writes");
    if (!writes.IsUndefined()) plan.writes = small_number(writes, "writes");
    work_ = guarded(info.Env(), [&] { return std::make_shared<ThreadsWork>(heap.shared(), plan); });
    heap.before_close([work = std::weak_ptr(work_)] {
      if (const auto running = work.lock()) running->stop();
    });
    heap_ = Napi::Persistent(info[0].As<Napi::Object>());
  }

  static void define(Napi::Env env) {
    const Napi::Function constructor = DefineClass(
        env, "NativeThreadsWork",
        {InstanceMethod<&NativeThreads::commit>("commit"), InstanceMethod<&NativeThreads::stop>("stop")});
    Instance::of(env).threads = Napi::Persistent(constructor);
  }

 private:
  void commit(const Napi::CallbackInfo& info) {
    const std::uint32_t k = small_number(info[0], "k");
    guarded(info.Env(), [&] { work_->commit(k); });
  }

  void stop(const Napi::CallbackInfo&) { work_->stop(); }

  Napi::ObjectReference heap_;  // alive as long as its threads are
  std::shared_ptr<ThreadsWork> work_;
};

Napi::Value open_stl_map(const Napi::CallbackInfo& info) {
  return Instance::of(info.Env()).stl_map.New({info[0]});
}

Napi::Value start_threads(const Napi::CallbackInfo& info) {
  return Instance::of(info.Env()).threads.New({info[0], info[1]});
}

}  // namespace

void define_workloads(Napi::Env env, Napi::Object exports) {
  NativeStlMap::define(env);
  NativeThreads::define(env);
  exports.Set("openStlMap", Napi::Function::New<open_stl_map>(env, "openStlMap"));
  exports.Set("startThreads", Napi::Function::New<start_threads>(env, "startThreads"));
}

}  // namespace plugpull::addon
