#include "native/addon/heap_binding.h"

#include <cmath>
#include <limits>

#include "native/addon/array_buffer.h"
#include "native/addon/convert.h"
#include "native/addon/heap_options.h"
#include "native/addon/instance.h"
#include "native/addon/storage_binding.h"

namespace plugpull::addon {
namespace {

// Marks our own objects, so that nothing else is ever unwrapped as one.
constexpr napi_type_tag kTag = {0x41d6a97be3f0582c, 0x8c27b5f41e93d06a};

Napi::Value create_heap(const Napi::CallbackInfo& info) {
  const HeapOptions options = heap_options(info[0], true);
  std::shared_ptr<Storage> storage = NativeStorage::of(info[0].As<Napi::Object>().Get("storage"));
  return guarded(info.Env(), [&] {
    auto heap = Heap::create(*storage, options);
    return NativeHeap::wrap(info.Env(), std::move(storage), std::move(heap));
  });
}

Napi::Value open_heap(const Napi::CallbackInfo& info) {
  const HeapOptions options = heap_options(info[0], false);
  std::shared_ptr<Storage> storage = NativeStorage::of(info[0].As<Napi::Object>().Get("storage"));
  return guarded(info.Env(), [&] {
    auto heap = Heap::open(*storage, options);
    return NativeHeap::wrap(info.Env(), std::move(storage), std::move(heap));
  });
}

Napi::Number number(Napi::Env env, std::uint64_t value) {
  return Napi::Number::New(env, static_cast<double>(value));
}

// What a broken structure says it reaches may be any number: one that is no offset is turned into one
// that no block has, so that the check reports it.
std::vector<Offset> offsets(const Napi::Value& value) {
  if (!value.IsTypedArray() || value.As<Napi::TypedArray>().TypedArrayType() != napi_float64_array) {
    throw Napi::TypeError::New(value.Env(), "reachable must be a Float64Array");
  }
  const auto array = value.As<Napi::Float64Array>();
  std::vector<Offset> result(array.ElementLength());
  for (std::size_t i = 0; i < result.size(); ++i) {
    const double offset = array.Data()[i];
    const bool possible = offset >= 0 && offset < 9e15 && std::floor(offset) == offset;
    result[i] = possible ? static_cast<Offset>(offset) : std::numeric_limits<Offset>::max();
  }
  return result;
}

}  // namespace

NativeHeap::NativeHeap(const Napi::CallbackInfo& info) : Napi::ObjectWrap<NativeHeap>(info) {
  info.This().As<Napi::Object>().TypeTag(&kTag);
}

// Reached by garbage collection; the buffer keeps no memory of its own, so nothing may still read it.
NativeHeap::~NativeHeap() {
  try {
    close_heap();
  } catch (...) {
    // Nobody is left to tell. What was committed is safe; the rest was never promised.
  }
}

void NativeHeap::define(Napi::Env env) {
  const Napi::Function constructor = DefineClass(
      env, "NativeHeap",
      {InstanceAccessor<&NativeHeap::buffer>("buffer"), InstanceAccessor<&NativeHeap::size>("size"),
       InstanceAccessor<&NativeHeap::sequence>("sequence"),
       InstanceAccessor<&NativeHeap::last_commit_pages>("lastCommitPages"),
       InstanceAccessor<&NativeHeap::root, &NativeHeap::set_root>("root"),
       InstanceAccessor<&NativeHeap::layout, &NativeHeap::set_layout>("layout"),
       InstanceMethod<&NativeHeap::allocate>("allocate"), InstanceMethod<&NativeHeap::release>("release"),
       InstanceMethod<&NativeHeap::usable_size>("usableSize"), InstanceMethod<&NativeHeap::trim>("trim"),
       InstanceMethod<&NativeHeap::commit>("commit"), InstanceMethod<&NativeHeap::checkpoint>("checkpoint"),
       InstanceMethod<&NativeHeap::verify>("verify"), InstanceMethod<&NativeHeap::close>("close")});
  Instance::of(env).heap = Napi::Persistent(constructor);
}

Napi::Object NativeHeap::wrap(Napi::Env env, std::shared_ptr<Storage> storage, std::unique_ptr<Heap> heap) {
  const Napi::Object object = Instance::of(env).heap.New({});
  NativeHeap& self = *Unwrap(object);
  self.storage_ = std::move(storage);
  self.heap_ = std::move(heap);
  return object;
}

NativeHeap& NativeHeap::of(const Napi::Value& value) {
  if (!value.IsObject() || !value.As<Napi::Object>().CheckTypeTag(&kTag)) {
    throw Napi::TypeError::New(value.Env(), "heap must come from createHeap or openHeap");
  }
  NativeHeap& self = *Unwrap(value.As<Napi::Object>());
  self.heap(value.Env());
  return self;
}

Heap& NativeHeap::heap(Napi::Env env) const {
  if (!heap_) throw Napi::Error::New(env, "the heap is closed");
  return *heap_;
}

void NativeHeap::detach_buffer() {
  if (buffer_.IsEmpty()) return;
  Napi::ArrayBuffer buffer = buffer_.Value();
  if (!buffer.IsDetached()) buffer.Detach();
  buffer_.Reset();
}

void NativeHeap::detach_if_resized() {
  if (heap_ && heap_->size() != buffer_size_) detach_buffer();
}

Napi::Value NativeHeap::buffer(const Napi::CallbackInfo& info) {
  Heap& its_heap = heap(info.Env());
  if (buffer_.IsEmpty()) {
    buffer_size_ = its_heap.size();
    buffer_ = Napi::Persistent(external_array_buffer(info.Env(), its_heap.data(), buffer_size_));
  }
  return buffer_.Value();
}

Napi::Value NativeHeap::size(const Napi::CallbackInfo& info) {
  return number(info.Env(), heap(info.Env()).size());
}

Napi::Value NativeHeap::sequence(const Napi::CallbackInfo& info) {
  return number(info.Env(), heap(info.Env()).sequence());
}

Napi::Value NativeHeap::last_commit_pages(const Napi::CallbackInfo& info) {
  return number(info.Env(), heap(info.Env()).last_commit_pages());
}

Napi::Value NativeHeap::root(const Napi::CallbackInfo& info) {
  return number(info.Env(), heap(info.Env()).root());
}

void NativeHeap::set_root(const Napi::CallbackInfo& info, const Napi::Value& value) {
  const Offset offset = whole_number(value, "root");
  guarded(info.Env(), [&] { heap(info.Env()).set_root(offset); });
}

Napi::Value NativeHeap::layout(const Napi::CallbackInfo& info) {
  return Napi::String::New(info.Env(), heap(info.Env()).layout());
}

void NativeHeap::set_layout(const Napi::CallbackInfo& info, const Napi::Value& value) {
  const std::string name = text(value, "layout");
  guarded(info.Env(), [&] { heap(info.Env()).set_layout(name); });
}

Napi::Value NativeHeap::allocate(const Napi::CallbackInfo& info) {
  const std::uint64_t bytes = whole_number(info[0], "bytes");
  const Offset block = guarded(info.Env(), [&] { return heap(info.Env()).allocate(bytes); });
  detach_if_resized();
  return number(info.Env(), block);
}

void NativeHeap::release(const Napi::CallbackInfo& info) {
  const Offset block = whole_number(info[0], "offset");
  guarded(info.Env(), [&] { heap(info.Env()).release(block); });
}

Napi::Value NativeHeap::usable_size(const Napi::CallbackInfo& info) {
  const Offset block = whole_number(info[0], "offset");
  return number(info.Env(), guarded(info.Env(), [&] { return heap(info.Env()).usable_size(block); }));
}

void NativeHeap::trim(const Napi::CallbackInfo& info) {
  guarded(info.Env(), [&] { heap(info.Env()).trim(); });
  detach_if_resized();
}

void NativeHeap::commit(const Napi::CallbackInfo& info) {
  guarded(info.Env(), [&] { heap(info.Env()).commit(); });
}

void NativeHeap::checkpoint(const Napi::CallbackInfo& info) {
  guarded(info.Env(), [&] { heap(info.Env()).checkpoint(); });
}

Napi::Value NativeHeap::verify(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  std::vector<Offset> reachable;
  const bool given = info.Length() > 0 && !info[0].IsUndefined();
  if (given) reachable = offsets(info[0]);
  const HeapReport report = guarded(env, [&] { return heap(env).verify(given ? &reachable : nullptr); });
  const Napi::Array problems = Napi::Array::New(env, report.problems.size());
  for (std::uint32_t i = 0; i < report.problems.size(); ++i) {
    problems.Set(i, Napi::String::New(env, report.problems[i]));
  }
  const Napi::Object result = Napi::Object::New(env);
  result.Set("problems", problems);
  result.Set("allocatedBlocks", number(env, report.allocated_blocks));
  result.Set("allocatedBytes", number(env, report.allocated_bytes));
  result.Set("freePages", number(env, report.free_pages));
  return result;
}

void NativeHeap::close(const Napi::CallbackInfo& info) {
  detach_buffer();
  guarded(info.Env(), [&] { close_heap(); });
}

void NativeHeap::close_heap() {
  if (!heap_) return;
  for (const auto& callback : std::exchange(before_close_, {})) callback();
  const std::shared_ptr<Heap> heap = std::exchange(heap_, nullptr);
  heap->close();
}

void define_heap(Napi::Env env, Napi::Object exports) {
  NativeHeap::define(env);
  exports.Set("createHeap", Napi::Function::New<create_heap>(env, "createHeap"));
  exports.Set("openHeap", Napi::Function::New<open_heap>(env, "openHeap"));
}

}  // namespace plugpull::addon
